package respapi

import (
	"encoding/json"

	"github.com/isobath/isobath/engine"
)

// indexOptions is what FT.CREATE was told and the engine need not know; it is kept with the index for FT.INFO, as JSON.
type indexOptions struct {
	Flags      []string `json:"flags,omitempty"` // NOFREQS, NOFIELDS, ... in capitals
	Score      string   `json:"score,omitempty"`
	ScoreField string   `json:"score_field,omitempty"`
	Language   string   `json:"language,omitempty"`
	LangField  string   `json:"language_field,omitempty"`
	Payload    string   `json:"payload_field,omitempty"`
	StopWords  []string `json:"stopwords,omitempty"`
	CustomStop bool     `json:"custom_stopwords,omitempty"`
}

// fieldOptions is the same of one field.
type fieldOptions struct {
	Flags          []string `json:"flags,omitempty"` // SORTABLE, UNF, NOINDEX, ... in capitals
	IndexMissing   bool     `json:"index_missing,omitempty"`
	Weight         string   `json:"weight,omitempty"`
	Phonetic       string   `json:"phonetic,omitempty"`
	InitialCap     int      `json:"initial_cap,omitempty"`
	BlockSize      int      `json:"block_size,omitempty"`
	M              int      `json:"m,omitempty"`
	EfConstruction int      `json:"ef_construction,omitempty"`
	EfRuntime      int      `json:"ef_runtime,omitempty"`
	Epsilon        string   `json:"epsilon,omitempty"`
}

func (o indexOptions) encode() []byte { return mustJSON(o) }
func (o fieldOptions) encode() []byte { return mustJSON(o) }

// mustJSON encodes one of the two types above, which always can be.
func mustJSON(v any) []byte {
	b, _ := json.Marshal(v)
	return b
}

// decodeIndexOptions reads what encode wrote; damage, which the checksums rule out, reads as no options.
func decodeIndexOptions(b []byte) (o indexOptions) {
	_ = json.Unmarshal(b, &o)
	return o
}

func decodeFieldOptions(b []byte) (o fieldOptions) {
	_ = json.Unmarshal(b, &o)
	return o
}

// metricName is the name that FT.CREATE takes.
func metricName(d engine.Distance) string {
	switch d {
	case engine.Euclid:
		return "L2"
	case engine.Dot:
		return "IP"
	}
	return "COSINE"
}

func typeName(t engine.FieldType) string {
	switch t {
	case engine.FieldNumeric:
		return "NUMERIC"
	case engine.FieldTag:
		return "TAG"
	case engine.FieldText:
		return "TEXT"
	}
	return "VECTOR"
}

func algorithmName(f engine.IndexField) string {
	if f.Vector.Flat {
		return "FLAT"
	}
	return "HNSW"
}
