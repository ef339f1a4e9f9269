package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/payload"
)

// pointID is an unsigned integer or a UUID.
type pointID struct{ id engine.PointID }

func (p *pointID) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	switch raw.Kind() {
	case '0':
		if n, err := strconv.ParseUint(string(raw), 10, 64); err == nil {
			p.id = payload.NumID(n)
			return nil
		}
	case '"':
		text, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			return err
		}
		// Digits in quotes are no number here, yet 32 of them are a UUID.
		if id, err := payload.ParsePointID(string(text)); err == nil && id.IsUUID() {
			p.id = id
			return nil
		}
	}
	return fmt.Errorf("value %s is not a valid point ID, valid values are either an unsigned integer or a UUID", clip(string(raw)))
}

func appendPointID(dst []byte, id engine.PointID) []byte {
	if id.IsUUID() {
		return strconv.AppendQuote(dst, id.String())
	}
	return strconv.AppendUint(dst, id.Num(), 10)
}

// idList is a list of ids; nil when absent or null.
type idList []engine.PointID

func (l *idList) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == 'n' {
		return dec.SkipValue()
	}
	*l = idList{}
	return readArray(dec, func() error {
		var p pointID
		if err := json.UnmarshalDecode(dec, &p); err != nil {
			return err
		}
		*l = append(*l, p.id)
		return nil
	})
}

// payloadBody is a JSON object kept as it was sent; nil when absent or null.
type payloadBody []byte

func (p *payloadBody) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case 'n':
		return dec.SkipValue()
	case '{':
		raw, err := dec.ReadValue()
		if err == nil && len(raw) > leastKeyBytes*maxPayloadKeys && countKeys(raw) > maxPayloadKeys {
			err = fmt.Errorf("more than %d keys", maxPayloadKeys)
		}
		*p = slices.Clone(payloadBody(raw))
		return err
	}
	return mismatch(dec, "", "a map")
}

// A payload has at most maxPayloadKeys keys on all levels; each takes leastKeyBytes.
const (
	maxPayloadKeys = 100_000
	leastKeyBytes  = 5
)

func countKeys(raw jsontext.Value) int {
	n := 0
	dec := jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(true))
	for {
		tok, err := dec.ReadToken()
		if err != nil {
			return n
		}
		if kind, count := dec.StackIndex(dec.StackDepth()); kind == '{' && count%2 == 1 && tok.Kind() == '"' {
			n++
		}
	}
}

// shardKey is accepted as null only: there is no custom sharding.
type shardKey struct{}

func (shardKey) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == 'n' {
		return dec.SkipValue()
	}
	return badRequest("Shard key selection is not allowed: the collection has no custom sharding")
}

// pointBody is one point of an upsert or of an update of vectors.
type pointBody struct {
	ID      *pointID     `json:"id"`
	Vector  *vectorsBody `json:"vector"`
	Vectors *vectorsBody `json:"vectors"`
	Payload payloadBody  `json:"payload"`
}

func (p *pointBody) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain pointBody
	if err := json.UnmarshalDecode(dec, (*plain)(p)); err != nil {
		return err
	}
	if p.Vector == nil {
		p.Vector = p.Vectors
	}
	switch {
	case p.ID == nil:
		return errors.New("missing field `id`")
	case p.Vector == nil:
		return errors.New("missing field `vector`")
	}
	return nil
}

func variants[T any](table map[string]T) string {
	return "`" + strings.Join(slices.Sorted(maps.Keys(table)), "`, `") + "`"
}

// upsertBody is the body of an upsert in either form.
type upsertBody struct {
	Points []pointBody `json:"points"`
	Batch  *batchBody  `json:"batch"`
	Shard  shardKey    `json:"shard_key"`
	Filter *filterBody `json:"update_filter"`
	Mode   updateMode  `json:"update_mode"`
}

type updateMode engine.UpsertMode

func (m *updateMode) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return readEnum(dec, (*engine.UpsertMode)(m), map[string]engine.UpsertMode{
		"upsert": engine.UpsertAll, "insert_only": engine.InsertOnly, "update_only": engine.UpdateOnly,
	})
}

