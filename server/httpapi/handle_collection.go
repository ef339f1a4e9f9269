package httpapi

import (
	"errors"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/server/service"
)

type collectionName struct {
	Name string `json:"name"`
}

func (h *Handler) listCollections(*request) (any, error) {
	names, err := h.svc.Collections()
	list := make([]collectionName, len(names))
	for i, name := range names {
		list[i].Name = name
	}
	return map[string]any{"collections": list}, err
}

func (h *Handler) collectionExists(r *request) (any, error) {
	_, err := h.collection(r)
	var missing *engine.NotFoundError
	if err != nil && !errors.As(err, &missing) {
		return nil, err
	}
	return map[string]bool{"exists": err == nil}, nil
}

func (h *Handler) createCollection(r *request) (any, error) {
	name := r.PathValue("collection_name")
	var found violations
	if reason := badName(name, maxCollectionName); reason != "" {
		found.add("collection_name", "collection name %s", reason)
	}
	if err := found.err("path parameters"); err != nil {
		return nil, err
	}
	var body createBody
	if err := decode(r.body, &body); err != nil {
		return nil, err
	}
	schema, err := body.schema(h.options.Defaults)
	if err != nil {
		return nil, err
	}
	return true, h.svc.CreateCollection(r.ctx, name, schema)
}

func (h *Handler) updateCollection(r *request) (any, error) {
	var body updateBody
	if err := decode(r.body, &body); err != nil {
		return nil, err
	}
	c, err := h.collection(r)
	if err != nil {
		return nil, err
	}
	if c.Info().Index != nil {
		return nil, engine.ErrFTRequest
	}
	return true, h.svc.UpdateCollection(r.ctx, c.Name(), body.change)
}

func (h *Handler) deleteCollection(r *request) (any, error) {
	return h.svc.DropCollection(r.ctx, r.PathValue("collection_name"))
}

// collectionInfo is the answer to GET /collections/{c}.
type collectionInfo struct {
	Status          string               `json:"status"`
	OptimizerStatus any                  `json:"optimizer_status"`
	Warnings        []warning            `json:"warnings,omitempty"`
	IndexedVectors  int                  `json:"indexed_vectors_count"`
	Vectors         int                  `json:"vectors_count"`
	Points          int                  `json:"points_count"`
	Segments        int                  `json:"segments_count"`
	Config          jsontext.Value       `json:"config"`
	PayloadSchema   map[string]fieldInfo `json:"payload_schema"`
	UpdateQueue     map[string]int       `json:"update_queue"`
}

type warning struct {
	Message string `json:"message"`
}

type fieldInfo struct {
	DataType string         `json:"data_type"`
	Params   jsontext.Value `json:"params,omitzero"`
	Points   int            `json:"points"`
}

var statusNames = map[engine.Status]string{
	engine.Green: "green", engine.Yellow: "yellow", engine.Grey: "grey", engine.Red: "red",
}

func (h *Handler) getCollection(r *request) (any, error) {
	c, err := h.collection(r)
	if err != nil {
		return nil, err
	}
	info := c.Info()
	out := collectionInfo{
		Status: statusNames[info.Status], OptimizerStatus: "ok", Points: info.Points, Segments: info.Segments, Config: info.Schema.Config,
		PayloadSchema: map[string]fieldInfo{}, UpdateQueue: map[string]int{"length": info.Queue},
	}
	if info.Status == engine.Red {
		out.OptimizerStatus = map[string]string{"error": info.Err}
	}
	for _, v := range info.Vectors {
		out.Vectors += v.Vectors
		out.IndexedVectors += v.Indexed
	}
	for _, f := range info.Fields {
		out.PayloadSchema[f.Def.Name] = fieldInfo{kindNames[f.Def.Kind], c.FieldParams(f.Def.Name), f.Points}
	}
	if len(out.Config) == 0 {
		out.Config, err = indexConfig(info.Schema)
		return out, err
	}
	out.Warnings, err = warnings(info.Schema, info.Fields)
	return out, err
}

// indexConfig describes an FT index in the words of a collection.
func indexConfig(s engine.Schema) (jsontext.Value, error) {
	config := Defaults{}.config()
	vectors := &vectorsConfig{named: map[string]*vectorConfig{}}
	for name, p := range s.Vectors {
		v := &vectorConfig{Size: ptr(uint64(p.Size))}
		for word, d := range distances {
			if d == p.Distance {
				v.Distance = &word
			}
		}
		if p.M > 0 {
			v.HNSW = &hnswConfig{M: ptr(uint64(p.M)), EfConstruct: ptr(uint64(p.EfConstruct))}
		}
		vectors.named[name] = v
	}
	config.Params.Vectors = vectors
	return config.encode()
}

