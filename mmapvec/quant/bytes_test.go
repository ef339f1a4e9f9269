package quant

import (
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/mmapvec/distance"
)

var rotatedMetrics = []distance.Metric{distance.Dot, distance.L2}

func encodeAll(z Quantizer, rows [][]float32) []byte {
	codes := make([]byte, len(rows)*z.Stride())
	for i, row := range rows {
		z.Encode(codes[i*z.Stride():][:z.Stride()], row)
	}
	return codes
}

func upTo(n int) []uint32 {
	ids := make([]uint32, n)
	for i := range ids {
		ids[i] = uint32(i)
	}
	return ids
}

func TestStride(t *testing.T) {
	for dim, want := range map[int]int{1: 64, 56: 64, 57: 128, 100: 128, 120: 128, 128: 192, 768: 832, 1536: 1600} {
		require.Equal(t, want, New(Params{Dim: dim}).Stride(), "dim %d", dim)
	}
}

// The relative error of a product of two independent rows is about √(2/12)·step·length, with a step near 3·length/
// (127·√dim): 0.01/√dim of the product of the lengths. Five times that is asked for; the deviations are tested elsewhere.
func TestEstimates(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for _, dim := range []int{1, 2, 3, 7, 8, 9, 15, 16, 63, 64, 65, 100, 120, 121, 127, 128, 200, 384, 768, 1000, 1536} {
			for _, m := range rotatedMetrics {
				testEstimates(t, dim, m)
			}
		}
	})
}

func testEstimates(t *testing.T, dim int, m distance.Metric) {
	t.Helper()
	rng := rand.New(rand.NewPCG(uint64(dim), 1))
	z := New(Params{Dim: dim, Metric: m, Seed: 5})
	q, byCode := z.NewQuery(), z.NewQuery()
	vector := gaussian(rng, dim)
	rows := make([][]float32, 40)
	for i := range rows {
		rows[i] = gaussian(rng, dim)
		for j := range rows[i] { // from the query itself to independent rows
			share := float32(i) / float32(len(rows)-1)
			rows[i][j] = share*rows[i][j] + (1-share)*vector[j]
		}
	}
	codes := encodeAll(z, rows)
	ids := upTo(len(rows))
	out, outByCode := make([]float32, len(rows)), make([]float32, len(rows))
	q.Reset(vector)
	q.Distances(codes, ids, out, inf)
	byCode.ResetCode(encodeAll(z, [][]float32{vector}))
	byCode.Distances(codes, ids, outByCode, inf)
	require.Equal(t, out, outByCode, "query and code are rounded alike")

	length := math.Sqrt(float64(distance.DotF32(vector, vector)))
	for i, row := range rows {
		other := math.Sqrt(float64(distance.DotF32(row, row)))
		tolerance := 0.05 * length * max(length, other) / math.Sqrt(float64(dim))
		if m == distance.L2 {
			tolerance *= 2
		}
		exact := m.Distance(vector, row)
		require.InDelta(t, exact, out[i], tolerance, "dim %d %v row %d", dim, m, i)
		require.Equal(t, out[i], q.Distance(codes[i*z.Stride():][:z.Stride()]))
	}
}

func TestDegenerateRows(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, dim := range []int{1, 2, 8, 9, 100, 128, 121} {
		constant := func(x float32) []float32 { return slices.Repeat([]float32{x}, dim) }
		oneHot := make([]float32, dim)
		oneHot[dim-1] = -3
		finite := [][]float32{constant(0), constant(1), constant(-7), oneHot, constant(1e-20), constant(1e18)}
		extreme := [][]float32{constant(1e-44), constant(3e38), constant(nan), constant(inf), constant(-inf)}
		for _, m := range rotatedMetrics {
			z := New(Params{Dim: dim, Metric: m, Seed: 1})
			all := slices.Concat(finite, extreme)
			codes := encodeAll(z, all)
			q, out := z.NewQuery(), make([]float32, len(all))
			for i, vector := range all {
				q.Reset(vector)
				q.Distances(codes, upTo(len(all)), out, inf)
				for j, got := range out {
					require.False(t, math.IsNaN(float64(got)), "dim %d %v: %d to %d", dim, m, i, j)
					if i >= len(finite) || j >= len(finite) {
						continue
					}
					exact := float64(m.Distance(vector, all[j]))
					if math.Abs(exact) > 1e37 {
						continue
					}
					size := math.Sqrt(squared(vector) * squared(all[j]))
					if m == distance.L2 {
						size = max(squared(vector), squared(all[j]))
					}
					require.InDelta(t, exact, got, 0.05*size+2e-41, "dim %d %v: %d to %d", dim, m, i, j)
				}
			}
		}
	}
}

