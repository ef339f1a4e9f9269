package quant

import (
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/mmapvec/distance"
)

func TestNibbleStride(t *testing.T) {
	for dim, want := range map[int]int{1: 64, 100: 64, 107: 64, 108: 64, 109: 128, 236: 128, 237: 192, 768: 448} {
		z := New(Params{Dim: dim, Bits: 4, Nibbles: true})
		require.Equal(t, want, z.Stride(), "dim %d", dim)
		require.Equal(t, want, z.First(), "dim %d", dim)
		require.Nil(t, SifterOf(z.NewQuery()))
	}
}

// Nibbles are the codes of four planes: estimates and deviations have the same bits, for queries and for codes as queries.
func TestNibblesAreTheCodesOfFourPlanes(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for _, dim := range []int{1, 2, 7, 8, 63, 64, 65, 99, 100, 107, 108, 109, 127, 128, 129, 257, 768} {
			for _, m := range rotatedMetrics {
				rng := rand.New(rand.NewPCG(uint64(dim), 17))
				rows, mean := shifted(rng, 20, dim)
				rows = append(rows, make([]float32, dim), mean)
				p := Params{Dim: dim, Bits: 4, Metric: m, Centre: mean, Seed: 3}
				planes := New(p)
				p.Nibbles = true
				nibbles := New(p)
				ofPlanes, ofNibbles := encodeAll(planes, rows), encodeAll(nibbles, rows)
				want, got := make([]float32, len(rows)), make([]float32, len(rows))
				a, b := planes.NewQuery(), nibbles.NewQuery()
				for i := range rows {
					for _, asCode := range []bool{false, true} {
						a.Reset(rows[i])
						b.Reset(rows[i])
						if asCode {
							a.ResetCode(ofPlanes[i*planes.Stride():])
							b.ResetCode(ofNibbles[i*nibbles.Stride():])
						}
						a.Distances(ofPlanes, upTo(len(rows)), want, inf)
						b.Distances(ofNibbles, upTo(len(rows)), got, 0)
						requireSameNumbers(t, want, got)
						for j := range rows {
							x, y := ofPlanes[j*planes.Stride():], ofNibbles[j*nibbles.Stride():]
							requireSameNumbers(t, []float32{a.Distance(x), a.Deviation(x)}, []float32{b.Distance(y), b.Deviation(y)})
						}
					}
				}
			}
		}
	})
}

func TestGoldenNibbleCode(t *testing.T) {
	p := Params{Dim: 9, Metric: distance.Dot, Seed: 1, Bits: 4, Nibbles: true, Centre: []float32{1, 1, 1, 1, 1, 1, 1, 1, 1}}
	code := encodeAll(New(p), [][]float32{{1, 2, 3, 4, 5, 6, 7, 8, 9}})
	require.Equal(t, "509ada6504000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000008d3edaab213f000010c2", hex.EncodeToString(code))
}

func TestNibbleQueriesDoNotAllocate(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 10))
	rows, mean := shifted(rng, 300, 100)
	z := New(Params{Dim: 100, Metric: distance.Dot, Seed: 3, Bits: 4, Nibbles: true, Centre: mean})
	codes, ids, out := encodeAll(z, rows), upTo(len(rows)), make([]float32, len(rows))
	q, code := z.NewQuery(), make([]byte, z.Stride())
	z.Encode(code, rows[0]) // fills the pool
	require.Zero(t, testing.AllocsPerRun(100, func() {
		q.Reset(rows[0])
		q.Distances(codes, ids, out, inf)
		q.ResetCode(code)
		q.Distances(codes, ids[:3], out, 3)
		q.Distance(code)
		q.Deviation(code)
	}))
}
