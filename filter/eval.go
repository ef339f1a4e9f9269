package filter

import (
	"math"
	"slices"
	"strings"

	"github.com/isobath/isobath/payload"
)

// Point is what a condition is evaluated on.
type Point interface {
	ID() payload.PointID
	Payload() []byte // one JSON object; empty means {}
	HasVector(name string) bool
}

// Eval evaluates e on one point: the definition of every operator. It fails only for expressions
// that Check refuses.
func Eval(e Expr, p Point) (bool, error) {
	pr, err := Compile(e)
	if err != nil {
		return false, err
	}
	return pr.Eval(p), nil
}

// Predicate is an expression with its paths parsed. It is safe for concurrent use.
type Predicate struct{ test test }

// Compile prepares e for evaluation on many points.
func Compile(e Expr) (*Predicate, error) {
	t, err := compile(e, 1)
	if err != nil {
		return nil, err
	}
	return &Predicate{test: t}, nil
}

// Eval evaluates on one point.
func (p *Predicate) Eval(pt Point) bool {
	doc := pt.Payload()
	if len(doc) == 0 {
		doc = emptyDoc
	}
	return p.test(scope{doc: doc, point: pt})
}

var emptyDoc = []byte("{}")

// scope is what a test sees: a point, or inside Nested an element without one.
type scope struct {
	doc   []byte
	point Point
}

type test func(s scope) bool

func compile(e Expr, depth int) (test, error) {
	if depth > MaxDepth {
		return nil, exprErrorf("more than %d levels of conditions", MaxDepth)
	}
	switch e := e.(type) {
	case nil:
		return nil, exprErrorf("missing condition")
	case All:
		return func(scope) bool { return true }, nil
	case And:
		return compileCount(e.Exprs, len(e.Exprs), depth)
	case Or:
		return compileCount(e.Exprs, 1, depth)
	case MinShould:
		return compileCount(e.Exprs, e.Count, depth)
	case Not:
		t, err := compile(e.Expr, depth+1)
		if err != nil {
			return nil, err
		}
		return func(s scope) bool { return !t(s) }, nil
	case Nested:
		return compileNested(e, depth)
	case HasID:
		return compileHasID(e), nil
	case HasVector:
		return func(s scope) bool { return s.point != nil && s.point.HasVector(e.Name) }, nil
	case Slice:
		return func(s scope) bool { return s.point != nil && inSlice(s.point.ID(), e) }, nil
	}
	path, err := payload.ParsePath(fieldOf(e))
	if err != nil {
		return nil, &ExprError{Reason: err.Error()}
	}
	switch e := e.(type) {
	case ValuesCount:
		return compileCounts(path, e), nil
	case IsEmpty:
		return func(s scope) bool { return isEmpty(s.doc, path) }, nil
	case IsNull:
		return func(s scope) bool { return isNull(s.doc, path) }, nil
	}
	return anyValue(path, valueTest(e)), nil
}

// compileCount makes the test that at least count of es hold.
func compileCount(es []Expr, count, depth int) (test, error) {
	tests := make([]test, len(es))
	for i, e := range es {
		t, err := compile(e, depth+1)
		if err != nil {
			return nil, err
		}
		tests[i] = t
	}
	return func(s scope) bool {
		need := count
		for i, t := range tests {
			if need <= 0 || need > len(tests)-i {
				break
			}
			if t(s) {
				need--
			}
		}
		return need <= 0
	}, nil
}

func compileNested(e Nested, depth int) (test, error) {
	text := e.Path
	if !strings.HasSuffix(text, "[]") {
		text += "[]"
	}
	path, err := payload.ParsePath(text)
	if err != nil {
		return nil, &ExprError{Reason: err.Error()}
	}
	inner, err := compile(e.Expr, depth+1)
	if err != nil {
		return nil, err
	}
	return func(s scope) bool {
		found := false
		path.Each(s.doc, func(v payload.Value) bool {
			found = v.Kind == payload.Object && inner(scope{doc: v.Raw})
			return !found
		})
		return found
	}, nil
}

func compileHasID(e HasID) test {
	ids := make(map[payload.PointID]struct{}, len(e.IDs))
	for _, id := range e.IDs {
		ids[id] = struct{}{}
	}
	return func(s scope) bool {
		if s.point == nil {
			return false
		}
		_, ok := ids[s.point.ID()]
		return ok
	}
}

// anyValue makes the test that some value at path, or some element of an array there, holds.
func anyValue(path payload.Path, holds func(payload.Value) bool) test {
	return func(s scope) bool {
		found := false
		path.Each(s.doc, func(v payload.Value) bool {
			if v.Kind != payload.Array {
				found = holds(v)
				return !found
			}
			v.EachElem(func(e payload.Value) bool {
				found = holds(e)
				return !found
			})
			return !found
		})
		return found
	}
}

