package querylang

import (
	"cmp"
	"fmt"

	"github.com/isobath/isobath/filter"
)

// FieldType is the declared type of a field.
type FieldType uint8

// The types a field can be declared with.
const (
	Tag FieldType = iota + 1
	Numeric
	Text
	Vector
)

// Field is what the parser has to know of a declared field.
type Field struct {
	Name          string // alias, and the name of the field in the filter.Expr
	Source        string // hash field or JSON path
	Type          FieldType
	CaseSensitive bool // Tag: compare bytes as they are
	IndexMissing  bool // ismissing(@f) is allowed
	IndexEmpty    bool // Tag: the empty tag can be asked for
	VectorBytes   int  // Vector: size of a query blob, 0 = not checked
}

// Schema finds declared fields.
type Schema interface {
	// Field looks for an alias first, then for a source identifier that no alias hides.
	Field(name []byte) (Field, bool)
}

// Params are the values of PARAMS.
type Params map[string][]byte

// KNN is the vector clause of a query.
type KNN struct {
	K         int
	Field     string // alias
	Vector    []byte // raw blob in the element type of the field; the caller's bytes, not a copy
	EfRuntime int    // 0 = default of the field
	As        string // name of the distance; "__<alias>_score" unless given
	Named     bool   // As was given in the query
	AdHoc     bool   // HYBRID_POLICY ADHOC_BF: scan the filtered set
	BatchSize int    // 0 = not given
	Epsilon   float64
}

// Query is a parsed query.
type Query struct {
	Filter filter.Expr // filter.All for "*"
	KNN    *KNN        // nil without a vector clause
}

// Options are limits; zero means the default.
type Options struct {
	MaxBytes  int // length of the text; 256 KiB
	MaxK      int // 10 000
	MaxEf     int // EF_RUNTIME; 4096
	MinPrefix int // bytes before the star of a tag prefix; 1
}

const (
	maxDepth = 1000
	maxNodes = 10_000
)

func (o Options) withDefaults() Options {
	o.MaxBytes = cmp.Or(o.MaxBytes, 256<<10)
	o.MaxK = cmp.Or(o.MaxK, 10_000)
	o.MaxEf = cmp.Or(o.MaxEf, 4096)
	o.MinPrefix = cmp.Or(o.MinPrefix, 1)
	return o
}

// Error says why a text is no query. Msg is complete, offset included where clients expect it.
type Error struct {
	Offset int
	Msg    string
}

func (e *Error) Error() string { return e.Msg }

// Parse reads one query.
func Parse(text []byte, s Schema, p Params, o Options) (q Query, err error) {
	o = o.withDefaults()
	if len(text) > o.MaxBytes {
		return Query{}, tooComplex(0)
	}
	ps := &parser{text: text, schema: s, params: p, opt: o}
	q, err = ps.query()
	if err != nil {
		return Query{}, err
	}
	return q, nil
}

func tooComplex(off int) error { return &Error{Offset: off, Msg: "Query string is too complex"} }

func errorf(off int, format string, args ...any) error {
	return &Error{Offset: off, Msg: fmt.Sprintf(format, args...)}
}
