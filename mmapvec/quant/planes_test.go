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

var planeBits = []int{4, 2, 1}

func TestPlaneStride(t *testing.T) {
	for _, c := range []struct{ dim, bits, stride, first int }{
		{1, 1, 64, 64}, {1, 4, 64, 64}, {64, 4, 64, 64}, {65, 4, 128, 128}, {100, 4, 128, 128}, {100, 2, 64, 64}, {100, 1, 64, 64},
		{384, 1, 64, 64}, {385, 1, 128, 128}, {384, 4, 256, 64}, {768, 4, 448, 128}, {768, 2, 256, 128}, {768, 1, 128, 128}, {1536, 4, 832, 256},
	} {
		z := New(Params{Dim: c.dim, Bits: c.bits})
		require.Equal(t, c.stride, z.Stride(), "%+v", c)
		require.Equal(t, c.first, z.First(), "%+v", c)
		require.GreaterOrEqual(t, c.stride, distance.FirstPlaneBytes(z.(*planeCodes).planeBytes()))
	}
}

// Codes and estimates have the same bits at every level.
func TestPlaneCodesAreTheSameAtEveryLevel(t *testing.T) {
	for _, dim := range []int{1, 7, 8, 63, 64, 65, 100, 127, 256, 384, 768, 1000} {
		for _, bits := range planeBits {
			for _, m := range rotatedMetrics {
				rng := rand.New(rand.NewPCG(uint64(dim), uint64(bits)))
				rows, mean := shifted(rng, 20, dim)
				z := New(Params{Dim: dim, Bits: bits, Metric: m, Centre: mean, Seed: 3})
				var first []byte
				var estimates []float32
				eachLevel(t, func(t *testing.T) {
					codes, out := encodeAll(z, rows), make([]float32, len(rows))
					var all []float32
					q := z.NewQuery()
					for i := range 4 {
						q.Reset(rows[i])
						if i > 1 {
							q.ResetCode(codes[i*z.Stride():])
						}
						for _, bound := range []float32{inf, float32(dim), 0} {
							q.Distances(codes, upTo(len(rows)), out, bound)
							all = append(all, out...)
						}
						all = append(all, q.Distance(codes), q.Deviation(codes))
					}
					if first == nil {
						first, estimates = codes, all
					}
					require.Equal(t, first, codes)
					requireSameNumbers(t, estimates, all)
				})
			}
		}
	}
}

// The values of a code used as a query are those of the code.
func TestResetCodeTakesTheCodeAsItIs(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for _, dim := range []int{1, 64, 100, 384, 768} {
			for _, bits := range planeBits {
				z := New(Params{Dim: dim, Bits: bits, Seed: 3}).(*planeCodes)
				rng := rand.New(rand.NewPCG(uint64(dim), uint64(bits)))
				code := make([]byte, z.stride) // with bits set beyond the dimension too
				for i := range code {
					code[i] = byte(rng.Uint32())
				}
				q := z.NewQuery().(*planeQuery)
				q.Reset(gaussian(rng, dim))
				q.ResetCode(code)
				if z.twoPasses {
					q.packPending()
				}
				want, sum, sum4 := make([]int8, 64*z.words), 0, 0
				for j := range dim {
					u := 0
					for p := range bits {
						u = 2*u + int(z.plane(code, p)[j/8]>>(j%8)&1)
					}
					v := 2*u - (1<<bits - 1)
					want[j] = int8(v)
					sum += v
					if bits == 4 {
						v /= 2
					}
					sum4 += v
					if !z.twoPasses {
						continue
					}
					got := 0
					for p := range queryPlanes {
						at := j/8/lineBytes*queryPlanes*lineBytes + p*lineBytes + j/8%lineBytes
						got += []int{-8, 4, 2, 1}[p] * int(q.first[at]>>(j%8)&1)
					}
					require.Equal(t, v, got, "dim %d bits %d coordinate %d", dim, bits, j)
				}
				require.Equal(t, want, q.code)
				require.EqualValues(t, (1<<bits-1)*sum, q.whole.Bias)
				if z.twoPasses {
					require.EqualValues(t, sum4, q.bound.Bias)
				}
			}
		}
	})
}

// A row is given up by its first plane only if it lies beyond the bound, with few exceptions; the others get the same
// estimates as without a bound.
func TestFirstPassGivesUpFarRows(t *testing.T) {
	for _, c := range []struct{ dim, bits int }{{200, 4}, {384, 4}, {768, 4}, {768, 2}} {
		for _, m := range rotatedMetrics {
			for _, asCode := range []bool{false, true} {
				t.Run(fmt.Sprintf("%v dim=%d bits=%d code=%v", m, c.dim, c.bits, asCode), func(t *testing.T) {
					testFirstPass(t, Params{Dim: c.dim, Bits: c.bits, Metric: m, Seed: 2}, asCode)
				})
			}
		}
	}
}

