package quant

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/mmapvec/distance"
)

// manifold returns rows as embeddings lie: clusters of few intrinsic dimensions, turned into all of them, far from the
// origin; and their mean.
func manifold(rng *rand.Rand, n, dim int) (rows [][]float32, mean []float32) {
	const intrinsic, clusters = 24, 30
	axes := make([][]float32, intrinsic)
	for i := range axes {
		axes[i] = gaussian(rng, dim)
	}
	offset := gaussian(rng, dim)
	centres := make([][]float32, clusters)
	for i := range centres {
		centres[i] = gaussian(rng, intrinsic)
	}
	mean = make([]float32, dim)
	for range n {
		inner := gaussian(rng, intrinsic)
		row := make([]float32, dim)
		for j, c := range centres[rng.IntN(clusters)] {
			for i, a := range axes[j] {
				row[i] += a * (c + 0.6*inner[j])
			}
		}
		for i := range row {
			row[i] += 15*offset[i] + 0.3*float32(rng.NormFloat64())
			mean[i] += row[i] / float32(n)
		}
		rows = append(rows, row)
	}
	return rows, mean
}

func TestPlaneRecallAfterRescoring(t *testing.T) {
	for _, c := range []struct {
		bits, rescored int
		raw, floor     float64
	}{{8, 12, 0.98, 1}, {4, 15, 0.94, 0.995}, {2, 20, 0.87, 0.995}, {1, 40, 0.78, 0.99}} {
		for _, m := range rotatedMetrics {
			t.Run(fmt.Sprintf("%v bits=%d", m, c.bits), func(t *testing.T) {
				const n, queries, k, dim = 2000, 40, 10, 768
				rng := rand.New(rand.NewPCG(11, 768))
				rows, mean := manifold(rng, n+queries, dim)
				if m == distance.Dot {
					clear(mean)
					for _, row := range rows {
						distance.Normalize(row)
						for i, x := range row {
							mean[i] += x / float32(len(rows))
						}
					}
				}
				recall := func(centre []float32) (raw, found float64) {
					z := New(Params{Dim: dim, Metric: m, Seed: 77, Bits: c.bits, Centre: centre})
					return recallOf(z, m, rows[:n], rows[n:], k, c.rescored)
				}
				rawAbout0, foundAbout0 := recall(nil)
				raw, found := recall(mean)
				t.Logf("recall@10 %.3f, %.3f with %d rescored; without centre %.3f, %.3f", raw, found, c.rescored, rawAbout0, foundAbout0)
				require.GreaterOrEqual(t, raw, c.raw)
				require.GreaterOrEqual(t, found, c.floor)
				if c.bits < 8 {
					require.Greater(t, raw, rawAbout0+0.04, "the centre is of use")
				}
			})
		}
	}
}

// recallOf returns the recall of the k nearest by estimate, and of the rescored nearest.
func recallOf(z Quantizer, m distance.Metric, rows, queries [][]float32, k, rescored int) (raw, found float64) {
	codes := encodeAll(z, rows)
	q, estimates, exact := z.NewQuery(), make([]float32, len(rows)), make([]float32, len(rows))
	for _, vector := range queries {
		q.Reset(vector)
		q.Distances(codes, upTo(len(rows)), estimates, inf)
		for i := range exact {
			exact[i] = float32(exactly(m, vector, rows[i]))
		}
		candidates := nearest(estimates, rescored)
		for _, i := range nearest(exact, k) {
			if slices.Contains(candidates[:k], i) {
				raw++
			}
			if slices.Contains(candidates, i) {
				found++
			}
		}
	}
	all := float64(len(queries) * k)
	return raw / all, found / all
}
