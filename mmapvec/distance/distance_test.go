package distance

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

var metrics = []Metric{Dot, L2, L1}

// eachLevel runs the test at every level of this CPU but the generic one.
func eachLevel(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	for _, name := range Levels() {
		if name == "generic" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			force(t, name)
			test(t)
		})
	}
}

func force(tb testing.TB, name string) {
	tb.Helper()
	restore, err := Force(name)
	require.NoError(tb, err)
	tb.Cleanup(restore)
}

// exact is the distance in float64 with the sum of magnitudes, which bounds what rounding may do.
func exact(m Metric, a, b []float32) (distance, magnitude float64) {
	for i, x := range a {
		x, y := float64(x), float64(b[i])
		switch m {
		case Dot:
			distance -= x * y
			magnitude += math.Abs(x * y)
		case L2:
			distance += (x - y) * (x - y)
		case L1:
			distance += math.Abs(x - y)
		}
	}
	return distance, magnitude + math.Abs(distance)
}

func requireClose(t *testing.T, m Metric, a, b []float32, got float32) {
	t.Helper()
	requireWithin(t, m, a, b, got, 1e-6)
}

// requireWithin allows an error in units of the sum of magnitudes.
func requireWithin(t *testing.T, m Metric, a, b []float32, got float32, rounding float64) {
	t.Helper()
	want, magnitude := exact(m, a, b)
	switch {
	case math.IsNaN(want):
		require.True(t, math.IsNaN(float64(got)), "%v of %d: got %v, want NaN", m, len(a), got)
	case math.IsInf(want, 0):
		require.Equal(t, want, float64(got), "%v of %d", m, len(a))
	default:
		require.InDelta(t, want, got, rounding*math.Abs(magnitude)+1e-30, "%v of %d", m, len(a))
	}
}

// floatsAt returns n floats that start at byte offset off of an aligned buffer, filled by fill.
func floatsAt(n, off int, fill func() float32) []float32 {
	buf := make([]byte, 4*n+off+128)
	skip := int(-uintptr(unsafe.Pointer(&buf[0])) % 64)
	v := unsafe.Slice((*float32)(unsafe.Pointer(&buf[skip+off])), n)
	for i := range v {
		v[i] = fill()
	}
	return v
}

func TestDistanceAtEveryLength(t *testing.T) {
	test := func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 1))
		normal := func() float32 { return float32(rng.NormFloat64()) }
		for n := range 131 {
			for _, off := range []int{0, 1, 4, 13, 60} {
				a, b := floatsAt(n, off, normal), floatsAt(n, 64-off, normal)
				for _, m := range metrics {
					requireClose(t, m, a, b, m.Distance(a, b))
				}
			}
		}
		for _, n := range []int{255, 768, 1536, 4097} {
			a, b := floatsAt(n, 0, normal), floatsAt(n, 4, normal)
			for _, m := range metrics {
				requireClose(t, m, a, b, m.Distance(a, b))
			}
		}
	}
	t.Run("generic", func(t *testing.T) {
		force(t, "generic")
		test(t)
	})
	eachLevel(t, test)
}

func TestDistanceSpreadsNaNAndInf(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		nan, inf := float32(math.NaN()), float32(math.Inf(1))
		for n := 1; n <= 130; n++ {
			for _, at := range []int{0, n / 2, n - 1} {
				for _, special := range []float32{nan, inf, -inf} {
					a, b := floatsAt(n, 0, func() float32 { return 1 }), floatsAt(n, 4, func() float32 { return 2 })
					a[at] = special
					for _, m := range metrics {
						requireClose(t, m, a, b, m.Distance(a, b))
						requireClose(t, m, a, b, rowDistance(m, a, b))
					}
				}
			}
		}
	})
}

// rowDistance is the distance through the batch kernel: four rows, the last one counts.
func rowDistance(m Metric, q, row []float32) float32 {
	stride := 4*len(row) + 12
	base := make([]byte, 3*stride+4*len(row))
	for i := range 4 {
		copy(rowF32(base, stride, uint32(i), len(row)), row)
	}
	var out [4]float32
	RowsF32(m, q, base, stride, []uint32{0, 1, 2, 3}, out[:])
	return out[3]
}