func testFirstPass(t *testing.T, p Params, asCode bool) {
	const n, queries, near = 1500, 10, 50
	rows, mean := manifold(rand.New(rand.NewPCG(uint64(p.Dim), 7)), n+queries, p.Dim)
	p.Centre = mean
	z := New(p)
	require.True(t, z.(*planeCodes).twoPasses)
	codes := encodeAll(z, rows)
	q, all, some := z.NewQuery().(*planeQuery), make([]float32, n), make([]float32, n)
	kept, wrong := 0, 0
	deviations := moments{}
	least := make([]float32, n)
	for i, vector := range rows[n:] {
		q.Reset(vector)
		if asCode {
			q.ResetCode(codes[(n+i)*z.Stride():])
		}
		q.Distances(codes, upTo(n), all, inf)
		sifts := z.NewQuery() // which nothing was asked of before
		sifts.Reset(vector)
		if asCode {
			sifts.ResetCode(codes[(n+i)*z.Stride():])
		}
		bound := all[nearest(all, near)[near-1]]
		q.Distances(codes, upTo(n), some, bound)
		distance.FirstPlaneBounds(q.firsts, codes, z.Stride(), upTo(n), &q.bound, least)
		requireSifts(t, sifts, codes, least, bound)
		for j, got := range some {
			if math.Float32bits(got) == math.Float32bits(all[j]) {
				kept++
			} else {
				require.GreaterOrEqual(t, got, bound)
				if all[j] < bound {
					wrong++
				}
			}
			// From the bound back to the estimate, in deviations.
			row := q.z.factors(codes[j*z.Stride():])
			deviation := float64(firstDeviation(row)) * float64(q.bound.Deviations) / firstPassDeviations
			deviations.add((float64(least[j])-exactly(p.Metric, vector, rows[j]))/deviation + firstPassDeviations)
		}
	}
	t.Logf("%.3f survive, %d of %d near ones do not; errors of the first plane: mean %.3f, deviation %.3f",
		float64(kept)/n/queries, wrong, near*queries, deviations.mean(), deviations.deviation())
	require.Less(t, kept, n*queries/2)
	require.LessOrEqual(t, wrong, near*queries/200)
	require.InDelta(t, 0, deviations.mean(), 0.2)
	require.InDelta(t, 1, deviations.deviation(), 0.15)
}

func firstDeviation(b factorBytes) float32 {
	return math.Float32frombits(uint32(b[14])<<16 | uint32(b[15])<<24)
}

func TestPlanesOfDegenerateRows(t *testing.T) {
	nan := float32(math.NaN())
	for _, dim := range []int{1, 2, 8, 9, 100, 128, 384} {
		constant := func(x float32) []float32 { return slices.Repeat([]float32{x}, dim) }
		oneHot := make([]float32, dim)
		oneHot[dim-1] = -3
		finite := [][]float32{constant(0), constant(1), constant(-7), oneHot, constant(1e-20), constant(1e15), constant(2)}
		extreme := [][]float32{constant(1e-44), constant(3e38), constant(-3e38), constant(nan), constant(inf), constant(-inf)}
		for _, p := range []Params{{Bits: 8}, {Bits: 4}, {Bits: 4, Nibbles: true}, {Bits: 2}, {Bits: 1}, {Plain: true}, {Plain: true, Quantile: 0.9}} {
			for _, m := range rotatedMetrics {
				for _, centre := range [][]float32{nil, constant(2), constant(-3e38)} {
					p.Dim, p.Metric, p.Seed, p.Centre = dim, m, 1, centre
					z := New(p)
					all := slices.Concat(finite, extreme)
					codes, out := encodeAll(z, all), make([]float32, len(all))
					q := z.NewQuery()
					for i := range all {
						for _, asCode := range []bool{false, true} {
							q.Reset(all[i])
							if asCode {
								q.ResetCode(codes[i*z.Stride():])
							}
							for _, bound := range []float32{inf, 3} {
								q.Distances(codes, upTo(len(all)), out, bound)
								for j, got := range out {
									require.False(t, math.IsNaN(float64(got)), "%+v: %d to %d", p, i, j)
									deviation := q.Deviation(codes[j*z.Stride():])
									require.False(t, math.IsNaN(float64(deviation)) || deviation < 0 || deviation > math.MaxFloat32, "%+v: %v", p, deviation)
								}
							}
							if i < len(finite) && !asCode && len(centre) > 0 && centre[0] == 2 {
								testFinite(t, p, q, all[i], finite, codes, out)
							}
						}
					}
				}
			}
		}
	}
}

// testFinite wants the estimates to be within a few deviations; those of a row about as long as the centre count too.
func testFinite(t *testing.T, p Params, q Query, vector []float32, rows [][]float32, codes []byte, out []float32) {
	t.Helper()
	if p.Quantile > 0 {
		return
	}
	q.Distances(codes, upTo(len(rows)), out, inf)
	stride := len(codes) / len(out)
	for j, row := range rows {
		exact := exactly(p.Metric, vector, row)
		if math.Abs(exact) > 1e37 {
			continue
		}
		size := math.Sqrt((squared(vector) + squared(p.Centre)) * (squared(row) + squared(p.Centre)))
		if p.Metric == distance.L2 {
			size = squared(vector) + squared(row) + 4*squared(p.Centre)
		}
		require.InDelta(t, exact, out[j], 6*float64(q.Deviation(codes[j*stride:]))+1e-5*size, "%+v: %v to %v", p, vector[0], row[0])
	}
}

