package hnsw

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRecall(t *testing.T) {
	for _, c := range []struct {
		n, dim, centres, ef int
		spread              float32
		recall, distances   float64 // floor, ceiling
	}{
		{10000, 8, 50, 40, 0.3, 0.99, 2000},
		{10000, 32, 100, 60, 0.5, 0.95, 2000},
		{6000, 64, 400, 80, 1, 0.90, 2000},
		{6000, 100, 20, 100, 0.2, 0.90, 2000},
		{300, 3, 1, 50, 1, 0.999, 2000},
	} {
		t.Run(fmt.Sprintf("n %d dim %d centres %d", c.n, c.dim, c.centres), func(t *testing.T) {
			base, queries := clustered(7, c.n+100, c.dim, c.centres, c.spread).split(100)
			g := build(t, base, Params{EfConstruction: 100, Seed: 3}, 2)
			require.Equal(t, c.n, g.Len())
			f := measure(t, g, base, queries, 10, SearchOptions{Ef: c.ef}, nil)
			t.Logf("%+v", f)
			require.GreaterOrEqual(t, f.recall, c.recall)
			require.LessOrEqual(t, f.distances, c.distances)
		})
	}
}
