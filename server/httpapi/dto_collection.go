package httpapi

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/isobath/isobath/engine"
)

// paramsConfig is config.params of a collection.
type paramsConfig struct {
	Vectors          *vectorsConfig `json:"vectors,omitzero"`
	ShardNumber      *uint64        `json:"shard_number,omitzero"`
	ShardingMethod   *string        `json:"sharding_method,omitzero"`
	Replication      *uint64        `json:"replication_factor,omitzero"`
	WriteConsistency *uint64        `json:"write_consistency_factor,omitzero"`
	ReadFanOut       *uint64        `json:"read_fan_out_factor,omitzero"`
	ReadFanOutDelay  *uint64        `json:"read_fan_out_delay_ms,omitzero"`
	OnDiskPayload    *bool          `json:"on_disk_payload,omitzero"`
	Payload          *payloadConfig `json:"payload,omitzero"`
}

func (p *paramsConfig) check(v *violations, at string) {
	atLeast(v, at+"shard_number", p.ShardNumber, 1)
	atLeast(v, at+"replication_factor", p.Replication, 1)
	atLeast(v, at+"write_consistency_factor", p.WriteConsistency, 1)
	if p.Payload != nil {
		notPinned(v, at+"payload.memory", p.Payload.Memory)
	}
}

type payloadConfig struct {
	Memory *memory `json:"memory,omitzero"`
}

// collectionConfig is config of a collection, and what Schema.Config keeps.
type collectionConfig struct {
	Params       paramsConfig      `json:"params"`
	HNSW         hnswConfig        `json:"hnsw_config"`
	Optimizer    optimizerConfig   `json:"optimizer_config"`
	WAL          *walConfig        `json:"wal_config"`
	Quantization *quantizationBody `json:"quantization_config"`
	StrictMode   jsontext.Value    `json:"strict_mode_config,omitzero"`
	Metadata     jsontext.Value    `json:"metadata,omitzero"`
}

func (c *collectionConfig) encode() ([]byte, error) {
	return json.Marshal(c, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
}

// createBody is the body of the creation of a collection.
type createBody struct {
	Vectors          *vectorsConfig    `json:"vectors"`
	Sparse           jsontext.Value    `json:"sparse_vectors"`
	ShardNumber      *uint64           `json:"shard_number"`
	ShardingMethod   *word[sharding]   `json:"sharding_method"`
	Replication      *uint64           `json:"replication_factor"`
	WriteConsistency *uint64           `json:"write_consistency_factor"`
	OnDiskPayload    *bool             `json:"on_disk_payload"`
	Payload          *payloadConfig    `json:"payload"`
	HNSW             *hnswConfig       `json:"hnsw_config"`
	Optimizers       *optimizerConfig  `json:"optimizers_config"`
	Optimizer        *optimizerConfig  `json:"optimizer_config"`
	WAL              *walConfig        `json:"wal_config"`
	Quantization     *quantizationBody `json:"quantization_config"`
	Quantization2    *quantizationBody `json:"quantization"`
	StrictMode       strictBody        `json:"strict_mode_config"`
	Metadata         payloadBody       `json:"metadata"`
	InitFrom         jsontext.Value    `json:"init_from"`
}

type sharding struct{}

func (sharding) words() []string { return []string{"auto", "custom"} }

func given(v jsontext.Value) bool { return v.Kind() != 0 && v.Kind() != 'n' }

// empty says whether v is a list or map without members.
func empty(v jsontext.Value) bool {
	return (v.Kind() == '[' || v.Kind() == '{') && len(bytes.TrimSpace(v[1:len(v)-1])) == 0
}

func (b *createBody) validate(v *violations) {
	b.Optimizers = or(b.Optimizers, b.Optimizer)
	b.Quantization = or(b.Quantization, b.Quantization2)
	b.HNSW.check(v, "hnsw_config")
	b.Optimizers.check(v, "optimizers_config")
	b.WAL.check(v, "wal_config")
	b.params().check(v, "")
	byName := b.Vectors.byName()
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		at := "vectors"
		if b.Vectors.single == nil {
			at = anyVector
			if reason := badName(name, maxVectorName); reason != "" {
				v.add("vectors", "vector name %s", reason)
			}
		}
		p := byName[name]
		if p == nil || p.Size == nil || p.Distance == nil {
			continue // decided in schema: of the wrong form, not of the wrong value
		}
		between(v, at+".size", p.Size, 1, 65536)
		p.HNSW.check(v, at+".hnsw_config")
		notPinned(v, at+".memory", p.Memory)
	}
}

