package hnsw

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// some draws a bitset with the given share of n bits.
func some(seed uint64, n int, share float64) []uint64 {
	rng := rand.New(rand.NewPCG(seed, 3))
	b := make([]uint64, (n+63)/64)
	for i := range n {
		if rng.Float64() < share {
			b[i>>6] |= 1 << (i & 63)
		}
	}
	return b
}

func TestFilteredRecall(t *testing.T) {
	base, queries := clustered(11, 8060, 24, 150, 0.7).split(60)
	g := build(t, base, Params{EfConstruction: 80, Seed: 5}, 2)
	for _, share := range []float64{0.9, 0.5, 0.1, 0.01, 0.001} {
		bits := some(uint64(1000*share), base.len(), share)
		accept := func(o uint32) bool { return bits[o>>6]>>(o&63)&1 != 0 }
		for _, c := range []struct {
			name  string
			o     SearchOptions
			floor float64
		}{
			{"walk", SearchOptions{Ef: 80, Bits: bits, Want: 20}, 0.95},
			{"walk by func", SearchOptions{Ef: 80, Accept: accept, Want: 20}, 0.95},
			{"wide walk", SearchOptions{Ef: 80, Bits: bits}, 0.97},
		} {
			t.Run(fmt.Sprintf("%s %g", c.name, share), func(t *testing.T) {
				f := measure(t, g, base, queries, 10, c.o, accept)
				t.Logf("%+v", f)
				require.Zero(t, f.short)
				require.GreaterOrEqual(t, f.recall, c.floor)
			})
		}
	}
}

// A filter that matches one far cluster is the case that breaks walks over matching nodes.
func TestFilterOnOneFarCluster(t *testing.T) {
	base, queries := clustered(12, 8040, 16, 2, 0.3).split(40)
	bits := make([]uint64, (base.len()+63)/64)
	accept := func(o uint32) bool { return squared(base.row(o), base.row(0)) < squared(base.row(1), base.row(0)) }
	for i := range base.len() {
		if accept(uint32(i)) {
			bits[i>>6] |= 1 << (i & 63)
		}
	}
	g := build(t, base, Params{Seed: 5}, 2)
	f := measure(t, g, base, queries, 10, SearchOptions{Ef: 60, Bits: bits}, accept)
	t.Logf("%+v", f)
	require.Zero(t, f.short)
	require.GreaterOrEqual(t, f.recall, 0.95)
}

// A walk that has visited more than it is given wants less: at once, never, or when it has taken long.
func TestWhatSufficesAfterManyVisits(t *testing.T) {
	base, queries := clustered(11, 8060, 24, 150, 0.7).split(60)
	g := build(t, base, Params{EfConstruction: 80, Seed: 5}, 1)
	s := NewScratch()
	bits := some(7, base.len(), 0.1)
	relented := 0
	for i := range queries.len() {
		search := func(o SearchOptions) (found []Candidate, visited int) {
			o.Ef, o.Bits = 60, bits
			found = slices.Clone(g.Search(base.query(queries.row(uint32(i))), o, s))
			return found, s.Stats.Visited
		}
		few, least := search(SearchOptions{Want: 15})
		many, most := search(SearchOptions{Want: 40})
		require.Less(t, least, most)
		found, visited := search(SearchOptions{Want: 40, Suffice: 15, SufficeAfter: 1})
		require.Equal(t, few, found)
		require.Equal(t, least, visited)
		found, visited = search(SearchOptions{Want: 40, Suffice: 15, SufficeAfter: base.len() + 1})
		require.Equal(t, many, found)
		require.Equal(t, most, visited)
		_, visited = search(SearchOptions{Want: 40, Suffice: 15, SufficeAfter: (least + most) / 2})
		require.GreaterOrEqual(t, visited, least)
		require.Less(t, visited, most)
		if visited > least {
			relented++
		}
	}
	require.Greater(t, relented, queries.len()/2)
}