func squared(v []float32) (sum float64) {
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return sum
}

func TestDuplicatesAreEquallyNear(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	z := New(Params{Dim: 100, Metric: distance.L2, Seed: 3})
	row := gaussian(rng, 100)
	codes := encodeAll(z, [][]float32{row, gaussian(rng, 100), row, row})
	q, out := z.NewQuery(), make([]float32, 4)
	q.Reset(row)
	q.Distances(codes, upTo(4), out, inf)
	require.Equal(t, out[0], out[2])
	require.Equal(t, out[0], out[3])
	require.InDelta(t, 0, out[0], 1e-2)
	require.Greater(t, out[1], float32(50))
}

// goldenCodes are CRC-32C sums of code rows. Codes live on disk: they must never change.
var goldenCodes = map[int]uint32{
	3: 0x4fc9b838, 8: 0x69ff9c6a, 100: 0xe2fd3ca6, 127: 0x3a0fcc71, 128: 0xcf874456, 768: 0x9cfbdd23, 1000: 0x2c2bd5d7,
}

func TestGoldenCodes(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		got := map[int]uint32{}
		for dim := range goldenCodes {
			z := New(Params{Dim: dim, Metric: distance.L2, Seed: 0x15084711})
			state := uint64(dim)
			rows := make([][]float32, 20)
			for i := range rows {
				rows[i] = make([]float32, dim)
				for j := range rows[i] {
					rows[i][j] = float32(int32(splitMix64(&state)>>40)-1<<23) / (1 << 20)
				}
			}
			got[dim] = crc32.Checksum(encodeAll(z, rows), crc32.MakeTable(crc32.Castagnoli))
		}
		require.Equal(t, goldenCodes, got)
	})
	z := New(Params{Dim: 9, Metric: distance.Dot, Seed: 1})
	code := encodeAll(z, [][]float32{{1, 2, 3, 4, 5, 6, 7, 8, 9}})
	require.Equal(t, "019fa8604e56a0d96500000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000002e79bc3dff7f8e43", hex.EncodeToString(code))
}

func TestQueriesDoNotAllocate(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 10))
	z := New(Params{Dim: 100, Metric: distance.L2, Seed: 3})
	vector, ids, out := gaussian(rng, 100), upTo(16), make([]float32, 16)
	rows := make([][]float32, 16)
	for i := range rows {
		rows[i] = gaussian(rng, 100)
	}
	codes := encodeAll(z, rows)
	q := z.NewQuery()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		q.Reset(vector)
		q.Distances(codes, ids, out, inf)
		q.ResetCode(codes[128:])
		q.Distances(codes, ids[:3], out, inf)
		q.Distance(codes[:128])
		q.Deviation(codes[:128])
	}))
}

// clustered returns rows around few centres, as embeddings lie.
func clustered(rng *rand.Rand, n, dim int) [][]float32 {
	centres := make([][]float32, 50)
	for i := range centres {
		centres[i] = gaussian(rng, dim)
	}
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = gaussian(rng, dim)
		for j, c := range centres[rng.IntN(len(centres))] {
			rows[i][j] = c + 0.5*rows[i][j]
		}
	}
	return rows
}

func nearest(distances []float32, k int) []int {
	order := make([]int, len(distances))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if distances[a] < distances[b] {
			return -1
		}
		return 1
	})
	return order[:k]
}

func TestRecallAfterRescoring(t *testing.T) {
	for _, dim := range []int{16, 100, 384} {
		for _, m := range rotatedMetrics {
			t.Run(fmt.Sprintf("%v %d", m, dim), func(t *testing.T) {
				testRecall(t, dim, m)
			})
		}
	}
}