// readEnum reads one of the words of table; null leaves v alone.
func readEnum[T any](dec *jsontext.Decoder, v *T, table map[string]T) error {
	if dec.PeekKind() == 'n' {
		return dec.SkipValue()
	}
	if dec.PeekKind() != '"' {
		return mismatch(dec, "", "a string")
	}
	word, err := dec.ReadToken()
	if err != nil {
		return err
	}
	value, ok := table[word.String()]
	if !ok {
		return fmt.Errorf("unknown variant `%s`, expected one of %s", clip(word.String()), variants(table))
	}
	*v = value
	return nil
}

func (b *upsertBody) validate(v *violations) { b.check(v, "") }

func (b *upsertBody) check(v *violations, at string) {
	for i := range b.Points {
		b.Points[i].Vector.check(v, at, i)
	}
	if b.Batch != nil {
		b.Batch.check(v, at+"batch")
	}
}

// points returns what to store.
func (b *upsertBody) points() ([]engine.Point, error) {
	if b.Batch != nil {
		return b.Batch.points(), nil
	}
	if b.Points == nil {
		return nil, formatError("data did not match any variant of untagged enum PointInsertOperations: `points` or `batch` is required")
	}
	return enginePoints(b.Points), nil
}

func enginePoints(list []pointBody) []engine.Point {
	points := make([]engine.Point, len(list))
	for i, p := range list {
		points[i] = engine.Point{ID: p.ID.id, Vectors: p.Vector.named, Payload: p.Payload}
	}
	return points
}

// batchBody is an upsert by columns.
type batchBody struct {
	IDs      idList         `json:"ids"`
	Vectors  *columnsBody   `json:"vectors"`
	Vector   *columnsBody   `json:"vector"`
	Payloads *[]payloadBody `json:"payloads"`
}

// columnsBody is a list of vectors, or lists of vectors by name.
type columnsBody struct{ named map[string][][]float32 }

func (b *columnsBody) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	b.named = map[string][][]float32{}
	column := func(name string) error {
		b.named[name] = [][]float32{}
		return readArray(dec, func() error {
			switch dec.PeekKind() {
			case '{':
				return unsupported("sparse vectors and inference objects are")
			case '[':
				v, err := readDense(dec)
				b.named[name] = append(b.named[name], v)
				return err
			}
			return mismatch(dec, "", "a vector")
		})
	}
	if dec.PeekKind() == '[' {
		return column("")
	}
	return readObject(dec, column)
}

func (b *batchBody) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain batchBody
	if err := json.UnmarshalDecode(dec, (*plain)(b)); err != nil {
		return err
	}
	if b.Vectors == nil {
		b.Vectors = b.Vector
	}
	switch {
	case b.IDs == nil:
		return errors.New("missing field `ids`")
	case b.Vectors == nil:
		return errors.New("missing field `vectors`")
	}
	return nil
}

func (b *batchBody) check(v *violations, at string) {
	for _, name := range slices.Sorted(maps.Keys(b.Vectors.named)) {
		column, field := b.Vectors.named[name], at+".vectors"
		if len(column) != len(b.IDs) {
			v.add(field, "number of ids and vectors must be equal (%d != %d)", len(b.IDs), len(column))
		}
		for i, vec := range column {
			if len(vec) == 0 {
				v.add(fmt.Sprintf("%s[%d]", field, i), "Validation error: dense vector must not be empty [{}]")
			}
		}
	}
	if b.Payloads != nil && len(*b.Payloads) != len(b.IDs) {
		v.add(at+".payloads", "number of ids and payloads must be equal (%d != %d)", len(b.IDs), len(*b.Payloads))
	}
}

func (b *batchBody) points() []engine.Point {
	points := make([]engine.Point, len(b.IDs))
	for i, id := range b.IDs {
		points[i] = engine.Point{ID: id, Vectors: make(engine.Vectors, len(b.Vectors.named))}
		for name, column := range b.Vectors.named {
			points[i].Vectors[name] = column[i]
		}
		if b.Payloads != nil {
			points[i].Payload = (*b.Payloads)[i]
		}
	}
	return points
}
