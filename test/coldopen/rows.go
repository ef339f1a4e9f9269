//go:build linux

package main

import "math/rand/v2"

// rows makes the row of any number: a centre that depends on it, and noise.
type rows struct {
	dim     int
	centres [][]float32
}

func newRows(dim int) *rows {
	r := &rows{dim: dim, centres: make([][]float32, 1000)}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range r.centres {
		r.centres[i] = make([]float32, dim)
		for d := range r.centres[i] {
			r.centres[i][d] = float32(rng.NormFloat64())
		}
	}
	return r
}

func (r *rows) row(n uint64) []float32 {
	rng := rand.New(rand.NewPCG(3, n))
	row := make([]float32, r.dim)
	for d, c := range r.centres[rng.IntN(len(r.centres))] {
		row[d] = c + 0.6*float32(rng.NormFloat64())
	}
	return row
}
