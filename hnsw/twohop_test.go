package hnsw

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// fallback searches again without TwoHop where that gave up, as a caller must.
type fallback struct {
	Reader
	times *int
}

func (f fallback) Search(q Scorer, o SearchOptions, s *Scratch) []Candidate {
	got := f.Reader.Search(q, o, s)
	if s.Stats.Exhausted {
		*f.times++
		o.TwoHop = false
		got = f.Reader.Search(q, o, s)
	}
	return got
}

func TestTwoHopRecall(t *testing.T) {
	base, queries := clustered(11, 8060, 24, 150, 0.7).split(60)
	g := build(t, base, Params{EfConstruction: 80, Seed: 5}, 1)
	m, err := OpenMapped(encode(t, g, upTo(g.Len())))
	require.NoError(t, err)
	for _, c := range []struct{ share, floor float64 }{{0.9, 0.99}, {0.5, 0.98}, {0.3, 0.97}, {0.1, 0.95}, {0.05, 0.95}, {0.02, 0.95}} {
		bits := some(uint64(1000*c.share), base.len(), c.share)
		accept := func(o uint32) bool { return bits[o>>6]>>(o&63)&1 != 0 }
		for _, r := range []Reader{g, m} {
			t.Run(fmt.Sprintf("%T %g", r, c.share), func(t *testing.T) {
				times := 0
				f := measure(t, fallback{r, &times}, base, queries, 10, SearchOptions{Ef: 80, Bits: bits, TwoHop: true}, accept)
				t.Logf("%+v, %d fell back", f, times)
				require.Zero(t, f.short)
				require.GreaterOrEqual(t, f.recall, c.floor)
				if times > 0 {
					require.LessOrEqual(t, times, queries.len()/2)
					return
				}
				cost := EstimateTwoHop(80, c.share, 16, base.len())
				require.LessOrEqual(t, f.distances, 1.5*cost.Distances+twoHopSeeds)
			})
		}
	}
}

// Two far clusters, one matches, the query lies in the other.
func TestTwoHopGivesUpFarFromMatches(t *testing.T) {
	base := clustered(12, 8000, 16, 2, 0.3)
	bits := make([]uint64, (base.len()+63)/64)
	near := 0
	for i := range base.len() {
		if squared(base.row(uint32(i)), base.row(0)) < 10 { // clusters are about 32 apart, 3 wide
			bits[i>>6] |= 1 << (i & 63)
			near++
		}
	}
	require.Less(t, near, base.len())
	g := build(t, base, Params{Seed: 5}, 1)
	s, o := NewScratch(), SearchOptions{Ef: 60, Bits: bits, TwoHop: true}
	require.Len(t, g.Search(base.query(base.row(0)), o, s), 60)
	require.False(t, s.Stats.Exhausted)
	far := 0
	for bits[far>>6]>>(far&63)&1 != 0 {
		far++
	}
	require.Empty(t, g.Search(base.query(base.row(uint32(far))), o, s))
	require.True(t, s.Stats.Exhausted)
	require.NotEmpty(t, g.Search(base.query(base.row(0)), o, s), "the scratch is as before")
	o.MaxVisits = 100
	g.Search(base.query(base.row(0)), o, s)
	require.True(t, s.Stats.Exhausted)
	require.Less(t, s.Stats.Visited, 400)
}

func TestTwoHopAtTheEdges(t *testing.T) {
	base := clustered(13, 3000, 8, 10, 0.5)
	g := build(t, base, Params{Seed: 5}, 1)
	s, q := NewScratch(), base.query(base.row(9))
	require.Empty(t, g.Search(q, SearchOptions{Ef: 20, Bits: []uint64{}, TwoHop: true}, s))
	all := slices.Repeat([]uint64{^uint64(0)}, 60) // bits of no node are set, too
	want := slices.Clone(g.Search(q, SearchOptions{Ef: 20}, s))
	require.Equal(t, want, g.Search(q, SearchOptions{Ef: 20, Bits: all, TwoHop: true}, s))
	require.Equal(t, want, g.Search(q, SearchOptions{Ef: 20, Bits: all}, s))
	require.Equal(t, want, g.Search(q, SearchOptions{Ef: 20}, s), "nothing is left marked")
}

// The estimates steer the choice of a plan; they must stay near what is counted.
func TestEstimateWalk(t *testing.T) {
	base, queries := clustered(14, 20060, 24, 20000, 1).split(60)
	g := build(t, base, Params{EfConstruction: 80, Seed: 5}, 2)
	for _, c := range []struct {
		ef, want int
		share    float64
	}{{40, 0, 1}, {80, 0, 1}, {80, 30, 0.5}, {80, 30, 0.1}, {40, 20, 0.05}} {
		var bits []uint64
		o := SearchOptions{Ef: c.ef, Want: c.want}
		accept := func(uint32) bool { return true }
		if c.share < 1 {
			bits = some(1, base.len(), c.share)
			o.Bits = bits
			accept = func(v uint32) bool { return bits[v>>6]>>(v&63)&1 != 0 }
		}
		f := measure(t, g, base, queries, 10, o, accept)
		cost := EstimateWalk(c.ef, c.want, c.share, 16, base.len())
		t.Logf("%+v %+v", f, cost)
		require.InEpsilon(t, f.hops, cost.Rows, 0.15)
		require.InEpsilon(t, f.distances, cost.Distances, 0.3)
	}
}
