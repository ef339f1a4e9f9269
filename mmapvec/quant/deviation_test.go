package quant

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/mmapvec/distance"
)

// shifted returns gaussian rows of different lengths about a common mean, which is much longer.
func shifted(rng *rand.Rand, n, dim int) (rows [][]float32, mean []float32) {
	mean = gaussian(rng, dim)
	for i := range mean {
		mean[i] *= 4
	}
	for range n {
		row := gaussian(rng, dim)
		length := 0.5 + rng.Float32()
		for i := range row {
			row[i] = mean[i] + length*row[i]
		}
		rows = append(rows, row)
	}
	return rows, mean
}

// A moments collects errors in units of their stated deviation.
type moments struct {
	n, beyond          int
	sum, square, worst float64
}

func (m *moments) add(ratio float64) {
	m.n++
	m.sum += ratio
	m.square += ratio * ratio
	m.worst = max(m.worst, math.Abs(ratio))
	if math.Abs(ratio) > 5 {
		m.beyond++
	}
}

func (m *moments) mean() float64      { return m.sum / float64(m.n) }
func (m *moments) deviation() float64 { return math.Sqrt(m.square / float64(m.n)) }

// exactly is the distance in float64.
func exactly(m distance.Metric, a, b []float32) (sum float64) {
	for i, x := range a {
		x, y := float64(x), float64(b[i])
		switch m {
		case distance.Dot:
			sum -= x * y
		case distance.L2:
			sum += (x - y) * (x - y)
		case distance.L1:
			sum += math.Abs(x - y)
		}
	}
	return sum
}

// Estimates are right in the mean and vary as Deviation says, for queries and for codes as queries. Errors for one query
// hang together a little, through the query's own rounding, so the mean is taken over many.
func TestEstimatesVaryAsStated(t *testing.T) {
	for _, dim := range []int{16, 100, 127, 768} {
		for _, m := range rotatedMetrics {
			for _, p := range []Params{{Bits: 8}, {Bits: 4}, {Bits: 4, Nibbles: true}, {Bits: 2}, {Bits: 1}, {Plain: true}} {
				p.Dim, p.Metric, p.Seed = dim, m, 5
				t.Run(fmt.Sprintf("%v dim=%d bits=%d nibbles=%v plain=%v", m, dim, p.Bits, p.Nibbles, p.Plain), func(t *testing.T) {
					testDeviation(t, p)
				})
			}
		}
	}
}

func testDeviation(t *testing.T, p Params) {
	const queries, n = 60, 200
	rng := rand.New(rand.NewPCG(uint64(p.Dim), uint64(p.Bits)))
	rows, mean := shifted(rng, queries+n, p.Dim)
	p.Centre = mean
	z := New(p)
	codes := encodeAll(z, rows)
	ids := upTo(len(rows))[queries:]
	out := make([]float32, n)
	for _, asCode := range []bool{false, true} {
		q, got := z.NewQuery(), moments{}
		for i, vector := range rows[:queries] {
			q.Reset(vector)
			if asCode {
				q.ResetCode(codes[i*z.Stride():][:z.Stride()])
			}
			q.Distances(codes, ids, out, inf)
			for j, id := range ids {
				deviation := float64(q.Deviation(codes[int(id)*z.Stride():][:z.Stride()]))
				got.add((float64(out[j]) - exactly(p.Metric, vector, rows[id])) / deviation)
			}
		}
		t.Logf("as code %v: mean %.3f, deviation %.3f, worst %.1f, %d of %d beyond 5", asCode, got.mean(), got.deviation(), got.worst, got.beyond, got.n)
		require.InDelta(t, 0, got.mean(), 0.04)
		require.InDelta(t, 1, got.deviation(), 0.06)
		require.LessOrEqual(t, got.beyond, got.n/10000)
	}
}
