package httpapi

import (
	"errors"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/isobath/isobath/filter"
)

// indexBody is the body of the creation of a payload index.
type indexBody struct {
	FieldName *string      `json:"field_name"`
	Schema    *indexSchema `json:"field_schema"`
	FieldType *indexSchema `json:"field_type"`
}

// indexSchema is a type's name or an object with type and parameters, which is kept as sent.
type indexSchema struct {
	kind   filter.Kind
	params jsontext.Value // nil for a type's name

	lookup, rng *bool
}

var indexKinds = map[string]filter.Kind{
	"keyword": filter.Keyword, "integer": filter.Integer, "float": filter.Float, "bool": filter.Bool,
	"datetime": filter.Datetime, "uuid": filter.UUID, "geo": filter.Geo, "text": filter.Text,
}

// kindNames is the inverse of indexKinds.
var kindNames = func() map[filter.Kind]string {
	names := map[filter.Kind]string{}
	for name, kind := range indexKinds {
		names[kind] = name
	}
	return names
}()

func (s *indexSchema) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case '"':
		return readEnum(dec, &s.kind, indexKinds)
	case '{':
	default:
		return mismatch(dec, "", "a type or a map")
	}
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	s.params = slices.Clone(raw)
	var params indexParams
	if err := json.Unmarshal(raw, &params, bodyOptions); err != nil {
		return within(dec, err)
	}
	if params.Type == nil {
		return errors.New("missing field `type`")
	}
	s.kind = indexKinds[params.Type.text]
	s.lookup, s.rng = params.Lookup, params.Range
	return nil
}

// indexParams are the parameters of all types; most have no effect here and are only checked.
type indexParams struct {
	Type       *word[indexKind]     `json:"type"`
	Lookup     *bool                `json:"lookup"`
	Range      *bool                `json:"range"`
	Tenant     *bool                `json:"is_tenant"`
	Principal  *bool                `json:"is_principal"`
	Prefix     *bool                `json:"prefix"`
	EnableHNSW *bool                `json:"enable_hnsw"`
	OnDisk     *bool                `json:"on_disk"`
	Memory     *memory              `json:"memory"`
	Tokenizer  *word[tokenizerWord] `json:"tokenizer"`
	MinToken   *uint64              `json:"min_token_len"`
	MaxToken   *uint64              `json:"max_token_len"`
	Lowercase  *bool                `json:"lowercase"`
	Folding    *bool                `json:"ascii_folding"`
	Phrases    *bool                `json:"phrase_matching"`
}

type tokenizerWord struct{}

func (tokenizerWord) words() []string {
	return []string{"prefix", "whitespace", "word", "multilingual"}
}

type indexKind struct{}

func (indexKind) words() []string {
	var list []string
	for name := range indexKinds {
		list = append(list, name)
	}
	return list
}

func (b *indexBody) validate(v *violations) {
	b.Schema = or(b.Schema, b.FieldType)
	s := b.Schema
	if s == nil {
		return
	}
	if s.kind == filter.Integer && s.lookup != nil && !*s.lookup && s.rng != nil && !*s.rng {
		v.add("field_schema", "Validation error: the 'lookup' and 'range' capabilities can't be both disabled")
	}
}

// def returns the index to create and the user's own words.
func (b *indexBody) def() (filter.FieldDef, []byte, error) {
	if b.FieldName == nil {
		return filter.FieldDef{}, nil, formatError("missing field `field_name`")
	}
	if b.Schema == nil {
		return filter.FieldDef{}, nil, badRequest("Can't auto-detect field type, please specify `field_schema` in the request")
	}
	name, err := fieldName(*b.FieldName)
	return filter.FieldDef{Name: name, Kind: b.Schema.kind}, b.Schema.params, err
}