func TestRowsF32(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(2, 2))
		normal := func() float32 { return float32(rng.NormFloat64()) }
		const rows = 50
		for dim := 0; dim <= 130; dim++ {
			stride := 4*dim + rng.IntN(3)*4 + rng.IntN(2)
			base := make([]byte, max((rows-1)*stride+4*dim, 1))
			for i := range rows {
				copy(rowF32(base, stride, uint32(i), dim), floatsAt(dim, 0, normal))
			}
			q := floatsAt(dim, dim%16, normal)
			for n := range 34 {
				ids := randomIDs(rng, n, rows)
				for _, m := range metrics {
					out := make([]float32, n+1)
					out[n] = 42
					RowsF32(m, q, base, stride, ids, out)
					require.EqualValues(t, 42, out[n], "wrote beyond the results")
					for i, id := range ids {
						requireClose(t, m, q, rowF32(base, stride, id, dim), out[i])
					}
				}
			}
		}
	})
}

func randomIDs(rng *rand.Rand, n, rows int) []uint32 {
	ids := make([]uint32, n)
	for i := range ids {
		ids[i] = uint32(rng.IntN(rows))
	}
	return ids
}

var codeFills = map[string]func(rng *rand.Rand) (byte, int8){
	"random":           func(rng *rand.Rand) (byte, int8) { return byte(rng.Uint32()), int8(rng.Uint32()) },
	"largest products": func(*rand.Rand) (byte, int8) { return 255, 127 },
	"least products":   func(*rand.Rand) (byte, int8) { return 255, -128 },
}

func TestCodeKernelsAreExact(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for name, fill := range codeFills {
			t.Run(name, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(3, 3))
				for _, length := range []int{0, 64, 128, 192, 256, 832, 1600, maxCodeLength} {
					for _, pad := range []int{0, 1, 64} {
						testCodes(t, rng, length, pad, fill)
					}
				}
			})
		}
	})
}

func testCodes(t *testing.T, rng *rand.Rand, length, pad int, fill func(*rand.Rand) (byte, int8)) {
	t.Helper()
	const rows = 9
	stride := length + pad
	base := make([]byte, (rows-1)*stride+length+pad)
	q := make([]int8, length)
	for i := range base {
		base[i], _ = fill(rng)
	}
	for i := range q {
		_, q[i] = fill(rng)
	}
	for n := range 20 {
		ids := randomIDs(rng, n, rows)
		want, got := make([]int32, n), make([]int32, n+1)
		got[n] = 42
		dotU8S8RowsGeneric(q, base, stride, ids, want)
		DotU8S8Rows(q, base, stride, ids, got)
		require.Equal(t, want, got[:n])
		require.EqualValues(t, 42, got[n], "wrote beyond the results")
		if stride < CodeFactorBytes {
			continue
		}
		f := &CodeFactors{Bias: int32(rng.Uint32() >> 8), Mul: rng.Float32() - 0.5, Add: rng.Float32(), NormWeight: 1}
		wantF, gotF := make([]float32, n), make([]float32, n)
		codeRowsGeneric(q, base, stride, ids, f, wantF)
		CodeDistances(q, base, stride, ids, f, gotF)
		for i := range wantF {
			requireSameFloat(t, wantF[i], gotF[i])
		}
	}
}

// testNibbles scores random batches of rows of so many lines of codes of four bits, against the definition, code by code.
func testNibbles(t *testing.T, rng *rand.Rand, lines, pad int, fill func(*rand.Rand) (byte, int8)) {
	t.Helper()
	const rows = 9
	stride := 64*lines + pad
	base, q := make([]byte, rows*stride), make([]int8, 128*lines)
	for i := range base {
		base[i], _ = fill(rng)
	}
	for i := range q {
		_, q[i] = fill(rng)
	}
	for n := range 20 {
		ids, got := randomIDs(rng, n, rows), make([]float32, n+1)
		got[n] = 42
		f := &CodeFactors{Bias: int32(rng.Uint32()) >> 8, Mul: rng.Float32() - 0.5, Add: rng.Float32(), NormWeight: []float32{0, 1, -1.5}[n%3]}
		NibbleDistances(q, base, stride, ids, f, got)
		require.EqualValues(t, 42, got[n], "wrote beyond the results")
		for i, id := range ids {
			row, sum := base[int(id)*stride:][:stride], int32(0)
			for j, pair := range row[:64*lines] {
				sum += int32(pair%16)*int32(q[j/64*128+j%64]) + int32(pair/16)*int32(q[j/64*128+64+j%64])
			}
			scale := math.Float32frombits(binary.LittleEndian.Uint32(row[stride-8:]))
			norm := math.Float32frombits(binary.LittleEndian.Uint32(row[stride-4:]))
			want := float32(f.Add+float32(f.NormWeight*norm)) + float32(float32(2*sum-f.Bias)*float32(scale*f.Mul))
			requireSameFloat(t, fit(want), got[i])
		}
	}
}

