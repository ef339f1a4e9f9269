package hnsw

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// repeated draws `distinct` rows and repeats them, shuffled, up to n rows.
func repeated(seed uint64, n, dim, distinct int) *rows {
	src := clustered(seed, distinct, dim, distinct, 0.5)
	r := &rows{dim: dim}
	for i := range n {
		r.data = append(r.data, src.row(uint32(i%distinct))...)
	}
	rng := rand.New(rand.NewPCG(seed, 2))
	rng.Shuffle(n, func(i, j int) {
		for d := range dim {
			r.data[i*dim+d], r.data[j*dim+d] = r.data[j*dim+d], r.data[i*dim+d]
		}
	})
	return r
}

func TestDegenerateData(t *testing.T) {
	far := clustered(3, 3000, 8, 1, 0.5)
	for i := range far.len() / 2 { // interleaved
		far.row(uint32(2 * i))[0] += 1000
	}
	blocks := clustered(3, 3000, 8, 1, 0.5)
	for i := range blocks.len() / 2 { // one cluster after the other
		blocks.row(uint32(i))[0] += 1000
	}
	halfZero := clustered(4, 3000, 16, 60, 0.5)
	for i := range halfZero.len() {
		if i%2 == 0 {
			clear(halfZero.row(uint32(i)))
		}
	}
	line := &rows{dim: 2}
	for i := range 2000 {
		line.data = append(line.data, float32(i), 0)
	}
	oneHot := &rows{dim: 64, data: make([]float32, 64*1000)}
	for i := range oneHot.len() {
		oneHot.row(uint32(i))[i%64] = 1
	}
	for _, c := range []struct {
		name  string
		space *rows
		floor float64
	}{
		{"all equal", repeated(1, 3000, 8, 1), 0.99},
		{"two points", repeated(1, 3000, 8, 2), 0.99},
		{"100 points 50 times", repeated(1, 3000, 8, 100), 0.99},
		{"1000 points 5 times", repeated(1, 3000, 8, 1000), 0.99},
		{"half zero", halfZero, 0.99},
		{"two far clusters", far, 0.99},
		{"two far clusters in blocks", blocks, 0.99},
		{"sorted line", line, 0.99},
		{"one-hot", oneHot, 0.6}, // no direction leads anywhere
	} {
		t.Run(c.name, func(t *testing.T) {
			g := build(t, c.space, Params{EfConstruction: 100, Seed: 2}, 1)
			require.NoError(t, Check(g))
			require.Equal(t, c.space.len(), Reachable(g), "every node is reachable")
			queries := &rows{dim: c.space.dim}
			for i := 0; i < c.space.len(); i += c.space.len() / 40 {
				queries.data = append(queries.data, c.space.row(uint32(i))...)
			}
			for i := range queries.data {
				queries.data[i] += 0.001
			}
			f := measure(t, g, c.space, queries, 10, SearchOptions{Ef: 60}, nil)
			t.Logf("%+v", f)
			require.GreaterOrEqual(t, f.recall, c.floor)
			require.Zero(t, f.short)
			// one node in 50 matches: all matching ones must be found however equal they are
			bits := make([]uint64, (c.space.len()+63)/64)
			for i := 0; i < c.space.len(); i += 50 {
				bits[i>>6] |= 1 << (i & 63)
			}
			f = measure(t, g, c.space, queries, 10, SearchOptions{Ef: 60, Bits: bits, Want: 20}, func(o uint32) bool { return o%50 == 0 })
			t.Logf("filtered %+v", f)
			require.Zero(t, f.short)
			require.GreaterOrEqual(t, f.recall, min(c.floor, 0.95))
			// the same after reordering
			order := g.Order()
			m, err := OpenMapped(encode(t, g, order))
			require.NoError(t, err)
			f = measure(t, m, c.space.permuted(order), queries, 10, SearchOptions{Ef: 60}, nil)
			require.GreaterOrEqual(t, f.recall, c.floor)
		})
	}
}