func (b *createBody) params() *paramsConfig {
	return &paramsConfig{
		Vectors: b.Vectors, ShardNumber: b.ShardNumber, Replication: b.Replication, WriteConsistency: b.WriteConsistency,
		OnDiskPayload: b.OnDiskPayload, Payload: b.Payload,
	}
}

// refuse names what is not served yet.
func (b *createBody) refuse() error {
	switch {
	case given(b.Sparse) && !empty(b.Sparse):
		return unsupported("sparse vectors are")
	case given(b.InitFrom):
		return unsupported("init_from is")
	case b.ShardingMethod != nil && b.ShardingMethod.text == "custom":
		return unsupported("custom sharding is")
	case strictEnabled(jsontext.Value(b.StrictMode)):
		return unsupported("strict mode is")
	case b.Optimizers != nil && b.Optimizers.Prevent != nil && *b.Optimizers.Prevent:
		return unsupported("prevent_unoptimized is")
	}
	return nil
}

// strictBody is a strict mode kept as it was sent; nil when absent or null.
type strictBody []byte

// UnmarshalJSONFrom checks the switch: of a mode that is off, nothing else counts.
func (s *strictBody) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if err := (*payloadBody)(s).UnmarshalJSONFrom(dec); err != nil || *s == nil {
		return err
	}
	var mode struct {
		Enabled *bool `json:"enabled"`
	}
	return within(dec, json.Unmarshal(*s, &mode, bodyOptions))
}

func strictEnabled(raw jsontext.Value) bool {
	var s struct {
		Enabled bool `json:"enabled"`
	}
	return given(raw) && json.Unmarshal(raw, &s) == nil && s.Enabled
}

// schema returns what to create, settings that were left out taken from d.
func (b *createBody) schema(d Defaults) (engine.Schema, error) {
	if err := b.refuse(); err != nil {
		return engine.Schema{}, err
	}
	cfg := d.config()
	params := b.params()
	if params.Vectors == nil {
		params.Vectors = &vectorsConfig{named: map[string]*vectorConfig{}}
	}
	params.ShardNumber = or(params.ShardNumber, cfg.Params.ShardNumber)
	if b.ShardingMethod != nil {
		params.ShardingMethod = &b.ShardingMethod.text
	}
	params.Replication = or(params.Replication, cfg.Params.Replication)
	params.WriteConsistency = or(params.WriteConsistency, cfg.Params.WriteConsistency)
	params.OnDiskPayload = or(params.OnDiskPayload, cfg.Params.OnDiskPayload)
	cfg.Params = *params
	cfg.HNSW = b.HNSW.over(cfg.HNSW)
	cfg.Optimizer = b.Optimizers.over(cfg.Optimizer)
	wal := b.WAL.over(*cfg.WAL)
	cfg.WAL = &wal
	cfg.Quantization = or(b.Quantization, cfg.Quantization)
	if b.StrictMode != nil {
		cfg.StrictMode = jsontext.Value(b.StrictMode)
	}
	cfg.Metadata = jsontext.Value(b.Metadata)
	schema, err := cfg.schema(func(string) bool { return d.VectorsOnDisk })
	if err == nil {
		schema.Config, err = cfg.encode()
	}
	return schema, err
}

