package distance

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFloat16Conversions(t *testing.T) {
	for _, name := range Levels() {
		t.Run(name, func(t *testing.T) {
			force(t, name)
			halves, floats, back := make([]uint16, 1<<16), make([]float32, 1<<16), make([]uint16, 1<<16)
			for i := range halves {
				halves[i] = uint16(i)
			}
			FromF16(floats, halves)
			ToF16(back, floats)
			for i, h := range halves {
				requireSameFloat(t, fromF16(h), floats[i])
				if floats[i] != floats[i] {
					h |= 0x200 // quiet
				}
				require.Equal(t, h, back[i], "%v", floats[i])
			}
			// Between two neighbours, and a little to both sides of the middle.
			for i := range uint16(0x7bff) {
				low, high := fromF16(i), fromF16(i+1)
				middle := (low + high) / 2
				up, down := i+1, i
				even := i + i&1
				in := []float32{low, math.Nextafter32(middle, 0), middle, math.Nextafter32(middle, high), high, -low, -middle, -high, 0}
				want := []uint16{down, down, even, up, up, down | 1<<15, even | 1<<15, up | 1<<15, 0}
				got := make([]uint16, len(in))
				ToF16(got, in)
				require.Equal(t, want, got, "%v", in)
			}
			got, inf := make([]uint16, 8), float32(math.Inf(1))
			ToF16(got, []float32{65519, 65520, 1e30, inf, -inf, 1e-30, float32(math.Copysign(0, -1)), math.MaxFloat32})
			require.Equal(t, []uint16{0x7bff, 0x7c00, 0x7c00, 0x7c00, 0xfc00, 0, 0x8000, 0x7c00}, got)
		})
	}
	require.Panics(t, func() { ToF16(make([]uint16, 1), make([]float32, 2)) })
}

func TestUint8Conversions(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	got := make([]uint8, 11)
	ToU8(got, []float32{-1, -0.5, 0, 0.99, 1, 254.99, 255, 256, inf, -inf, nan})
	require.Equal(t, []uint8{0, 0, 0, 0, 1, 254, 255, 255, 255, 0, 0}, got)
	for _, name := range Levels() {
		force(t, name)
		all, floats := make([]uint8, 256+5), make([]float32, 256+5)
		for i := range all {
			all[i] = uint8(i)
		}
		FromU8(floats, all)
		for i, x := range floats {
			require.Equal(t, float32(uint8(i)), x)
		}
	}
}

// typedBase returns rows of dim elements and their stride; elements are drawn from fill.
func typedBase(rng *rand.Rand, rows, dim, size int, fill func() uint16) (base []byte, stride int) {
	stride = size*dim + rng.IntN(3)
	base = make([]byte, max((rows-1)*stride+size*dim, 1))
	for i := range rows {
		for j := range dim {
			if at := base[i*stride+size*j:]; size == 2 {
				binary.LittleEndian.PutUint16(at, fill())
			} else {
				at[0] = byte(fill())
			}
		}
	}
	return base, stride
}

func halvesOf(base []byte, at, dim int) (row []uint16, floats []float32) {
	row, floats = make([]uint16, dim), make([]float32, dim)
	for j := range row {
		row[j] = binary.LittleEndian.Uint16(base[at+2*j:])
		floats[j] = fromF16(row[j])
	}
	return row, floats
}

// testHalves scores random batches of one dimension and every row alone, against float64, within that part of the sum of magnitudes.
func testHalves(t *testing.T, rng *rand.Rand, dim int, fill func() uint16, value func() float32, rounding float64) {
	t.Helper()
	const rows = 9
	base, stride := typedBase(rng, rows, dim, 2, fill)
	q := floatsAt(dim, rng.IntN(16), value)
	for _, m := range metrics {
		for n := range 14 {
			ids, out := randomIDs(rng, n, rows), make([]float32, n+1)
			out[n] = 42
			RowsF16(m, q, base, stride, ids, out)
			require.EqualValues(t, 42, out[n], "wrote beyond the results")
			for i, id := range ids {
				_, row := halvesOf(base, int(id)*stride, dim)
				requireWithin(t, m, q, row, out[i], rounding)
			}
		}
		for id := range rows {
			row, floats := halvesOf(base, id*stride, dim)
			requireWithin(t, m, q, floats, m.DistanceF16(q, row), rounding)
		}
	}
}

