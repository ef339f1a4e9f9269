package quant

import (
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/mmapvec/distance"
)

// goldenBytes are CRC-32C sums of code rows of 8 bits about a centre, and of plain ones.
var goldenBytes = map[string]uint32{
	"dot 100":          0x982688b7,
	"dot 3":            0x2f96a4ce,
	"dot 768":          0xd024d66e,
	"l2 100":           0x48442df5,
	"l2 3":             0x6c50da6e,
	"l2 768":           0x785c80b0,
	"plain l2 100":     0x0acc9c86,
	"plain l2 3":       0x6c50da6e,
	"plain l2 768":     0x19c5908e,
	"quantile dot 100": 0x3bedfa82,
	"quantile dot 3":   0x2f96a4ce,
	"quantile dot 768": 0x4775ac5a,
}

func TestGoldenByteCodes(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		got := map[string]uint32{}
		for _, dim := range []int{3, 100, 768} {
			for name, p := range map[string]Params{
				"l2": {Metric: distance.L2}, "dot": {Metric: distance.Dot}, "plain l2": {Metric: distance.L2, Plain: true},
				"quantile dot": {Metric: distance.Dot, Plain: true, Quantile: 0.9},
			} {
				got[fmt.Sprint(name, " ", dim)] = crc32.Checksum(goldenRows(dim, p), crc32.MakeTable(crc32.Castagnoli))
			}
		}
		require.Equal(t, goldenBytes, got)
	})
}

// A few coordinates that are much larger than the others coarsen the steps of all: cutting them off pays where they say
// little.
func TestQuantileSparesTheRange(t *testing.T) {
	const dim, n, queries, k = 100, 2000, 30, 10
	for _, m := range []distance.Metric{distance.Dot, distance.L2, distance.L1} {
		t.Run(m.String(), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, uint64(m)))
			rows := clustered(rng, n+queries, dim)
			for i, row := range rows {
				switch {
				case m != distance.Dot:
					row[7] += 3000 // all alike
				case i < n:
					row[7] += 3000
				default:
					row[7] = 0
				}
			}
			recall := func(quantile float32) float64 {
				z := New(Params{Dim: dim, Metric: m, Plain: true, Quantile: quantile})
				_, found := recallOf(z, m, rows[:n], rows[n:], k, 2*k)
				return found
			}
			whole, cut := recall(1), recall(0.98)
			t.Logf("recall@10 with 20 rescored: %.3f, with a quantile of 0.98 %.3f", whole, cut)
			require.Equal(t, whole, recall(0))
			require.Greater(t, cut, whole+0.1)
		})
	}
}

func TestDeviationOfL1(t *testing.T) {
	const dim, queries, n = 200, 30, 200
	rng := rand.New(rand.NewPCG(3, 3))
	rows, _ := shifted(rng, queries+n, dim)
	z := New(Params{Dim: dim, Metric: distance.L1})
	codes := encodeAll(z, rows)
	for _, asCode := range []bool{false, true} {
		q, got := z.NewQuery(), moments{}
		for i, vector := range rows[:queries] {
			q.Reset(vector)
			if asCode {
				q.ResetCode(codes[i*z.Stride():])
			}
			for j := queries; j < len(rows); j++ {
				code := codes[j*z.Stride():][:z.Stride()]
				exact := exactly(distance.L1, vector, rows[j])
				got.add((float64(q.Distance(code)) - exact) / float64(q.Deviation(code)))
			}
		}
		t.Logf("as code %v: mean %.3f, deviation %.3f", asCode, got.mean(), got.deviation())
		require.InDelta(t, 0, got.mean(), 0.4) // where values agree, see Deviation
		require.InDelta(t, 1, got.deviation(), 0.1)
	}
}

func TestRanked(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for n := 1; n <= 40; n++ {
		for k := range n {
			v := make([]float32, n)
			for i := range v {
				v[i] = float32(rng.IntN(n)) // some of them equal
			}
			sorted := slices.Sorted(slices.Values(v))
			require.Equal(t, sorted[k], ranked(v, k))
		}
	}
	ranked([]float32{1, float32(math.NaN()), 3, float32(math.NaN())}, 2) // ends
}

func TestPlainQueriesDoNotAllocate(t *testing.T) {
	for _, m := range []distance.Metric{distance.Dot, distance.L2, distance.L1} {
		row := gaussian(rand.New(rand.NewPCG(6, 6)), 100)
		z := New(Params{Dim: 100, Metric: m, Plain: true, Quantile: 0.9})
		q, code := z.NewQuery(), encodeAll(z, [][]float32{row})
		require.Zero(t, testing.AllocsPerRun(100, func() {
			q.Reset(row)
			q.Distance(code)
			q.ResetCode(code)
			q.Deviation(code)
		}))
	}
}

// What is not known is not stated.
func TestDeviationOfCutRowsIsNotKnown(t *testing.T) {
	for _, m := range []distance.Metric{distance.Dot, distance.L2, distance.L1} {
		z := New(Params{Dim: 9, Metric: m, Plain: true, Quantile: 0.9})
		code := encodeAll(z, [][]float32{gaussian(rand.New(rand.NewPCG(1, 1)), 9)})
		q := z.NewQuery()
		q.ResetCode(code)
		require.Zero(t, q.Deviation(code))
		require.False(t, math.IsNaN(float64(q.Distance(code))))
	}
}