// valueTest returns the test of one value for conditions that look at values one by one.
func valueTest(e Expr) func(payload.Value) bool {
	switch e := e.(type) {
	case Match:
		return inList([]Value{e.Value})
	case MatchAny:
		return inList(e.Values)
	case MatchExcept:
		in := inList(e.Values)
		return func(v payload.Value) bool { return v.Kind != payload.Null && !in(v) }
	case uuidMatch:
		return e.test
	case MatchText:
		return stringTest(func(s string) bool { return strings.Contains(s, e.Text) })
	case MatchPhrase:
		return stringTest(func(s string) bool { return strings.Contains(s, e.Text) })
	case MatchTextAny:
		pieces := strings.Fields(e.Text)
		return stringTest(func(s string) bool {
			return slices.ContainsFunc(pieces, func(p string) bool { return strings.Contains(s, p) })
		})
	case Prefix:
		return stringTest(func(s string) bool { return strings.HasPrefix(s, e.Prefix) })
	case Range:
		return func(v payload.Value) bool {
			return (v.Kind == payload.Int || v.Kind == payload.Float) && within(v.Float64(), e.Lt, e.Lte, e.Gt, e.Gte)
		}
	case TimeRange:
		return stringTest(func(s string) bool {
			t, ok := ParseTime(s)
			return ok && within(t, e.Lt, e.Lte, e.Gt, e.Gte)
		})
	case GeoRadius:
		return geoTest(e.contains)
	case GeoBox:
		return geoTest(e.contains)
	case GeoPolygon:
		return geoTest(e.contains)
	}
	return func(payload.Value) bool { return false }
}

func stringTest(holds func(string) bool) func(payload.Value) bool {
	return func(v payload.Value) bool { return v.Kind == payload.String && holds(v.Str()) }
}

func inList(list []Value) func(payload.Value) bool {
	if len(list) == 1 {
		want := list[0]
		return func(v payload.Value) bool {
			got, ok := matchable(v)
			return ok && got == want
		}
	}
	set := make(map[Value]struct{}, len(list))
	for _, v := range list {
		set[v] = struct{}{}
	}
	return func(v payload.Value) bool {
		got, ok := matchable(v)
		if ok {
			_, ok = set[got]
		}
		return ok
	}
}

// matchable turns a JSON value into what a Match compares; only texts, integers and booleans are.
func matchable(v payload.Value) (Value, bool) {
	switch v.Kind {
	case payload.String:
		return StringValue(v.Str()), true
	case payload.Bool:
		return BoolValue(v.Bool()), true
	case payload.Int:
		if i, ok := v.Int64(); ok {
			return IntValue(i), true
		}
		if u, ok := v.Uint64(); ok {
			return UintValue(u), true
		}
	}
	return Value{}, false
}

type ordered interface{ int64 | float64 }

// within tells whether v keeps every bound that is given. NaN keeps none.
func within[T ordered](v T, lt, lte, gt, gte *T) bool {
	return (lt == nil || v < *lt) && (lte == nil || v <= *lte) &&
		(gt == nil || v > *gt) && (gte == nil || v >= *gte) && !math.IsNaN(float64(v))
}

func compileCounts(path payload.Path, e ValuesCount) test {
	return func(s scope) bool {
		found, absent := false, true
		path.Each(s.doc, func(v payload.Value) bool {
			absent = false
			found = within(valueCount(v), e.Lt, e.Lte, e.Gt, e.Gte)
			return !found
		})
		return found || absent && within(0, e.Lt, e.Lte, e.Gt, e.Gte)
	}
}

func valueCount(v payload.Value) int64 {
	switch v.Kind {
	case payload.Null:
		return 0
	case payload.Array:
		n := int64(0)
		v.EachElem(func(payload.Value) bool { n++; return true })
		return n
	}
	return 1
}

func isEmpty(doc []byte, path payload.Path) bool {
	empty := true
	path.Each(doc, func(v payload.Value) bool {
		empty = v.Kind == payload.Null || v.Kind == payload.Array && valueCount(v) == 0
		return empty
	})
	return empty
}

func isNull(doc []byte, path payload.Path) bool {
	null := false
	path.Each(doc, func(v payload.Value) bool {
		null = v.Kind == payload.Null
		if v.Kind == payload.Array {
			v.EachElem(func(e payload.Value) bool {
				null = e.Kind == payload.Null
				return !null
			})
		}
		return !null
	})
	return null
}
