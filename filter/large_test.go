package filter

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/vfs"
)

// rows is a naive index: the values of each slot.
type rows map[uint32]Values

func (rs rows) where(holds func(Values) bool) *roaring.Bitmap {
	bm := roaring.New()
	for slot, vs := range rs {
		if holds(vs) {
			bm.Add(slot)
		}
	}
	return bm
}

func anyOf[T any](list []T, holds func(T) bool) bool {
	for _, v := range list {
		if holds(v) {
			return true
		}
	}
	return false
}

func requireSet(t testing.TB, s *State, e Expr, want *roaring.Bitmap) {
	t.Helper()
	res, err := s.Resolve(e, nil)
	require.NoError(t, err)
	require.Nil(t, res.Residual)
	set := res.Set
	if set == nil {
		set = s.All()
	}
	require.True(t, set.Equals(want), "%#v: %d slots instead of %d", e, set.GetCardinality(), want.GetCardinality())
}

func checkRows(t testing.TB, r *rand.Rand, s *State, rs rows) {
	t.Helper()
	for range 10 {
		lo, hi := r.Float64()*5000-100, r.Float64()*6000-100
		requireSet(t, s, Range{Field: "n", Gte: &lo, Lt: &hi}, rs.where(func(vs Values) bool {
			return anyOf(vs.Ints, func(i int64) bool { return float64(i) >= lo && float64(i) < hi }) ||
				anyOf(vs.Floats, func(f float64) bool { return f >= lo && f < hi })
		}))
		a, b := r.Int64N(5000), r.Int64N(5000)
		requireSet(t, s, MatchExcept{Field: "n", Values: []Value{IntValue(a), IntValue(b), IntValue(7)}},
			rs.where(func(vs Values) bool {
				return len(vs.Floats) > 0 || anyOf(vs.Ints, func(i int64) bool { return i != a && i != b && i != 7 })
			}))
		p := fmt.Sprintf("key-%d", r.IntN(200))
		requireSet(t, s, Prefix{Field: "k", Prefix: p}, rs.where(func(vs Values) bool {
			return anyOf(vs.Keywords, func(k string) bool { return strings.HasPrefix(k, p) })
		}))
		requireSet(t, s, Not{Expr: Match{Field: "k", Value: StringValue("big")}}, rs.where(func(vs Values) bool {
			return !anyOf(vs.Keywords, func(k string) bool { return k == "big" })
		}))
	}
	requireValues(t, s, rs)
	requireSet(t, s, Range{Field: "n"}, rs.where(func(vs Values) bool { return len(vs.Ints)+len(vs.Floats) > 0 }))
	requireSet(t, s, IsEmpty{Field: "n"}, rs.where(func(vs Values) bool { return len(vs.Ints)+len(vs.Floats) == 0 }))
}

// requireValues compares EachValue of both fields with the rows.
func requireValues(t testing.TB, s *State, rs rows) {
	t.Helper()
	want := map[string]map[Value]int{"n": {}, "k": {}}
	for _, vs := range rs {
		seen := map[Value]bool{}
		for _, i := range vs.Ints {
			seen[IntValue(i)] = true
		}
		for _, f := range vs.Floats {
			seen[Value{kind: FloatKind, num: math.Float64bits(f)}] = true
		}
		for v := range seen {
			want["n"][v]++
		}
		for _, k := range vs.Keywords {
			want["k"][StringValue(k)]++
		}
	}
	for field := range want {
		got, last := map[Value]int{}, math.Inf(-1)
		require.NoError(t, s.EachValue(field, func(v Value, slots Slots) bool {
			got[v] = slots.Len()
			list := slots.AppendTo(nil)
			require.Len(t, list, slots.Len())
			if v.Kind() == IntKind {
				require.Greater(t, v.Float(), last)
				last = v.Float()
			}
			return true
		}))
		require.Equal(t, want[field], got)
		n := 0
		require.NoError(t, s.EachValue(field, func(Value, Slots) bool { n++; return n < 3 }))
		require.Equal(t, 3, n)
	}
	require.ErrorIs(t, s.EachValue("unknown", nil), ErrNoField)
}

