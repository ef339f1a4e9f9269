package filter

import (
	"math"

	"github.com/isobath/isobath/payload"
)

// Expr is a condition on a point. The types of this file are the only ones.
type Expr interface{ isExpr() }

// All matches every point.
type All struct{}

// And matches when every part does; without parts, always.
type And struct{ Exprs []Expr }

// Or matches when some part does; without parts, never.
type Or struct{ Exprs []Expr }

// Not matches what Expr does not.
type Not struct{ Expr Expr }

// MinShould matches when at least Count of Exprs do.
type MinShould struct {
	Exprs []Expr
	Count int
}

// Match matches when some value of Field equals Value in type and value.
type Match struct {
	Field string
	Value Value
}

// MatchAny matches when some value of Field is in Values.
type MatchAny struct {
	Field  string
	Values []Value
}

// MatchExcept matches when some value of Field is not null and not in Values.
type MatchExcept struct {
	Field  string
	Values []Value
}

// MatchText matches a substring.
type MatchText struct{ Field, Text string }

// MatchTextAny matches when some whitespace-separated piece of Text is a substring.
type MatchTextAny struct{ Field, Text string }

// MatchPhrase matches a substring.
type MatchPhrase struct{ Field, Text string }

// Prefix matches strings that begin with Prefix, byte by byte.
type Prefix struct{ Field, Prefix string }

// Range matches numbers within all bounds that are given; integers compare as float64.
type Range struct {
	Field            string
	Lt, Lte, Gt, Gte *float64
}

// TimeRange matches date strings within all bounds that are given, in microseconds since 1970 UTC.
type TimeRange struct {
	Field            string
	Lt, Lte, Gt, Gte *int64
}

// GeoPoint is a position in degrees.
type GeoPoint struct{ Lon, Lat float64 }

// GeoRadius matches points nearer than Radius metres to Center.
type GeoRadius struct {
	Field  string
	Center GeoPoint
	Radius float64
}

// GeoBox matches points strictly inside; a left edge east of the right edge wraps at 180°.
type GeoBox struct {
	Field                string
	TopLeft, BottomRight GeoPoint
}

// GeoPolygon matches points inside Exterior and outside every ring of Interiors, boundaries excluded.
type GeoPolygon struct {
	Field     string
	Exterior  []GeoPoint
	Interiors [][]GeoPoint
}

// ValuesCount matches on the number of values of Field.
type ValuesCount struct {
	Field            string
	Lt, Lte, Gt, Gte *int64
}

// IsEmpty matches points without Field, or with null or an empty array in it.
type IsEmpty struct{ Field string }

// IsNull matches points with null, or an array that holds null, in Field.
type IsNull struct{ Field string }

// HasID matches the points of a list.
type HasID struct{ IDs []payload.PointID }

// HasVector matches points that have the named vector; "" is the unnamed one.
type HasVector struct{ Name string }

// Nested matches when one element (an object) of the array at Path satisfies Expr, whose paths are
// relative to the element.
type Nested struct {
	Path string
	Expr Expr
}

// Slice matches the points whose hashed id modulo Total is Index.
type Slice struct{ Total, Index uint64 }

func (All) isExpr()          {}
func (And) isExpr()          {}
func (Or) isExpr()           {}
func (Not) isExpr()          {}
func (MinShould) isExpr()    {}
func (Match) isExpr()        {}
func (MatchAny) isExpr()     {}
func (MatchExcept) isExpr()  {}
func (MatchText) isExpr()    {}
func (MatchTextAny) isExpr() {}
func (MatchPhrase) isExpr()  {}
func (Prefix) isExpr()       {}
func (Range) isExpr()        {}
func (TimeRange) isExpr()    {}
func (GeoRadius) isExpr()    {}
func (GeoBox) isExpr()       {}
func (GeoPolygon) isExpr()   {}
func (ValuesCount) isExpr()  {}
func (IsEmpty) isExpr()      {}
func (IsNull) isExpr()       {}
func (HasID) isExpr()        {}
func (HasVector) isExpr()    {}
func (Nested) isExpr()       {}
func (Slice) isExpr()        {}

// ValueKind is the type of a Value.
type ValueKind uint8

// The types a Match compares with.
const (
	StringKind ValueKind = iota
	IntKind
	UintKind // beyond int64 only
	BoolKind
	FloatKind // numbers of an index; matches nothing
)

// Value is what a Match compares with. Values are comparable with ==. The zero Value is "".
type Value struct {
	kind ValueKind
	str  string
	num  uint64
}

// StringValue returns a text.
func StringValue(s string) Value { return Value{kind: StringKind, str: s} }

// IntValue returns an integer.
func IntValue(i int64) Value { return Value{kind: IntKind, num: uint64(i)} }

// UintValue returns an integer, which may lie beyond int64.
func UintValue(u uint64) Value {
	if u <= math.MaxInt64 {
		return IntValue(int64(u))
	}
	return Value{kind: UintKind, num: u}
}

// FloatValue returns a number, which is not NaN.
func FloatValue(f float64) Value { return Value{kind: FloatKind, num: math.Float64bits(f + 0)} }

// BoolValue returns a truth value.
func BoolValue(b bool) Value {
	v := Value{kind: BoolKind}
	if b {
		v.num = 1
	}
	return v
}

// Float returns the number of a numeric Value, integers as the nearest float64.
func (v Value) Float() float64 {
	switch v.kind {
	case IntKind:
		return float64(v.Int())
	case UintKind:
		return float64(v.num)
	case FloatKind:
		return math.Float64frombits(v.num)
	}
	return 0
}

// Kind returns the type.
func (v Value) Kind() ValueKind { return v.kind }

// Str returns the text of a StringKind.
func (v Value) Str() string { return v.str }

// Int returns the number of an IntKind.
func (v Value) Int() int64 { return int64(v.num) }

// Uint returns the number of a UintKind.
func (v Value) Uint() uint64 { return v.num }

// Bool returns the value of a BoolKind.
func (v Value) Bool() bool { return v.num != 0 }
