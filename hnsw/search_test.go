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
		{5000, 32, 100, 60, 0.5, 0.99, 500},
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
