package hnsw

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSearchesRunBesideInserts(t *testing.T) {
	n := 4000
	if raceEnabled {
		n = 1200
	}
	base := clustered(31, n, 16, 40, 0.6)
	g, err := New(base.len(), Params{M: 8, EfConstruction: 60, Seed: 1})
	require.NoError(t, err)
	defer g.Free()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		s, q := NewScratch(), base.query(base.row(7))
		bits := some(1, n, 0.2)
		for {
			select {
			case <-stop:
				return
			default:
			}
			g.Search(q, SearchOptions{Ef: 30}, s)
			g.Search(q, SearchOptions{Ef: 30, Bits: bits}, s)
			g.Search(q, SearchOptions{Ef: 30, Bits: bits, TwoHop: true}, s)
		}
	})
	insertFrom(t, g, base, 0, 4)
	close(stop)
	wg.Wait()
	require.Equal(t, n, g.Len())
	require.NoError(t, Check(g))
	require.Equal(t, n, Reachable(g))
	f := measure(t, g, base, &rows{16, base.data[:16*50]}, 10, SearchOptions{Ef: 60}, nil)
	require.GreaterOrEqual(t, f.recall, 0.98)
}

func TestNoAllocationsInSteadyState(t *testing.T) {
	if raceEnabled {
		t.Skip("the detector allocates")
	}
	base := clustered(32, 4000, 16, 40, 0.6)
	g := build(t, base, Params{Seed: 1}, 2)
	m, err := OpenMapped(encode(t, g, g.Order()))
	require.NoError(t, err)
	bits := some(1, base.len(), 0.1)
	accept := func(o uint32) bool { return o%7 == 0 }
	s, q := NewScratch(), base.query(base.row(7))
	for _, r := range []Reader{g, m} {
		for _, o := range []SearchOptions{{Ef: 100}, {Ef: 100, Descent: 8}, {Ef: 100, Bits: bits}, {Ef: 100, Accept: accept}, {Ef: 100, Bits: bits, TwoHop: true}} {
			require.Zero(t, testing.AllocsPerRun(20, func() { r.Search(q, o, s) }))
		}
	}
}

// equidistant is a space in which nothing is nearer than anything else: whoever is seen is linked to.
type equidistant struct{ self uint32 }

func (e *equidistant) Aim(ord uint32) { e.self = ord }

func (e *equidistant) Distances(ids []uint32, out []float32, _ float32) {
	for i, id := range ids {
		if out[i] = 1; id == e.self {
			out[i] = 0
		}
	}
}

// The largest graphs are built, with rows longer than those of any other, written and read.
func TestTheMostLinks(t *testing.T) {
	const n = 2*MaxM - 100
	g, err := New(n, Params{M: MaxM, EfConstruction: MaxM, Seed: 5})
	require.NoError(t, err)
	defer g.Free()
	s := NewScratch()
	for ord := range uint32(n) {
		require.NoError(t, g.Insert(ord, &equidistant{}, s))
	}
	require.NoError(t, Check(g))
	most := 0
	for ord := range uint32(n) {
		row := g.row(ord, 0)
		most = max(most, slices.Index(append(slices.Clone(row), 0), 0))
	}
	require.Greater(t, most, MaxM)
	m, err := OpenMapped(encode(t, g, g.Order()))
	require.NoError(t, err)
	require.NoError(t, m.Verify())
	for _, r := range []Reader{g, m} {
		require.Len(t, r.Search(&equidistant{self: NoOrd}, SearchOptions{Ef: n}, s), n, "everything is reached")
	}
}

func TestKeysOrderDistances(t *testing.T) {
	inf := float32(math.Inf(1))
	nan := inf - inf
	ds := []float32{-inf, -3e38, -1, -1e-40, 0, 1e-40, 0.5, 1, 3e38, inf}
	for i, d := range ds {
		require.Equal(t, d, keyDistance(key(d, 5)))
		require.Equal(t, uint32(5), keyOrd(key(d, 5)))
		if i > 0 {
			require.Less(t, key(ds[i-1], maxCapacity-1), key(d, 0))
		}
		require.Less(t, key(d, maxCapacity-1), key(nan, 0))
		require.Less(t, key(d, maxCapacity-1), key(-nan, 0))
	}
}

func TestParamsAreChecked(t *testing.T) {
	for _, p := range []Params{{M: 1}, {M: 1000}, {M: -4}, {EfConstruction: 1 << 30}} {
		_, err := New(10, p)
		require.Error(t, err, "%+v", p)
	}
	_, err := New(maxCapacity+1, Params{})
	require.Error(t, err)
	for _, m := range []int{2, 3, 5, 256} {
		base := clustered(33, 600, 8, 3, 1)
		g := build(t, base, Params{M: m, EfConstruction: 40}, 2)
		require.NoError(t, Check(g))
		require.Equal(t, 600, Reachable(g))
		mapped, err := OpenMapped(encode(t, g, g.Order()))
		require.NoError(t, err)
		require.NoError(t, mapped.Verify())
	}
}

// Several keys at once leave what one after the other leaves.
func TestInsertKeys(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for range 20_000 {
		limit := 1 + rng.IntN(40)
		n, m := rng.IntN(limit+1), 1+rng.IntN(mostMerged)
		drawn := rng.Perm(500)[:n+m]
		pool := make([]uint64, limit+1)
		for i, v := range drawn[:n] {
			pool[i] = uint64(v)<<1 | uint64(rng.IntN(2)) // expanded or not
		}
		slices.Sort(pool[:n])
		keys := make([]uint64, m)
		for i, v := range drawn[n:] {
			keys[i] = uint64(v) << 1
		}
		want, first, length := slices.Clone(pool), limit, n
		for _, k := range keys {
			if length == limit && k >= want[limit-1] {
				continue
			}
			var p int
			p, length = insertKey(want, length, limit, k)
			first = min(first, p)
		}
		p, got := insertKeys(pool, n, limit, keys)
		require.Equal(t, length, got)
		require.Equal(t, want[:length], pool[:got])
		require.LessOrEqual(t, p, first)
	}
}
