package engine

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/isobath/isobath/filter"
)

// maxTagBytes is the longest tag value that is indexed.
const maxTagBytes = 4096

// feedState is the FT side of a collection: its definition, the progress of its backfill and
// its conversion failures. The applier replaces it; a published one is never changed.
type feedState struct {
	def        IndexDef
	generation uint32 // of the database
	bySource   map[string][]int
	state      BackfillState
	cursor     []byte // first key that the backfill has not looked at
	progress   float64
	err        string
	total      IndexFailures
	failures   []IndexFailures // by field
}

func newFeedState(def IndexDef, generation uint32) *feedState {
	f := &feedState{def: def, generation: generation, bySource: map[string][]int{}, state: BackfillInProgress,
		failures: make([]IndexFailures, len(def.Fields))}
	for i, field := range def.Fields {
		f.bySource[field.Source] = append(f.bySource[field.Source], i)
	}
	if def.SkipScan {
		f.state, f.progress = BackfillCompleted, 1
	}
	return f
}

// expires tells whether a document of the view's index may have an expiry.
func (v *view) expires() bool {
	d := v.databases[v.feed.def.Database]
	return d.expires > 0 || d.generation != v.feed.generation
}

// clone returns a copy whose counters may be changed.
func (f *feedState) clone() *feedState {
	g := *f
	g.failures = slices.Clone(f.failures)
	return &g
}

func (f *feedState) info() IndexInfo {
	x := IndexInfo{Def: f.def, State: f.state, Progress: f.progress, Err: f.err, Failures: f.total, ByField: map[string]IndexFailures{}}
	for i, field := range f.def.Fields {
		x.ByField[field.Alias] = f.failures[i]
	}
	return x
}

func (f *feedState) fail(field int, key []byte, reason string) {
	for _, c := range []*IndexFailures{&f.total, &f.failures[field]} {
		c.Count++
		c.LastError, c.LastKey = reason, slices.Clone(key)
	}
}

// covers says whether the index holds a key of this name and kind.
func (f *feedState) covers(key []byte, kind Kind) bool {
	if kind != KindHash {
		return false
	}
	if len(f.def.Prefixes) == 0 {
		return true
	}
	return slices.ContainsFunc(f.def.Prefixes, func(p []byte) bool { return bytes.HasPrefix(key, p) })
}

// schema returns the collection schema behind an index definition.
func (d IndexDef) schema() Schema {
	s := Schema{Vectors: map[string]VectorParams{}}
	for _, f := range d.Fields {
		if f.Type == FieldVector {
			s.Vectors[f.Alias] = f.Vector
		}
	}
	return s
}

// filterField returns the payload index behind an attribute; ok is false when it has none.
func (f IndexField) filterField() (def filter.FieldDef, ok bool) {
	switch {
	case f.NoIndex:
		return filter.FieldDef{}, false
	case f.Type == FieldTag:
		return filter.FieldDef{Name: f.Alias, Kind: filter.Keyword, FoldCase: !f.CaseSensitive}, true
	case f.Type == FieldNumeric:
		return filter.FieldDef{Name: f.Alias, Kind: filter.Float}, true
	}
	return filter.FieldDef{}, false
}

// row converts a document to a point. Fields that are absent or do not convert are left out;
// failures are counted in f, which must be the applier's own copy.
func (f *feedState) row(key []byte, d Document) pointRow {
	row := pointRow{id: NumID(d.Number), payload: key, hasPayload: true, values: map[string]filter.Values{}}
	for source, value := range HashFields(d.Body) {
		for _, i := range f.bySource[string(source)] {
			if reason := row.convert(&f.def.Fields[i], value); reason != "" {
				f.fail(i, key, reason)
			}
		}
	}
	slices.SortFunc(row.vectors, func(a, b namedVector) int { return bytes.Compare([]byte(a.name), []byte(b.name)) })
	return row
}