func TestMaxVisitsEndsAFilteredSearch(t *testing.T) {
	base := clustered(13, 5000, 8, 10, 0.5)
	g := build(t, base, Params{Seed: 5}, 2)
	none := make([]uint64, (base.len()+63)/64)
	none[70] = 1
	s := NewScratch()
	g.Search(base.query(base.row(9)), SearchOptions{Ef: 50, Bits: none, MaxVisits: 300}, s)
	require.True(t, s.Stats.Exhausted)
	require.Less(t, s.Stats.Visited, 600)
	got := g.Search(base.query(base.row(9)), SearchOptions{Ef: 50, Bits: none}, s)
	require.Len(t, got, 1, "without a bound the one match is found")
	require.Equal(t, uint32(70*64), got[0].Ord)
	require.False(t, s.Stats.Exhausted)
	require.Empty(t, g.Search(base.query(base.row(9)), SearchOptions{Ef: 50, Bits: []uint64{}}, s), "bits beyond the bitset are clear")
}

// Two far clusters, one matches: a walk in the other one sees soon that it would take long.
func TestAFilteredWalkGivesUpFarFromMatches(t *testing.T) {
	base, queries := clustered(12, 8040, 16, 2, 0.3).split(40)
	bits := make([]uint64, (base.len()+63)/64)
	for i := range base.len() {
		if squared(base.row(uint32(i)), base.row(0)) < 10 { // clusters are about 32 apart, 3 wide
			bits[i>>6] |= 1 << (i & 63)
		}
	}
	g := build(t, base, Params{Seed: 5}, 1)
	s := NewScratch()
	far := 0
	for i := range queries.len() {
		q := queries.row(uint32(i))
		o := SearchOptions{Ef: 60, Want: 30, Bits: bits}
		want := slices.Clone(g.Search(base.query(q), o, s))
		o.LeastShare = LeastShare(o.Ef, o.Want, 2000, 16, base.len())
		got := g.Search(base.query(q), o, s)
		if squared(q, base.row(0)) < 10 {
			require.False(t, s.Stats.Exhausted)
			require.Equal(t, want, got)
			continue
		}
		far++
		require.True(t, s.Stats.Exhausted)
		require.Less(t, s.Stats.Visited, 2*firstCheck)
	}
	require.Positive(t, far)
	require.Less(t, far, queries.len())
}

// A filter that does not depend on the query does not end a walk, unless it matches less than the walk is to bear.
func TestLeastShareLetsOtherFiltersPass(t *testing.T) {
	base, queries := clustered(11, 8060, 24, 150, 0.7).split(60)
	g := build(t, base, Params{EfConstruction: 80, Seed: 5}, 1)
	s := NewScratch()
	for _, share := range []float64{0.5, 0.2, 0.1} {
		o := SearchOptions{Ef: 60, Want: 30, Bits: some(uint64(1000*share), base.len(), share)}
		for i := range queries.len() {
			q := base.query(queries.row(uint32(i)))
			o.LeastShare = share / 2
			g.Search(q, o, s)
			require.False(t, s.Stats.Exhausted)
			o.LeastShare = min(4*share, 1)
			g.Search(q, o, s)
			require.True(t, s.Stats.Exhausted)
		}
	}
}

func TestLeastShareIsTheEstimateTheOtherWayRound(t *testing.T) {
	const n, ef, want = 1_000_000, 100, 50
	for _, share := range []float64{0.4, 0.1, 0.01} {
		d := EstimateWalk(ef, want, share, 16, n).Distances
		require.InEpsilon(t, share, LeastShare(ef, want, d, 16, n), 1e-6)
	}
	require.Zero(t, LeastShare(ef, want, n, 16, n), "a walk cannot take longer")
	require.InEpsilon(t, 0.5, LeastShare(ef, want, 100, 16, n), 1e-6, "a walk of Ef hops finds that many")
}