// testBytes does so with uint8 vectors, against the definition, bit by bit.
func testBytes(t *testing.T, rng *rand.Rand, dim int, fill func() uint16) {
	t.Helper()
	const rows = 9
	base, stride := typedBase(rng, rows, dim, 1, fill)
	q := make([]uint8, dim)
	for i := range q {
		q[i] = uint8(fill())
	}
	for _, m := range metrics {
		want := func(id uint32) float32 { return m.ofSum(bytePairGeneric(m, q, base[int(id)*stride:])) }
		for n := range 14 {
			ids, out := randomIDs(rng, n, rows), make([]float32, n+1)
			out[n] = 42
			RowsU8(m, q, base, stride, ids, out)
			require.EqualValues(t, 42, out[n], "wrote beyond the results")
			for i, id := range ids {
				require.Equal(t, want(id), out[i], "%v of %d", m, dim)
			}
		}
		for id := range uint32(rows) {
			require.Equal(t, want(id), m.DistanceU8(q, base[int(id)*stride:][:dim]), "%v of %d", m, dim)
		}
	}
}

// eachLevelAndGeneric runs the test at every level of this CPU.
func eachLevelAndGeneric(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Run("generic", func(t *testing.T) {
		force(t, "generic")
		test(t)
	})
	eachLevel(t, test)
}

func TestFloat16Kernels(t *testing.T) {
	eachLevelAndGeneric(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(7, 7))
		value := func() float32 { return float32(rng.NormFloat64()) }
		fill := func() uint16 { return toF16(value()) }
		for dim := range 131 {
			testHalves(t, rng, dim, fill, value, 1e-6)
		}
		for _, dim := range []int{255, 768, 1537} {
			testHalves(t, rng, dim, fill, value, 1e-6)
		}
	})
}

func TestFloat16KernelsSpreadNaNAndInf(t *testing.T) {
	eachLevelAndGeneric(t, func(t *testing.T) {
		for dim := 1; dim <= 70; dim++ {
			for _, at := range []int{0, dim / 2, dim - 1} {
				for _, special := range []uint16{0x7c00, 0xfc00, 0x7e00} {
					q, row := make([]float32, dim), make([]uint16, dim)
					for i := range q {
						q[i], row[i] = 1, 0x4000
					}
					row[at] = special
					base := make([]byte, 2*dim)
					for i, h := range row {
						binary.LittleEndian.PutUint16(base[2*i:], h)
					}
					_, floats := halvesOf(base, 0, dim)
					var out [4]float32
					for _, m := range metrics {
						requireClose(t, m, q, floats, m.DistanceF16(q, row))
						RowsF16(m, q, base, 2*dim, make([]uint32, 4), out[:])
						requireClose(t, m, q, floats, out[3])
					}
				}
			}
		}
	})
}

func TestUint8KernelsAreExact(t *testing.T) {
	eachLevelAndGeneric(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(8, 8))
		fill := func() uint16 { return uint16(rng.Uint32()) }
		for dim := range 195 {
			testBytes(t, rng, dim, fill)
		}
		for _, dim := range []int{768, 1537, maxBytesLength} {
			testBytes(t, rng, dim, fill)
			testBytes(t, rng, dim, func() uint16 { return 255 })
			testBytes(t, rng, dim, func() uint16 { return uint16(rng.IntN(2)) * 255 })
		}
		q, row := make([]uint8, maxBytesLength), make([]uint8, maxBytesLength)
		for i := range q {
			q[i] = 255
		}
		require.EqualValues(t, float32(maxBytesLength*255*255), L2.DistanceU8(q, row))
	})
}