// goldenPlanes are CRC-32C sums of code rows, by dimension and bits. Codes live on disk: they must never change.
var goldenPlanes = map[[2]int]uint32{
	{3, 1}: 0x0a43c16c, {3, 2}: 0x06455dd9, {3, 4}: 0xa7177769,
	{8, 1}: 0x6b6f24e9, {8, 2}: 0xfd22ac32, {8, 4}: 0x2d221cdb,
	{100, 1}: 0x95f2368a, {100, 2}: 0x0ff3987f, {100, 4}: 0x5708f387,
	{127, 1}: 0xf886dbe1, {127, 2}: 0xaf6ee8d2, {127, 4}: 0x9242ec52,
	{128, 1}: 0x77e6ed32, {128, 2}: 0x0e485ec7, {128, 4}: 0xb47636f1,
	{768, 1}: 0x35c926d1, {768, 2}: 0x1b47a4de, {768, 4}: 0xd69e91c3,
	{1000, 1}: 0x7ba43bc6, {1000, 2}: 0x5a9664bc, {1000, 4}: 0xe4008561,
}

func TestGoldenPlaneCodes(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		got := map[[2]int]uint32{}
		for _, dim := range []int{3, 8, 100, 127, 128, 768, 1000} {
			for _, bits := range planeBits {
				got[[2]int{dim, bits}] = crc32.Checksum(goldenRows(dim, Params{Metric: distance.L2, Bits: bits}), crc32.MakeTable(crc32.Castagnoli))
			}
		}
		require.Equal(t, goldenPlanes, got)
	})
	code := encodeAll(New(Params{Dim: 9, Metric: distance.Dot, Seed: 1, Bits: 4, Centre: []float32{1, 1, 1, 1, 1, 1, 1, 1, 1}}),
		[][]float32{{1, 2, 3, 4, 5, 6, 7, 8, 9}})
	require.Equal(t, "c600000000000000daab213f000010c2c804b2408d3e4440b8010000000000000601000000000000e80000000000000000000000000000000000000000000000", hex.EncodeToString(code))
}

// goldenRows encodes rows of multiples of 2^-20 about a centre of 0.25.
func goldenRows(dim int, p Params) []byte {
	p.Dim, p.Seed, p.Centre = dim, 0x15084711, slices.Repeat([]float32{0.25}, dim)
	state := uint64(dim)
	rows := make([][]float32, 20)
	for i := range rows {
		rows[i] = make([]float32, dim)
		for j := range rows[i] {
			rows[i][j] = float32(int32(splitMix64(&state)>>40)-1<<23) / (1 << 20)
		}
	}
	return encodeAll(New(p), rows)
}

func TestPlaneQueriesDoNotAllocate(t *testing.T) {
	for _, dim := range []int{100, 384} {
		for _, bits := range planeBits {
			rng := rand.New(rand.NewPCG(10, 10))
			rows, mean := shifted(rng, 300, dim)
			z := New(Params{Dim: dim, Metric: distance.Dot, Seed: 3, Bits: bits, Centre: mean})
			codes, ids, out := encodeAll(z, rows), upTo(len(rows)), make([]float32, len(rows))
			q, code := z.NewQuery(), make([]byte, z.Stride())
			z.Encode(code, rows[0]) // fills the pool
			require.Zero(t, testing.AllocsPerRun(100, func() {
				q.Reset(rows[0])
				q.Distances(codes, ids, out, inf)
				q.Distances(codes, ids, out, 3)
				q.ResetCode(code)
				q.Distances(codes, ids[:3], out, 3)
				q.Distance(code)
				q.Deviation(code)
			}))
		}
	}
}

// requireSifts asks for the rows whose least distance is below bound.
func requireSifts(t *testing.T, q Query, codes []byte, least []float32, bound float32) {
	t.Helper()
	var want []uint32
	for i, d := range least {
		if d < bound {
			want = append(want, uint32(i))
		}
	}
	kept := make([]uint32, len(least))
	sifter := SifterOf(q)
	require.Equal(t, want, kept[:sifter.Sift(codes, upTo(len(least)), kept, bound)], "the first thing asked")
	require.Equal(t, upTo(len(least)), kept[:sifter.Sift(codes, upTo(len(least)), kept, inf)])
	require.Zero(t, sifter.Sift(codes, nil, kept, bound))
}

func TestSiftersAreCodesOfTwoPasses(t *testing.T) {
	require.Nil(t, SifterOf(New(Params{Dim: 768}).NewQuery()))
	require.Nil(t, SifterOf(New(Params{Dim: 768, Bits: 1}).NewQuery()))
	require.Nil(t, SifterOf(New(Params{Dim: 768, Metric: distance.L1}).NewQuery()))
	require.NotNil(t, SifterOf(New(Params{Dim: 768, Bits: 4}).NewQuery()))
}
