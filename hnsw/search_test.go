package hnsw

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRecall(t *testing.T) {
	for _, c := range []struct {
		n, dim, centres, ef int
		spread              float32
		recall, distances   float64 // floor, ceiling
	}{
		{5000, 8, 50, 40, 0.3, 0.99, 300},
		{5000, 32, 100, 56, 0.5, 0.99, 500},
		{5000, 64, 400, 80, 1, 0.98, 1700},
		{5000, 24, 5000, 40, 1, 0.93, 1200},
		{5000, 100, 20, 100, 0.2, 0.99, 500},
		{300, 3, 1, 50, 1, 0.999, 200},
	} {
		t.Run(fmt.Sprintf("n %d dim %d centres %d", c.n, c.dim, c.centres), func(t *testing.T) {
			base, queries := clustered(7, c.n+100, c.dim, c.centres, c.spread).split(100)
			g := build(t, base, Params{EfConstruction: 100, Seed: 3}, 1)
			require.Equal(t, c.n, g.Len())
			f := measure(t, g, base, queries, 10, SearchOptions{Ef: c.ef}, nil)
			t.Logf("%+v", f)
			require.GreaterOrEqual(t, f.recall, c.recall)
			require.LessOrEqual(t, f.distances, c.distances)
		})
	}
}

// Counters at a fixed seed: a change that makes walks longer shows here.
func TestWorkOfASearch(t *testing.T) {
	base, queries := clustered(14, 20060, 24, 20000, 1).split(60)
	g := build(t, base, Params{EfConstruction: 80, Seed: 5}, 1)
	for _, c := range []struct {
		o                       SearchOptions
		recall, distances, hops float64
	}{
		{SearchOptions{Ef: 40}, 0.95, 1016, 43.3},
		{SearchOptions{Ef: 80}, 0.993, 1680, 81.5},
		{SearchOptions{Ef: 80, Want: 30, Bits: some(1, base.len(), 0.5)}, 0.987, 1680, 81.5},
		{SearchOptions{Ef: 80, Want: 30, Bits: some(1, base.len(), 0.1)}, 0.998, 4315, 296.4},
		{SearchOptions{Ef: 80, TwoHop: true, Bits: some(1, base.len(), 0.1)}, 1, 1502, 81.3},
	} {
		var accept func(uint32) bool
		if c.o.Bits != nil {
			accept = func(v uint32) bool { return c.o.Bits[v>>6]>>(v&63)&1 != 0 }
		}
		f := measure(t, g, base, queries, 10, c.o, accept)
		t.Logf("%+v", f)
		require.GreaterOrEqual(t, f.recall, c.recall-0.01)
		require.InEpsilon(t, c.distances, f.distances, 0.04)
		require.InEpsilon(t, c.hops, f.hops, 0.04)
	}
}

// broken panics at its n-th call, as a faulting map does.
type broken struct {
	Scorer
	n int
}

func (b *broken) Distances(ids []uint32, out []float32, bound float32) {
	if b.n--; b.n == 0 {
		panic("fault")
	}
	b.Scorer.Distances(ids, out, bound)
}

func TestScratchSurvivesAPanic(t *testing.T) {
	base := clustered(8, 2000, 8, 20, 0.5)
	g := build(t, base, Params{}, 2)
	s, q := NewScratch(), base.query(base.row(3))
	for _, o := range []SearchOptions{{Ef: 30}, {Ef: 30, Bits: some(1, 2000, 0.3)}} {
		want := slices.Clone(g.Search(q, o, s))
		for n := 1; n < 30; n++ {
			require.Panics(t, func() { g.Search(&broken{q, n}, o, s) })
			require.Equal(t, want, g.Search(q, o, s))
		}
	}
}

// sifted is a Scorer that leaves nodes out by their exact distances, and refuses to score what it left out.
type sifted struct {
	Scorer
	t       *testing.T
	last    []uint32 // kept by the last Sift
	calls   int
	dropped int
	asked   [][]uint32 // of every Sift
	out     []float32
}

func (s *sifted) Sift(ids, kept []uint32, bound float32) (n int) {
	s.calls++
	s.asked = append(s.asked, slices.Clone(ids))
	require.Less(s.t, bound, anyDistance)
	require.NotEmpty(s.t, ids)
	s.out = slices.Grow(s.out[:0], len(ids))[:len(ids)]
	s.Scorer.Distances(ids, s.out, bound)
	for i, id := range ids {
		kept[n] = id
		if s.out[i] < bound {
			n++
		}
	}
	if s.last = nil; n > 0 { // nothing is asked of none
		s.last = slices.Clone(kept[:n])
	}
	s.dropped += len(ids) - n
	return n
}

func (s *sifted) Distances(ids []uint32, out []float32, bound float32) {
	if s.last != nil {
		require.Equal(s.t, s.last, ids)
		require.Equal(s.t, anyDistance, bound)
		s.last = nil
	}
	s.Scorer.Distances(ids, out, bound)
}

// Walks that sift find the same by the same way.
func TestSiftedWalks(t *testing.T) {
	base, queries := clustered(9, 5020, 16, 100, 0.5).split(20)
	g := build(t, base, Params{EfConstruction: 60, Seed: 5}, 1)
	s := NewScratch()
	for _, o := range []SearchOptions{{Ef: 30}, {Ef: 30, Pause: 10}, {Ef: 30, Want: 20, Bits: some(1, base.len(), 0.3)}, {Ef: 30, Want: 20, Bits: some(1, base.len(), 0.3), MaxVisits: 300}} {
		calls, upper := 0, 0
		for i := range queries.len() {
			q := base.query(queries.row(uint32(i)))
			want := slices.Clone(g.Search(q, o, s))
			stats := s.Stats
			sq := &sifted{Scorer: q, t: t}
			require.Equal(t, want, g.Search(sq, o, s))
			stats.Sifted = sq.dropped
			require.Equal(t, stats, s.Stats)
			if left, ok := s.Left(); ok {
				want = slices.Clone(g.Resume(sq, o, left, s))
				g.Search(q, o, s)
				require.Equal(t, want, g.Resume(q, o, left, s))
			}
			calls += sq.calls
			for _, ids := range sq.asked {
				if !slices.ContainsFunc(ids, func(id uint32) bool { return g.level(id) == 0 }) {
					upper++
				}
			}
		}
		require.Greater(t, calls, queries.len())
		require.GreaterOrEqual(t, upper, queries.len(), "upper levels")
	}
}