func TestNibbleKernelsAreExact(t *testing.T) {
	eachLevelAndGeneric(t, func(t *testing.T) {
		for name, fill := range codeFills {
			t.Run(name, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(4, 4))
				for _, lines := range []int{1, 2, 3, 9, maxCodeLength / 64} {
					for _, pad := range []int{0, 1, 64} {
						testNibbles(t, rng, lines, pad, fill)
					}
				}
			})
		}
	})
}

// requireSameFloat wants the same bits; NaNs are all alike.
func requireSameFloat(t *testing.T, want, got float32) {
	t.Helper()
	if want != want {
		require.True(t, got != got, "got %v, want NaN", got)
		return
	}
	require.Equal(t, math.Float32bits(want), math.Float32bits(got), "got %v, want %v", got, want)
}

func TestCodeDistancesL1(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(5, 5))
		for dim := range 131 {
			testCodesL1(t, rng, codesL1{
				dim: dim, pad: rng.IntN(3), fill: func() byte { return byte(rng.Uint32()) }, value: func() float32 { return float32(rng.NormFloat64()) },
				factors: func() []float32 { return []float32{rng.Float32(), rng.Float32() - 100} },
				error:   func(float64) float64 { return 1e-6 * float64(dim) * 400 },
			})
		}
	})
}

// codesL1 are codes for L1 of dim bytes from fill, and a query.
type codesL1 struct {
	dim, pad int
	fill     func() byte
	value    func() float32                  // of the query
	factors  func() []float32                // scale and offset of a row
	error    func(magnitude float64) float64 // allowed, by the sum of magnitudes
}

// testCodesL1 scores random batches.
func testCodesL1(t *testing.T, rng *rand.Rand, c codesL1) {
	t.Helper()
	const rows = 9
	dim := c.dim
	stride := (dim+15)&^15 + CodeFactorBytes + c.pad
	base := make([]byte, rows*stride)
	for i := range base {
		base[i] = c.fill()
	}
	for i := range rows {
		copy(rowF32(base[stride-CodeFactorBytes:], stride, uint32(i), 2), c.factors())
	}
	q := floatsAt((dim+15)&^15, 4, c.value)
	for n := range 14 {
		ids := randomIDs(rng, n, rows)
		want, got := make([]float32, n), make([]float32, n+1)
		got[n] = 42
		codeRowsL1Generic(q, dim, base, stride, ids, want)
		CodeDistancesL1(q, dim, base, stride, ids, got)
		require.EqualValues(t, 42, got[n], "wrote beyond the results")
		for i, id := range ids {
			factors := rowF32(base[stride-CodeFactorBytes:], stride, id, 2)
			magnitude := 255*float64(dim)*math.Abs(float64(factors[0])) + float64(dim)*math.Abs(float64(factors[1]))
			for _, x := range q[:dim] {
				magnitude += math.Abs(float64(x))
			}
			if !(magnitude < math.MaxFloat32/2) { // the order of the sum decides where it overflows
				require.False(t, got[i] != got[i], "dim %d", dim)
				continue
			}
			require.InDelta(t, want[i], got[i], c.error(magnitude), "dim %d", dim)
		}
	}
}

func TestLongBatches(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	const rows, stride = 50, 128
	base := make([]byte, rows*stride)
	for i := range base {
		base[i] = byte(rng.Uint32() & 0x3f)
	}
	q, code := floatsAt(30, 0, rng.Float32), make([]int8, stride)
	for i := range code[:100] {
		code[i] = int8(i)
	}
	for _, n := range []int{1023, 1024, 1025, 1027, 5000} {
		ids := randomIDs(rng, n, rows)
		floats, sums, scores, decoded := make([]float32, n), make([]int32, n), make([]float32, n), make([]float32, n)
		RowsF32(L2, q, base, stride, ids, floats)
		DotU8S8Rows(code, base, stride, ids, sums)
		CodeDistances(code, base, stride, ids, &CodeFactors{Mul: 1}, scores)
		CodeDistancesL1(floatsAt(112, 0, rng.Float32), 100, base, stride, ids, decoded)
		var sum [1]int32
		for i, id := range ids {
			require.Equal(t, rowDistance(L2, q, rowF32(base, stride, id, 30)), floats[i])
			dotU8S8RowsGeneric(code, base, stride, ids[i:i+1], sum[:])
			require.Equal(t, sum[0], sums[i])
			first := slices.Index(ids, id)
			require.Equal(t, scores[first], scores[i])
			require.Equal(t, decoded[first], decoded[i])
		}
	}
}