// warnings name settings that are kept and not acted on.
func warnings(schema engine.Schema, fields []engine.FieldInfo) (list []warning, err error) {
	config, err := decodeConfig(schema.Config)
	if err != nil {
		return nil, err
	}
	byName := config.Params.Vectors.byName()
	warn := func(setting, instead string) {
		if w := (warning{setting + ": " + instead}); instead != "" && !slices.Contains(list, w) {
			list = append(list, w)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		p, v := schema.Vectors[name], byName[name]
		warn("quantization_config", config.quantization(v).codes(p.Distance, p.OnDisk).instead)
		if inline := v.HNSW.over(config.HNSW).InlineStorage; inline != nil && *inline {
			warn("hnsw_config", "inline_storage is not available: links and codes lie apart")
		}
	}
	for _, f := range fields {
		if f.Def.Kind == filter.Text {
			list = append(list, warning{"the text index of " + f.Def.Name + " is kept but not applied yet: texts are matched as substrings, not as tokens"})
		}
	}
	return list, nil
}

// aliasesBody is the body of POST /collections/aliases.
type aliasesBody struct {
	Actions []aliasAction `json:"actions"`
}

type aliasAction struct {
	Create *struct {
		Collection *string `json:"collection_name"`
		Alias      *string `json:"alias_name"`
	} `json:"create_alias"`
	Delete *struct {
		Alias *string `json:"alias_name"`
	} `json:"delete_alias"`
	Rename *struct {
		Old *string `json:"old_alias_name"`
		New *string `json:"new_alias_name"`
	} `json:"rename_alias"`
}

func (a *aliasAction) action(found *violations) (engine.AliasAction, error) {
	checked := func(name string) string {
		if reason := badName(name, maxCollectionName); reason != "" {
			found.add("alias_name", "alias name %s", reason)
		}
		if name == "" {
			found.add("alias_name", "value %q invalid, must be at least 1 characters", name)
		}
		return name
	}
	switch {
	case a.Create != nil && a.Create.Collection != nil && a.Create.Alias != nil:
		return engine.AliasAction{Kind: engine.AliasCreate, Collection: *a.Create.Collection, Alias: checked(*a.Create.Alias)}, nil
	case a.Delete != nil && a.Delete.Alias != nil:
		return engine.AliasAction{Kind: engine.AliasDelete, Alias: *a.Delete.Alias}, nil
	case a.Rename != nil && a.Rename.Old != nil && a.Rename.New != nil:
		return engine.AliasAction{Kind: engine.AliasRename, Alias: *a.Rename.Old, NewAlias: checked(*a.Rename.New)}, nil
	}
	return engine.AliasAction{}, formatError("data did not match any variant of untagged enum AliasOperations")
}

func (h *Handler) updateAliases(r *request) (any, error) {
	var body aliasesBody
	if err := decode(r.body, &body); err != nil {
		return nil, err
	}
	if body.Actions == nil {
		return nil, formatError("missing field `actions`")
	}
	var found violations
	actions := make([]engine.AliasAction, len(body.Actions))
	for i := range body.Actions {
		var err error
		if actions[i], err = body.Actions[i].action(&found); err != nil {
			return nil, err
		}
	}
	if err := found.err("JSON body"); err != nil {
		return nil, err
	}
	return true, h.svc.UpdateAliases(r.ctx, actions)
}

type aliasInfo struct {
	Alias      string `json:"alias_name"`
	Collection string `json:"collection_name"`
}

func (h *Handler) aliases(of *service.Collection) (any, error) {
	name := ""
	if of != nil {
		name = of.Name()
	}
	all, err := h.svc.Aliases(name)
	list := []aliasInfo{}
	for _, a := range all {
		list = append(list, aliasInfo{a.Name, a.Collection})
	}
	return map[string]any{"aliases": list}, err
}

func (h *Handler) listAliases(*request) (any, error) { return h.aliases(nil) }

func (h *Handler) collectionAliases(r *request) (any, error) {
	c, err := h.collection(r)
	if err != nil {
		return nil, err
	}
	return h.aliases(c)
}
