package quant

import (
	"encoding/hex"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/mmapvec/distance"
)

// Every value is off by at most half a step of its row, so a distance by at most dim/2 of them.
func TestPlainEstimates(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for _, dim := range []int{1, 2, 3, 15, 16, 17, 56, 57, 100, 112, 113, 128, 300, 768} {
			rng := rand.New(rand.NewPCG(uint64(dim), 1))
			z := New(Params{Dim: dim, Metric: distance.L1})
			require.Zero(t, z.Stride()%64)
			rows := make([][]float32, 40)
			for i := range rows {
				rows[i] = gaussian(rng, dim)
			}
			codes, out := encodeAll(z, rows), make([]float32, len(rows))
			q := z.NewQuery()
			for _, vector := range rows[:5] {
				q.Reset(vector)
				q.Distances(codes, upTo(len(rows)), out, inf)
				for i, row := range rows {
					half := 0.5 * float64(slices.Max(row)-slices.Min(row)) / 255 * float64(dim)
					exact := float64(distance.L1F32(vector, row))
					require.InDelta(t, exact, out[i], half+1e-4*float64(dim)/100)
					require.Equal(t, out[i], q.Distance(codes[i*z.Stride():]))
				}
			}
			q.ResetCode(codes)
			require.InDelta(t, 0, q.Distance(codes), 1e-4*float64(dim))
		}
	})
}

func TestPlainDegenerateRows(t *testing.T) {
	const dim = 20
	constant := func(x float32) []float32 { return slices.Repeat([]float32{x}, dim) }
	huge := constant(3e38)
	huge[3] = -3e38
	all := [][]float32{
		constant(0), constant(-7), constant(1e-44), constant(1e30), huge,
		constant(float32(math.NaN())), constant(float32(math.Inf(-1))), constant(float32(math.Inf(1))),
	}
	z := New(Params{Dim: dim, Metric: distance.L1})
	codes, out := encodeAll(z, all), make([]float32, len(all))
	q := z.NewQuery()
	for i, vector := range all {
		q.Reset(vector)
		q.Distances(codes, upTo(len(all)), out, inf)
		for j, got := range out {
			require.False(t, math.IsNaN(float64(got)), "%d to %d", i, j)
			if i < 4 && j < 4 {
				require.InEpsilon(t, 1+distance.L1F32(vector, all[j]), 1+got, 1e-5, "%d to %d", i, j)
			}
		}
	}
}

func TestPlainRecallAfterRescoring(t *testing.T) {
	testRecall(t, 100, distance.L1)
}

func TestPlainGoldenCode(t *testing.T) {
	z := New(Params{Dim: 9, Metric: distance.L1})
	code := encodeAll(z, [][]float32{{-1, 2, 3.3, 4, 5, 6, 7, 8, 9}})
	require.Equal(t, "004c6e7f99b2cce5ff0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000a1a0203d000080bf", hex.EncodeToString(code))
}

// Any bytes are a code: damage gives wrong estimates, never a panic or a NaN.
func FuzzCodesFromDisk(f *testing.F) {
	f.Add([]byte("\x00\x01\xff"), uint16(9))
	f.Add([]byte("\xff\xff\xff\x7f\xff\xff\x80\xff"), uint16(100))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff"), uint16(400))
	f.Fuzz(func(t *testing.T, data []byte, d uint16) {
		dim := int(d)%500 + 1
		for _, p := range []Params{{Metric: distance.L1}, {}, {Bits: 4}, {Bits: 4, Nibbles: true}, {Bits: 2}, {Bits: 1}, {Plain: true, Quantile: 0.5}} {
			for _, m := range rotatedMetrics {
				p.Dim, p.Seed = dim, 1
				if p.Metric != distance.L1 {
					p.Metric, p.Centre = m, slices.Repeat([]float32{0.5}, dim)
				}
				fuzzCode(t, New(p), data, dim)
			}
		}
	})
}

func fuzzCode(t *testing.T, z Quantizer, data []byte, dim int) {
	code := make([]byte, z.Stride())
	for i := range code {
		if len(data) > 0 {
			code[len(code)-1-i] = data[i%len(data)]
		}
	}
	q, out := z.NewQuery(), make([]float32, 5)
	for _, asCode := range []bool{false, true} {
		q.Reset(make([]float32, dim))
		if asCode {
			q.ResetCode(code)
		}
		for _, bound := range []float32{inf, 0} {
			q.Distances(code, make([]uint32, len(out)), out, bound)
			for _, got := range append(out, q.Distance(code), q.Deviation(code)) {
				require.False(t, math.IsNaN(float64(got)))
			}
		}
	}
}