func TestBatchesRefuseRowsOutside(t *testing.T) {
	q, out := make([]float32, 16), make([]float32, 4)
	base := make([]byte, 4*64)
	RowsF32(L2, q, base, 64, []uint32{3}, out)
	require.Panics(t, func() { RowsF32(L2, q, base, 64, []uint32{4}, out) })
	require.Panics(t, func() { RowsF32(L2, q, base, 64, []uint32{math.MaxUint32}, out) })
	require.Panics(t, func() { RowsF32(L2, q, base[:1], 64, []uint32{0}, out) })
	require.Panics(t, func() { RowsF32(L2, q, base, -64, []uint32{1}, out) })
	require.Panics(t, func() { RowsF32(L2, q, base, 64, []uint32{0, 1}, out[:1]) })
	require.Panics(t, func() { RowsF32(Metric(7), q, base, 64, []uint32{0}, out) })
	require.Panics(t, func() { DotU8S8Rows(make([]int8, 65), base, 64, []uint32{0}, nil) })
	require.Panics(t, func() { NibbleDistances(make([]int8, 64), base, 64, []uint32{0}, &CodeFactors{}, out) })
	NibbleDistances(make([]int8, 128), base, 64, []uint32{3}, &CodeFactors{}, out)
	require.Panics(t, func() { NibbleDistances(make([]int8, 128), base, 64, []uint32{4}, &CodeFactors{}, out) })
	require.Panics(t, func() { NibbleDistances(make([]int8, 128), base, 64, []uint32{0, 1}, &CodeFactors{}, out[:1]) })
	require.Panics(t, func() { NibbleDistances(nil, base, 4, []uint32{0}, &CodeFactors{}, out) })
	require.Panics(t, func() { DotF32(q, q[:3]) })
}

func TestNormalize(t *testing.T) {
	for _, scale := range []float32{1, 1e-38, 5e37, 1e-20} {
		v := []float32{3 * scale, 0, -2 * scale}
		want := float64(scale) * math.Sqrt(13)
		require.InEpsilon(t, want, float64(Normalize(v)), 1e-5)
		require.InDelta(t, 1, DotF32(v, v), 1e-6)
	}
	zero := make([]float32, 5)
	require.Zero(t, Normalize(zero))
	require.Equal(t, make([]float32, 5), zero)
	bad := []float32{1, float32(math.Inf(1))}
	require.True(t, math.IsInf(float64(Normalize(bad)), 1))
	require.EqualValues(t, 1, bad[0])
}

func TestForce(t *testing.T) {
	before := Level()
	require.Equal(t, "generic", Levels()[len(Levels())-1])
	restore, err := Force("generic")
	require.NoError(t, err)
	require.Equal(t, "generic", Level())
	restore()
	require.Equal(t, before, Level())
	_, err = Force("quantum")
	require.ErrorContains(t, err, "quantum")
	require.Equal(t, widestLevel(), chooseLevel("unknown"))
	require.Equal(t, levelGeneric, chooseLevel("generic"))
}

func TestKernelsDoNotAllocate(t *testing.T) {
	base := make([]byte, 8*128)
	require.Zero(t, testing.AllocsPerRun(10, func() {
		var q [128]int8
		var v [16]float32
		var sums [8]int32
		var out [8]float32
		ids := [8]uint32{0, 1, 2, 3, 4, 5, 6, 7}
		DotU8S8Rows(q[:], base, 128, ids[:], sums[:])
		CodeDistances(q[:], base, 128, ids[:3], &CodeFactors{Mul: 1}, out[:])
		RowsF32(L2, v[:], base, 128, ids[:], out[:])
		_ = DotF32(v[:], v[:])
		var halves [16]uint16
		var bytes [64]uint8
		ToF16(halves[:], v[:])
		RowsF16(L2, v[:], base, 128, ids[:3], out[:])
		_ = L2.DistanceF16(v[:], halves[:])
		RowsU8(L2, bytes[:], base, 128, ids[:3], out[:])
		_ = L2.DistanceU8(bytes[:], bytes[:])
	}))
}

