package filter

import (
	"cmp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

type orderedGroup struct {
	value Value
	slots []uint32
}

// compareValues orders numbers of one kind.
func compareValues(a, b Value) int {
	if a.Kind() == IntKind && b.Kind() == IntKind {
		return cmp.Compare(a.Int(), b.Int())
	}
	return cmp.Compare(a.Float(), b.Float())
}

// wantOrdered is Ordered by looking at every payload.
func wantOrdered(def FieldDef, o Order, ps modelPoints) []orderedGroup {
	bySlot := map[Value]map[uint32]bool{}
	for slot, p := range ps {
		vs := Extract(def, p.doc)
		var values []Value
		for _, i := range vs.Ints {
			values = append(values, IntValue(i))
		}
		if def.Kind == Float {
			for _, f := range vs.Floats {
				values = append(values, FloatValue(f))
			}
		}
		for _, v := range values {
			if def.Kind == Float {
				v = FloatValue(v.Float())
			}
			if o.Start != nil {
				if c := compareValues(v, *o.Start); o.Descending && c > 0 || !o.Descending && c < 0 {
					continue
				}
			}
			if bySlot[v] == nil {
				bySlot[v] = map[uint32]bool{}
			}
			bySlot[v][slot] = true
		}
	}
	var out []orderedGroup
	for v, set := range bySlot {
		var slots []uint32
		for slot := range set {
			slots = append(slots, slot)
		}
		slices.Sort(slots)
		out = append(out, orderedGroup{v, slots})
	}
	slices.SortFunc(out, func(a, b orderedGroup) int {
		if o.Descending {
			a, b = b, a
		}
		return compareValues(a.value, b.value)
	})
	return out
}

// requireOrdered checks an order over a field of s, if s has one that can be ordered.
func requireOrdered(t *rapid.T, s *State, ps modelPoints) {
	o := Order{Field: rapid.SampledFrom(fieldNames).Draw(t, "order"), Descending: rapid.Bool().Draw(t, "descending")}
	def, ok := s.Field(o.Field)
	numeric := ok && !def.Building && (def.Kind == Integer || def.Kind == Float || def.Kind == Datetime)
	if !numeric {
		require.ErrorIs(t, s.Ordered(o, nil), ErrNoField)
		return
	}
	switch rapid.IntRange(0, 2).Draw(t, "start") {
	case 0:
		v := IntValue(rapid.SampledFrom(ints).Draw(t, "int"))
		o.Start = &v
	case 1:
		v := FloatValue(rapid.SampledFrom(floats).Draw(t, "float"))
		o.Start = &v
	}
	want := wantOrdered(def, o, ps)
	most := rapid.IntRange(1, 1000).Draw(t, "most")
	var got []orderedGroup
	require.NoError(t, s.Ordered(o, func(v Value, slots []uint32) (bool, error) {
		got = append(got, orderedGroup{v, slices.Clone(slots)})
		return len(got) < most, nil
	}))
	require.Equal(t, want[:min(most, len(want))], got, "%+v", o)
}

func TestOrderedReadsChunks(t *testing.T) {
	s := NewState()
	e := s.Edit()
	e.AddField(FieldDef{Name: "n", Kind: Float})
	const n = 5 * chunkKeys
	for slot := range uint32(n) {
		e.Add(slot)
		e.Put("n", slot, Values{Floats: []float64{float64(slot) / 2}, NonEmpty: true})
	}
	s = e.Commit()
	for _, descending := range []bool{false, true} {
		next := 0
		require.NoError(t, s.Ordered(Order{Field: "n", Descending: descending}, func(v Value, slots []uint32) (bool, error) {
			want := next
			if descending {
				want = n - 1 - next
			}
			require.Equal(t, float64(want)/2, v.Float())
			require.Equal(t, []uint32{uint32(want)}, slots)
			next++
			return true, nil
		}))
		require.Equal(t, n, next)
	}
}
