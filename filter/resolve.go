package filter

import (
	"github.com/RoaringBitmap/roaring/v2"
	"github.com/google/uuid"

	"github.com/isobath/isobath/payload"
)

// Resolved is the answer of State.Resolve: a live slot matches when it is in Set and Residual holds.
type Resolved struct {
	Set      *roaring.Bitmap // nil = all live slots; else a subset of them that belongs to the caller
	Residual Expr            // nil = Set is exact
}

// Resolve answers an expression through the indexes. What they cannot answer exactly stays in
// Residual. slotOf finds the slots for HasID; nil leaves HasID in Residual.
// It fails with *binfmt.CorruptError or *mmap.FaultError on a damaged index, or as slotOf does.
func (s *State) Resolve(e Expr, slotOf func(payload.PointID) (uint32, bool, error)) (Resolved, error) {
	r := resolver{s: s, slotOf: slotOf}
	var out Resolved
	err := s.guard(func() error {
		a, err := r.resolve(e, 1)
		if err != nil {
			return err
		}
		if a.set != nil {
			// A deep copy: nothing of the result lies in a mapping or in another set.
			out.Set = roaring.And(a.set, s.all.read).Clone()
		}
		if a.residual != nil {
			out.Residual = r.lower(a.residual)
		}
		return nil
	})
	if err != nil {
		return Resolved{}, err
	}
	return out, nil
}

// answer says: a live slot matches when it is in set (nil = all) and residual (nil = true) holds.
// Sets are not modified once they are in an answer.
type answer struct {
	set      *roaring.Bitmap
	residual Expr
}

func (a answer) exact() bool { return a.residual == nil }

type resolver struct {
	s      *State
	slotOf func(payload.PointID) (uint32, bool, error)
}

func (r *resolver) resolve(e Expr, depth int) (answer, error) {
	if depth > MaxDepth {
		return answer{}, exprErrorf("more than %d levels of conditions", MaxDepth)
	}
	switch e := e.(type) {
	case nil:
		return answer{}, exprErrorf("missing condition")
	case All:
		return answer{}, nil
	case And:
		return r.and(e, depth)
	case Or:
		return r.atLeast(e, e.Exprs, 1, depth)
	case MinShould:
		return r.atLeast(e, e.Exprs, e.Count, depth)
	case Not:
		a, err := r.resolve(e.Expr, depth+1)
		if err != nil || !a.exact() {
			return answer{residual: e}, err
		}
		return answer{set: r.complement(a.set)}, nil
	case HasID:
		return r.hasID(e)
	case HasVector:
		return answer{set: r.s.Has(e.Name)}, nil
	case Nested:
		a, err := r.resolve(lift(e.Expr, nestedPrefix(e.Path)), depth+1)
		return answer{set: a.set, residual: e}, err
	case Slice:
		return answer{residual: e}, nil
	}
	return r.field(e)
}

// complement returns the live slots outside set.
func (r *resolver) complement(set *roaring.Bitmap) *roaring.Bitmap {
	if set == nil {
		return roaring.New()
	}
	return roaring.AndNot(r.s.all.read, set)
}

func (r *resolver) and(e And, depth int) (answer, error) {
	var out answer
	var residual []Expr
	for _, part := range e.Exprs {
		a, err := r.resolve(part, depth+1)
		if err != nil {
			return answer{}, err
		}
		switch {
		case a.set == nil:
		case out.set == nil:
			out.set = a.set
		default:
			out.set = roaring.And(out.set, a.set)
		}
		if !a.exact() {
			residual = append(residual, a.residual)
		}
		if out.set != nil && out.set.IsEmpty() {
			return answer{set: out.set}, nil
		}
	}
	switch len(residual) {
	case 0:
	case 1:
		out.residual = residual[0]
	default:
		out.residual = And{Exprs: residual}
	}
	return out, nil
}

// maxThresholdOps bounds the set operations for one MinShould; beyond, it is left to evaluation.
const maxThresholdOps = 1 << 14

// atLeast resolves the condition that count parts of whole hold. From the supersets of the parts it
// makes a superset; it is exact if they all are.
func (r *resolver) atLeast(whole Expr, parts []Expr, count, depth int) (answer, error) {
	if count <= 0 {
		return answer{}, nil
	}
	if count > len(parts) {
		return answer{set: roaring.New()}, nil
	}
	if len(parts)*count > maxThresholdOps && count > 1 {
		return answer{residual: whole}, nil
	}
	exact := true
	reached := make([]*roaring.Bitmap, count) // slots in at least i+1 sets so far
	for i := range reached {
		reached[i] = roaring.New()
	}
	for _, part := range parts {
		a, err := r.resolve(part, depth+1)
		if err != nil {
			return answer{}, err
		}
		exact = exact && a.exact()
		set := a.set
		if set == nil {
			set = r.s.all.read
			if a.exact() && count == 1 {
				return answer{}, nil
			}
		}
		for i := count - 1; i > 0; i-- {
			reached[i].Or(roaring.And(reached[i-1], set))
		}
		reached[0].Or(set)
	}
	out := answer{set: reached[count-1]}
	if !exact {
		out.residual = whole
	}
	return out, nil
}

func (r *resolver) hasID(e HasID) (answer, error) {
	if r.slotOf == nil {
		return answer{residual: e}, nil
	}
	set := roaring.New()
	for _, id := range e.IDs {
		slot, ok, err := r.slotOf(id)
		if err != nil {
			return answer{}, err
		}
		if ok {
			set.Add(slot)
		}
	}
	return answer{set: roaring.And(set, r.s.all.read)}, nil
}

// lower prepares a residual for evaluation on payloads: matches through UUID indexes stay matches
// of ids.
func (r *resolver) lower(e Expr) Expr {
	switch e := e.(type) {
	case And:
		return And{Exprs: r.lowerAll(e.Exprs)}
	case Or:
		return Or{Exprs: r.lowerAll(e.Exprs)}
	case MinShould:
		return MinShould{Exprs: r.lowerAll(e.Exprs), Count: e.Count}
	case Not:
		return Not{Expr: r.lower(e.Expr)}
	case Match:
		return r.lowerMatch(e, e.Field, []Value{e.Value}, false)
	case MatchAny:
		return r.lowerMatch(e, e.Field, e.Values, false)
	case MatchExcept:
		return r.lowerMatch(e, e.Field, e.Values, true)
	}
	return e
}

func (r *resolver) lowerAll(es []Expr) []Expr {
	out := make([]Expr, len(es))
	for i, e := range es {
		out[i] = r.lower(e)
	}
	return out
}

func (r *resolver) lowerMatch(e Expr, name string, values []Value, except bool) Expr {
	f, ok := r.s.fields[name]
	if !ok || f.def.Kind != UUID || f.def.Building {
		return e
	}
	m := uuidMatch{field: name, ids: map[uuid.UUID]struct{}{}, except: except}
	var rest []Value
	for _, v := range values {
		if u, ok := parseUUID(v.str); ok && v.kind == StringKind {
			m.ids[u] = struct{}{}
		} else {
			rest = append(rest, v)
		}
	}
	switch {
	case len(rest) == 0:
		return m
	case except:
		m.others = inList(rest)
		return m
	}
	return Or{Exprs: []Expr{m, MatchAny{Field: name, Values: rest}}}
}