// FuzzFloatKernels takes any bits for floats: NaN, infinities and what overflows among them.
func FuzzFloatKernels(f *testing.F) {
	f.Add([]byte("some floats, eight bytes a pair, more of them"), uint8(3), uint8(5))
	f.Add([]byte("\x00\x00\x80\x3f\x00\x00\x80\x7f\x00\x00\x80\x3f\x00\x00\x00\x00\x00\x00\xc0\x7f"), uint8(37), uint8(9))
	f.Add([]byte("\x00\x00\x80\x3f\x00\x00\x80\xff\x00\x00\x80\x3f\x00\x00\x80\x40"), uint8(16), uint8(4))
	f.Add([]byte("\xff\xff\x7f\x7f\x01\x00\x00\x00\x00\x00\x80\x00"), uint8(100), uint8(12))
	f.Fuzz(func(t *testing.T, data []byte, dim, n uint8) {
		if len(data) < 4 {
			return
		}
		rng := rand.New(rand.NewPCG(uint64(len(data)), uint64(data[0])))
		for _, name := range Levels() {
			force(t, name)
			testFloats(t, rng, int(dim), int(n)%16, func() float32 {
				at := rng.IntN(len(data) / 4)
				return math.Float32frombits(binary.LittleEndian.Uint32(data[4*at:]))
			})
		}
	})
}

// finiteMagnitude is the sum of the magnitudes of those terms that are numbers.
func finiteMagnitude(m Metric, a, b []float32) (sum float64) {
	for i := range a {
		if _, magnitude := exact(m, a[i:i+1], b[i:i+1]); !math.IsNaN(magnitude) && !math.IsInf(magnitude, 0) {
			sum += magnitude
		}
	}
	return sum
}

// testFloats scores n random rows of one dimension, in one batch and one by one.
func testFloats(t *testing.T, rng *rand.Rand, dim, n int, value func() float32) {
	t.Helper()
	const rows = 9
	stride := 4*dim + rng.IntN(4)
	base := make([]byte, rows*stride+4)
	for i := range rows {
		copy(rowF32(base, stride, uint32(i), dim), floatsAt(dim, 0, value))
	}
	q, ids := floatsAt(dim, rng.IntN(64), value), randomIDs(rng, n, rows)
	for _, m := range metrics {
		out := make([]float32, n+1)
		out[n] = 42
		RowsF32(m, q, base, stride, ids, out)
		require.EqualValues(t, 42, out[n], "wrote beyond the results")
		for i, id := range ids {
			row := rowF32(base, stride, id, dim)
			if finiteMagnitude(m, q, row) > math.MaxFloat32/2 { // the order of the sum decides where it overflows
				continue
			}
			rounding := worstRounding(dim)
			requireWithin(t, m, q, row, out[i], rounding)
			requireWithin(t, m, q, row, m.Distance(q, row), rounding)
		}
	}
}

// worstRounding is the error, in units of the sum of magnitudes, that a sum of n terms one after the other may have.
func worstRounding(n int) float64 { return max(1e-6, float64(n)/(1<<24)) }

func FuzzCodeKernels(f *testing.F) {
	f.Add([]byte("codes"), uint8(1), uint8(7))
	f.Fuzz(func(t *testing.T, data []byte, lines, n uint8) {
		if len(data) == 0 {
			return
		}
		rng := rand.New(rand.NewPCG(uint64(len(data)), uint64(data[0])))
		for _, name := range Levels() {
			force(t, name)
			testCodes(t, rng, int(lines%8)*64, int(n)%9, func(rng *rand.Rand) (byte, int8) {
				return data[rng.IntN(len(data))], int8(data[rng.IntN(len(data))])
			})
			testNibbles(t, rng, 1+int(lines%4), int(n)%9, func(rng *rand.Rand) (byte, int8) {
				return data[rng.IntN(len(data))], int8(data[rng.IntN(len(data))])
			})
			value := func() float32 {
				var word [4]byte
				for i := range word {
					word[i] = data[rng.IntN(len(data))]
				}
				return math.Float32frombits(binary.LittleEndian.Uint32(word[:]))
			}
			testCodesL1(t, rng, codesL1{
				dim: int(lines), pad: int(n) % 3, fill: func() byte { return data[rng.IntN(len(data))] }, value: value,
				factors: func() []float32 { return []float32{value(), value()} },
				error:   func(magnitude float64) float64 { return worstRounding(int(lines))*magnitude + 1e-30 },
			})
		}
	})
}