// convert adds one field's value; it returns why it could not, "" otherwise.
func (row *pointRow) convert(f *IndexField, value []byte) string {
	if f.NoIndex && f.Type != FieldVector {
		return ""
	}
	switch f.Type {
	case FieldNumeric:
		x, ok := ParseNumeric(value)
		if !ok {
			return fmt.Sprintf("Invalid numeric value: '%s'", abbreviate(value))
		}
		row.values[f.Alias] = filter.Values{Floats: []float64{x}}
	case FieldTag:
		tags, tooLong := f.Tags(value)
		if len(tags) > 0 {
			row.values[f.Alias] = filter.Values{Keywords: tags}
		}
		if tooLong > 0 {
			return fmt.Sprintf("Invalid tag value: %d bytes exceed the maximum of %d", tooLong, maxTagBytes)
		}
	case FieldVector:
		v, reason := parseBlob(value, f.Vector)
		if reason != "" {
			return reason
		}
		row.vectors = append(row.vectors, namedVector{f.Alias, v})
	}
	return ""
}

// ParseNumeric reads the value of a NUMERIC field as the index does: an ASCII integer, fixed or scientific number, or a signed inf.
func ParseNumeric(b []byte) (float64, bool) {
	if len(b) == 0 || len(b) > 128 {
		return 0, false
	}
	switch string(bytes.ToLower(b)) {
	case "inf", "+inf":
		return math.Inf(1), true
	case "-inf":
		return math.Inf(-1), true
	}
	for _, c := range b {
		if (c < '0' || c > '9') && c != '+' && c != '-' && c != '.' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	x, err := strconv.ParseFloat(string(b), 64)
	if err != nil && !math.IsInf(x, 0) {
		return 0, false
	}
	return x, true
}

// Tags splits the value of a TAG field into what is indexed of it: without white space around it, empty tags, repetitions, and
// tags of more than 4096 bytes, of which tooLong is the length of the last. Letter case is left to the payload index.
func (f *IndexField) Tags(value []byte) (tags []string, tooLong int) {
	separator := f.Separator
	if separator == 0 {
		separator = ','
	}
	for part := range bytes.SplitSeq(value, []byte{separator}) {
		part = bytes.TrimSpace(part)
		switch t := string(part); {
		case t == "" && !f.IndexEmpty:
		case len(t) > maxTagBytes:
			tooLong = len(t)
		case !slices.Contains(tags, t):
			tags = append(tags, t)
		}
	}
	return tags, tooLong
}

// parseBlob reads little-endian components of the vector's datatype and returns the stored form.
func parseBlob(b []byte, p VectorParams) ([]float32, string) {
	v, ok := p.FromBlob(b)
	if !ok {
		return nil, fmt.Sprintf("Could not add vector with blob size %d (expected size %d)", len(b), p.BlobSize())
	}
	if i := slices.IndexFunc(v, notFinite); i >= 0 {
		return nil, fmt.Sprintf("Could not add vector: component %d is not a finite number", i)
	}
	return p.stored(v), ""
}

// BlobSize returns the bytes of a vector in a document or in a query's parameter.
func (p VectorParams) BlobSize() int { return p.Datatype.Size() * p.Size }

// FromBlob returns the components of a blob, little-endian of the vector's datatype; false if its size is wrong.
func (p VectorParams) FromBlob(b []byte) ([]float32, bool) {
	if len(b) != p.BlobSize() {
		return nil, false
	}
	v := make([]float32, p.Size)
	p.Datatype.Decode(v, b)
	return v, true
}

func abbreviate(b []byte) []byte {
	if len(b) > 64 {
		return append(slices.Clone(b[:61]), "..."...)
	}
	return b
}

// fieldNames returns the payload indexes of an FT index, by alias.
func (d IndexDef) fieldNames() map[string]fieldDef {
	fields := map[string]fieldDef{}
	for _, f := range d.Fields {
		if def, ok := f.filterField(); ok {
			fields[f.Alias] = fieldDef{def: def, ready: true}
		}
	}
	return fields
}