// schema returns what the engine needs to know of a configuration; onDisk is asked for vectors of which it does not say
// where their rows are.
func (c *collectionConfig) schema(onDisk func(name string) bool) (engine.Schema, error) {
	s := engine.Schema{Vectors: map[string]engine.VectorParams{}}
	var found violations
	if err := c.Quantization.check(&found, "quantization_config"); err != nil {
		return s, err
	}
	s.IndexFromBytes = int64(*c.Optimizer.Indexing) << 10
	if s.IndexFromBytes == 0 {
		s.IndexFromBytes = -1
	}
	if t := c.Optimizer.MaxThreads; t != nil && t.n != nil {
		s.NoBackground = *t.n == 0
	}
	for name, v := range c.Params.Vectors.byName() {
		p, err := v.params(name, c.HNSW, &found)
		if err != nil {
			return s, err
		}
		if v.OnDisk == nil && v.Memory == nil {
			p.OnDisk = onDisk(name)
		}
		s.Vectors[name] = p
	}
	if err := found.err("JSON body"); err != nil {
		return s, err
	}
	for name, v := range c.Params.Vectors.byName() {
		p := s.Vectors[name]
		codes := c.quantization(v).codes(p.Distance, p.OnDisk)
		p.Codes, p.CodesPlacement, p.LinksPlacement = codes.config, codes.placement, v.HNSW.links(c.HNSW)
		s.Vectors[name] = p
	}
	return s, nil
}

// quantization returns what is in force for a vector: its own before that of the collection.
func (c *collectionConfig) quantization(v *vectorConfig) *quantizationBody {
	if v.Quantization.given() {
		return v.Quantization
	}
	return c.Quantization
}

var distances = map[string]engine.Distance{
	"Cosine": engine.Cosine, "Dot": engine.Dot, "Euclid": engine.Euclid, "Manhattan": engine.Manhattan,
}

// datatypeName is the datatype in force.
func (v *vectorConfig) datatypeName() string {
	if v.Datatype != nil {
		return *v.Datatype
	}
	return engine.Float32.String()
}

func (v *vectorConfig) params(name string, base hnswConfig, found *violations) (p engine.VectorParams, err error) {
	at := "vectors"
	if name != "" {
		at += "." + name
	}
	switch {
	case v == nil:
		return p, formatError("%s: invalid type: null, expected a map", at)
	case v.Size == nil:
		return p, formatError("%s: missing field `size`", at)
	case v.Distance == nil:
		return p, formatError("%s: missing field `distance`", at)
	case given(v.Multi):
		return p, unsupported("multivectors are")
	}
	d, ok := distances[*v.Distance]
	if !ok {
		return p, formatError("%s.distance: unknown variant `%s`, expected one of %s", at, clip(*v.Distance), variants(distances))
	}
	datatype := engine.Float32
	if v.Datatype != nil {
		switch *v.Datatype {
		case "float32":
		case "float16":
			datatype = engine.Float16
		case "uint8":
			if datatype = engine.Uint8; d == engine.Cosine {
				return p, unsupported("datatype uint8 under Cosine is")
			}
		case "turbo4":
			return p, unsupported("datatype turbo4 is")
		default:
			return p, formatError("%s.datatype: unknown variant `%s`, expected one of `float32`, `float16`, `uint8`, `turbo4`", at, clip(*v.Datatype))
		}
	}
	shown := "vectors"
	if name != "" {
		shown = anyVector
	}
	if err := v.Quantization.check(found, shown+".quantization_config"); err != nil {
		return p, err
	}
	h := v.HNSW.over(base)
	p = engine.VectorParams{
		Size: int(*v.Size), Distance: d, Datatype: datatype, M: int(*h.M), EfConstruct: int(*h.EfConstruct), FullScanBytes: int64(*h.FullScanThreshold) << 10,
		NoGraph: *h.M == 0,
	}
	switch {
	case v.Memory != nil:
		p.OnDisk = v.Memory.text == "cold"
	case v.OnDisk != nil:
		p.OnDisk = *v.OnDisk
	}
	return p, nil
}

// anyVector is the field of a violation within a map of named vectors.
const anyVector = "vectors.?"

const (
	maxCollectionName = 255
	maxVectorName     = 200
)

// badName says what is wrong with a name, "" when nothing is.
func badName(name string, maxBytes int) string {
	if !utf8.ValidString(name) {
		return "is not UTF-8"
	}
	if len(name) > maxBytes {
		return fmt.Sprintf("of %d bytes invalid, must be at most %d bytes", len(name), maxBytes)
	}
	for _, c := range name {
		switch c {
		case '<', '>', ':', '"', '/', '\\', '|', '?', '*', 0, 0x1f:
			return fmt.Sprintf("cannot contain %q char", c)
		}
	}
	return ""
}