func testRecall(t *testing.T, dim int, m distance.Metric) {
	const n, queries, k, rescored = 4000, 40, 10, 30
	rng := rand.New(rand.NewPCG(11, uint64(dim)))
	rows := clustered(rng, n+queries, dim)
	if m == distance.Dot {
		for _, row := range rows {
			distance.Normalize(row)
		}
	}
	z := New(Params{Dim: dim, Metric: m, Seed: 77})
	codes := encodeAll(z, rows[:n])
	q, estimates, exact := z.NewQuery(), make([]float32, n), make([]float32, n)
	raw, found := 0, 0
	for _, vector := range rows[n:] {
		q.Reset(vector)
		q.Distances(codes, upTo(n), estimates, inf)
		for i := range exact {
			exact[i] = m.Distance(vector, rows[i])
		}
		truth, candidates := nearest(exact, k), nearest(estimates, rescored)
		for _, i := range truth {
			if slices.Contains(candidates[:k], i) {
				raw++
			}
			if slices.Contains(candidates, i) {
				found++
			}
		}
	}
	t.Logf("recall@10 without rescoring %.3f, with %.4f", float64(raw)/queries/k, float64(found)/queries/k)
	require.GreaterOrEqual(t, float64(raw), 0.95*queries*k)
	require.GreaterOrEqual(t, float64(found), 0.999*queries*k)
}

func TestValidate(t *testing.T) {
	nan := float32(math.NaN())
	for _, good := range []Params{
		{Dim: 1}, {Dim: maxDim, Bits: 8}, {Dim: 4, Bits: 1}, {Dim: 4, Bits: 2}, {Dim: 4, Bits: 4, Centre: make([]float32, 4)},
		{Dim: 4, Metric: distance.L1}, {Dim: 4, Metric: distance.L1, Plain: true, Quantile: 0.99}, {Dim: 4, Plain: true, Quantile: 1},
		{Dim: 4, Metric: distance.L1, Quantile: 0.9},
	} {
		require.NoError(t, good.Validate(), "%+v", good)
		require.NotNil(t, New(good))
	}
	for message, bad := range map[string]Params{
		"dimension 0":                           {},
		"dimension 65537":                       {Dim: maxDim + 1},
		"unknown metric":                        {Dim: 4, Metric: 9},
		"3 bits":                                {Dim: 4, Bits: 3},
		"plain codes have 8 bits, not 4":        {Dim: 4, Bits: 4, Plain: true},
		"nibbles have 4 bits, not 8":            {Dim: 4, Nibbles: true},
		"codes for l1 are no nibbles":           {Dim: 4, Bits: 4, Nibbles: true, Metric: distance.L1},
		"plain codes have 8 bits, not 1":        {Dim: 4, Bits: 1, Metric: distance.L1},
		"codes for l1 have no centre":           {Dim: 4, Metric: distance.L1, Centre: make([]float32, 4)},
		"the centre has 3 floats, not 4":        {Dim: 4, Centre: make([]float32, 3)},
		"the centre is not finite":              {Dim: 2, Centre: []float32{0, nan}},
		"quantile 1.5":                          {Dim: 4, Plain: true, Quantile: 1.5},
		"quantile NaN is not above 0":           {Dim: 4, Plain: true, Quantile: nan},
		"quantile -1 is not above 0":            {Dim: 4, Plain: true, Quantile: -1},
		"a quantile is for plain codes":         {Dim: 4, Quantile: 0.9},
		"not 1 to 65536\nquant: unknown metric": {Metric: 7},
	} {
		require.ErrorContains(t, bad.Validate(), message)
		require.Panics(t, func() { New(bad) })
	}
	for _, z := range []Quantizer{New(Params{Dim: 4}), New(Params{Dim: 4, Bits: 4}), New(Params{Dim: 4, Bits: 4, Nibbles: true}), New(Params{Dim: 4, Metric: distance.L1})} {
		require.Panics(t, func() { z.Encode(make([]byte, 64), make([]float32, 5)) })
		require.Panics(t, func() { z.Encode(make([]byte, 63), make([]float32, 4)) })
		require.Panics(t, func() { z.NewQuery().Reset(make([]float32, 5)) })
	}
}
