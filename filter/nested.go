package filter

import "strings"

// nestedPrefix is what turns a path inside the elements of an array into one from the top.
func nestedPrefix(path string) string {
	if !strings.HasSuffix(path, "[]") {
		path += "[]"
	}
	return path + "."
}

// lift returns a condition on the whole point that holds whenever e does for some one element. The
// conditions kept are those that look for one value; under a negation, or about absence, nothing
// follows for the point.
func lift(e Expr, prefix string) Expr {
	switch e := e.(type) {
	case And:
		return And{Exprs: liftAll(e.Exprs, prefix)}
	case Or:
		return Or{Exprs: liftAll(e.Exprs, prefix)}
	case MinShould:
		return MinShould{Exprs: liftAll(e.Exprs, prefix), Count: e.Count}
	case Nested:
		return lift(e.Expr, nestedPrefix(prefix+e.Path))
	case Match:
		e.Field = prefix + e.Field
		return e
	case MatchAny:
		e.Field = prefix + e.Field
		return e
	case MatchExcept:
		e.Field = prefix + e.Field
		return e
	case Prefix:
		e.Field = prefix + e.Field
		return e
	case Range:
		e.Field = prefix + e.Field
		return e
	case TimeRange:
		e.Field = prefix + e.Field
		return e
	case IsNull:
		e.Field = prefix + e.Field
		return e
	case HasID, HasVector:
		return Or{} // never, within an element
	}
	return All{}
}

func liftAll(es []Expr, prefix string) []Expr {
	out := make([]Expr, len(es))
	for i, e := range es {
		out[i] = lift(e, prefix)
	}
	return out
}