func TestTypedKernelsRefuseBadInput(t *testing.T) {
	out, base := make([]float32, 4), make([]byte, 64)
	RowsF16(L2, make([]float32, 16), base, 32, []uint32{1}, out)
	require.Panics(t, func() { RowsF16(L2, make([]float32, 16), base, 32, []uint32{2}, out) })
	require.Panics(t, func() { RowsF16(Metric(7), make([]float32, 16), base, 32, []uint32{1}, out) })
	require.Panics(t, func() { L2.DistanceF16(make([]float32, 16), make([]uint16, 15)) })
	RowsU8(L2, base[:16], base, 16, []uint32{3}, out)
	require.Panics(t, func() { RowsU8(L2, base[:16], base, 16, []uint32{4}, out) })
	require.Panics(t, func() { RowsU8(L2, base[:16], base, 16, []uint32{0, 1}, out[:1]) })
	require.Panics(t, func() { L2.DistanceU8(base[:16], base[:15]) })
	long := make([]uint8, maxBytesLength+1)
	require.Panics(t, func() { L2.DistanceU8(long, long) })
	require.Panics(t, func() { RowsU8(L2, long, long, 0, []uint32{0}, out) })
}

func TestLongTypedBatches(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	base, _ := typedBase(rng, 64, 64, 1, func() uint16 { return uint16(rng.IntN(60)) })
	q, code := floatsAt(30, 0, rng.Float32), base[7:67]
	for _, n := range []int{1023, 1025, 3000} {
		ids, halves, bytes := randomIDs(rng, n, 60), make([]float32, n), make([]float32, n)
		RowsF16(Dot, q, base, 64, ids, halves)
		RowsU8(Dot, code, base, 64, ids, bytes)
		for i, id := range ids {
			_, row := halvesOf(base, int(id)*64, 30)
			requireClose(t, Dot, q, row, halves[i])
			require.Equal(t, Dot.DistanceU8(code, base[id*64:][:60]), bytes[i])
		}
	}
}

// Every level converts any bits of a float32 as the definition does, infinities and subnormal numbers included, and NaNs to NaNs.
func FuzzHalves(f *testing.F) {
	f.Add([]byte{0, 0, 128, 127, 0, 0, 192, 127, 1, 0, 0, 0, 0, 240, 127, 71, 255, 239, 127, 71, 0, 0, 0, 51, 1, 0, 0, 51})
	f.Fuzz(func(t *testing.T, data []byte) {
		in := make([]float32, len(data)/4)
		for i := range in {
			in[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		want, got := make([]uint16, len(in)), make([]uint16, len(in)+1)
		for i, x := range in {
			want[i] = toF16(x)
		}
		for _, name := range Levels() {
			force(t, name)
			got[len(in)] = 42
			ToF16(got[:len(in)], in)
			require.Equal(t, uint16(42), got[len(in)], "wrote beyond the results")
			floats := make([]float32, len(in))
			FromF16(floats, got[:len(in)])
			for i := range in {
				if in[i] != in[i] {
					require.True(t, floats[i] != floats[i], "NaN of bits %x", math.Float32bits(in[i]))
					continue
				}
				require.Equal(t, want[i], got[i], "%s: bits %x", name, math.Float32bits(in[i]))
				require.Equal(t, fromF16(want[i]), floats[i])
			}
		}
	})
}

func FuzzTypedKernels(f *testing.F) {
	f.Add([]byte("some bytes to draw elements from"), uint8(37))
	f.Fuzz(func(t *testing.T, data []byte, dim uint8) {
		if len(data) == 0 {
			return
		}
		rng := rand.New(rand.NewPCG(uint64(len(data)), uint64(data[0])))
		draw := func() byte { return data[rng.IntN(len(data))] }
		value := func() float32 { return float32(int8(draw())) / 16 }
		for _, name := range Levels() {
			force(t, name)
			testHalves(t, rng, int(dim), func() uint16 { return toF16(value()) }, value, 1e-6) // sums without rounding
			testHalves(t, rng, int(dim), func() uint16 { return uint16(draw())<<8 | uint16(draw()) }, value, (float64(dim)+8)/(1<<24))
			testBytes(t, rng, int(dim), func() uint16 { return uint16(draw()) })
		}
	})
}