func randomValues(r *rand.Rand) Values {
	vs := Values{Keywords: []string{fmt.Sprintf("key-%d", r.IntN(20000))}}
	if r.IntN(3) == 0 {
		vs.Keywords = append(vs.Keywords, "big")
	}
	switch r.IntN(8) {
	case 0:
	case 1:
		vs.Floats = []float64{r.Float64() * 5000}
	case 2:
		vs.Ints = []int64{r.Int64N(5000), r.Int64N(5000), 7}
	default:
		vs.Ints = []int64{r.Int64N(5000)}
	}
	return vs
}

func TestManyValues(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	dir := t.TempDir()
	file := 0
	next := func() string { file++; return fmt.Sprintf("%04d", file) }
	s, rs := NewState(), rows{}
	e := s.Edit()
	e.AddField(FieldDef{Name: "n", Kind: Integer})
	e.AddField(FieldDef{Name: "k", Kind: Keyword})
	s = e.Commit()
	var saved Saved
	for round := range 6 {
		n, span := 20000, uint32(100000)
		if round > 0 {
			n = 3000 >> round
		}
		for n > 0 {
			e := s.Edit()
			for range min(n, 1000) {
				slot := r.Uint32N(span)
				if r.IntN(10) == 0 {
					e.Remove(slot)
					delete(rs, slot)
					continue
				}
				vs := randomValues(r)
				e.Add(slot)
				e.Put("n", slot, vs)
				e.Put("k", slot, vs)
				rs[slot] = vs
			}
			s = e.Commit()
			n -= 1000
		}
		checkRows(t, r, s, rs)
		sv := s.BeginSave()
		var err error
		saved, err = sv.Run(vfs.OS, dir, next)
		require.NoError(t, err)
		s = s.FinishSave(sv)
		require.Zero(t, s.Memory())
		checkRows(t, r, s, rs)
	}
	require.Greater(t, len(s.tables), 1, "small saves do not rewrite large files")
	require.NoError(t, Verify(vfs.OS, dir, saved))
	s, err := Load(vfs.OS, dir, saved)
	require.NoError(t, err)
	checkRows(t, r, s, rs)
	require.Greater(t, len(s.tables[0].(*frozenTable).levels), 2)
	for c := s.tables[0].cursor(""); c.next(); {
		require.NotEqual(t, secChanged, c.key()[sectionLen-1], "nothing lies below the oldest table")
	}
}

func TestIntegerBoundsAreExact(t *testing.T) {
	s, rs := NewState(), rows{}
	e := s.Edit()
	e.AddField(FieldDef{Name: "n", Kind: Integer})
	edges := []int64{math.MinInt64, math.MinInt64 + 1, -1 << 53, -1, 0, 1, 1 << 53, 1<<53 + 1, 1<<53 + 2, math.MaxInt64 - 1, math.MaxInt64}
	for i, v := range edges {
		rs[uint32(i)] = Values{Ints: []int64{v}}
		e.Add(uint32(i))
		e.Put("n", uint32(i), rs[uint32(i)])
	}
	s = e.Commit()
	bounds := []float64{math.Inf(-1), -1 << 63, -1 << 53, -0.5, 0, 0.5, 1 << 53, 1<<53 + 2, 1 << 63, 1e300, math.Inf(1), math.NaN()}
	for i := range bounds {
		b := &bounds[i]
		for _, e := range []Range{{Lt: b}, {Lte: b}, {Gt: b}, {Gte: b}, {Gt: b, Gte: b, Lt: b}, {Gte: b, Lte: b}} {
			e.Field = "n"
			requireSet(t, s, e, rs.where(func(vs Values) bool {
				return within(float64(vs.Ints[0]), e.Lt, e.Lte, e.Gt, e.Gte)
			}))
		}
	}
	for slot, vs := range rs {
		requireSet(t, s, Match{Field: "n", Value: IntValue(vs.Ints[0])}, roaring.BitmapOf(slot))
	}
}
