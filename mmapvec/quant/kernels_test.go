package quant

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/mmapvec/distance"
)

var inf = float32(math.Inf(1))

// eachLevel runs the test with the plain kernels and with the faster ones.
func eachLevel(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	for _, name := range distance.Levels() {
		t.Run(name, func(t *testing.T) {
			restore, err := distance.Force(name)
			require.NoError(t, err)
			defer restore()
			test(t)
		})
	}
}

func gaussian(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

func TestKernelsGiveTheSameBits(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		for n := 8; n <= 4096; n *= 2 {
			for off := range 3 {
				x := gaussian(rng, n+off)[off:]
				x[n/2] = 0
				testHadamard(t, x)
			}
		}
		for n := range 131 {
			testButterfly(t, gaussian(rng, n), gaussian(rng, n))
		}
		for n := 0; n <= 136; n += 8 {
			for _, special := range []float32{0, -0.5, 1e30, float32(math.NaN()), float32(math.Inf(-1))} {
				x, by := gaussian(rng, n), gaussian(rng, n)
				if n > 0 {
					x[rng.IntN(n)] = special
				}
				testGroups(t, x, by)
			}
		}
		for n := 0; n <= 192; n += 32 {
			testPlanes(t, rng, n, func() byte { return byte(rng.Uint32()) })
		}
	})
}

func testHadamard(t *testing.T, x []float32) {
	t.Helper()
	want, got := slices.Clone(x), slices.Clone(x)
	hadamardGeneric(want)
	hadamard(got)
	requireSameNumbers(t, want, got)
}

func testButterfly(t *testing.T, a, b []float32) {
	t.Helper()
	wantA, wantB, gotA, gotB := slices.Clone(a), slices.Clone(b), slices.Clone(a), slices.Clone(b)
	butterflyGeneric(wantA, wantB)
	butterfly(gotA, gotB)
	requireSameNumbers(t, append(wantA, wantB...), append(gotA, gotB...))
}

// testGroups checks the kernels that take whole groups of 8 floats.
func testGroups(t *testing.T, x, by []float32) {
	t.Helper()
	n := len(x)
	requireSameNumbers(t, []float32{maxAbsGeneric(x)}, []float32{maxAbs(x)})

	want, got := make([]byte, n), make([]byte, n+1)
	got[n] = 42
	wantXV, wantXX := roundGeneric(want, x, 60)
	gotXV, gotXX := round(got[:n], x, 60)
	require.Equal(t, want, got[:n])
	require.EqualValues(t, 42, got[n])
	requireSameNumbers(t, []float32{wantXV, wantXX}, []float32{gotXV, gotXX})

	for _, g := range []grid{{0.5, -8, 7, 8}, {0.5, -2, 1, 2}, {0.5, -1, 0, 1}, firstGrid} {
		wantXV, wantVV := quantiseGeneric(want, x, 3, g)
		gotXV, gotVV := quantise(got[:n], x, 3, g)
		require.Equal(t, want, got[:n])
		require.EqualValues(t, 42, got[n])
		requireSameNumbers(t, []float32{wantXV, wantVV}, []float32{gotXV, gotVV})
	}

	wantAbs, wantSquare := sumsGeneric(x)
	gotAbs, gotSquare := sums(x)
	requireSameNumbers(t, []float32{wantAbs, wantSquare}, []float32{gotAbs, gotSquare})

	scaled, toScale := slices.Clone(x), slices.Clone(x)
	scaleGeneric(scaled, by)
	scale(toScale, by)
	requireSameNumbers(t, scaled, toScale)

	less, toLessen := slices.Clone(x), slices.Clone(x)
	wantSum, gotSum := subtractGeneric(less, by), subtract(toLessen, by)
	requireSameNumbers(t, append(less, wantSum), append(toLessen, gotSum))
}

// testPlanes checks the kernels of n codes in planes; n is a multiple of 32.
func testPlanes(t *testing.T, rng *rand.Rand, n int, fill func() byte) {
	t.Helper()
	u := make([]byte, n)
	for i := range u {
		u[i] = fill()
	}
	want, got := make([]byte, n/8), make([]byte, n/8+1)
	got[n/8] = 42
	for bit := range 8 {
		packPlaneGeneric(want, u, bit)
		packPlane(got[:n/8], u, bit)
		require.Equal(t, want, got[:n/8])
		require.EqualValues(t, 42, got[n/8])
	}
	plane := max(24, n/8)
	rest := plane + 16
	for bits := 1; bits <= 4; bits++ {
		code := make([]byte, rest+(bits-1)*plane+plane)
		for i := range code {
			code[i] = fill()
		}
		wantQ, gotQ := make([]int8, n), make([]int8, n+1)
		gotQ[n] = 42
		require.Equal(t, unpackGeneric(wantQ, code, plane, rest, bits), unpack(gotQ[:n], code, plane, rest, bits))
		require.Equal(t, wantQ, gotQ[:n])
		require.EqualValues(t, 42, gotQ[n])
	}
	length := n - rng.IntN(min(n, 31)+1)
	src, wantS, gotS := make([]byte, n+32), make([]int8, n+32), make([]int8, n+32)
	for i := range src {
		src[i], wantS[i], gotS[i] = fill(), 42, 42
	}
	require.Equal(t, signedGeneric(wantS, src, length), signed(gotS, src, length))
	require.Equal(t, wantS, gotS)
}

// FuzzKernels takes any bits for floats and codes.
func FuzzKernels(f *testing.F) {
	f.Add([]byte("floats, four bytes each"), uint8(3))
	f.Add([]byte("\x00\x00\x80\x3f\x00\x00\x80\x7f\x00\x00\x80\xff\x00\x00\x00\x80\x00\x00\xc0\x7f"), uint8(9))
	f.Add([]byte("\xff\xff\x7f\x7f\x01\x00\x00\x00\x00\x00\x80\x00\x00\x00\x00\xbf"), uint8(16))
	f.Fuzz(func(t *testing.T, data []byte, groups uint8) {
		if len(data) < 4 {
			return
		}
		rng := rand.New(rand.NewPCG(uint64(len(data)), uint64(data[0])))
		floats := func(n int) []float32 {
			v := make([]float32, n)
			for i := range v {
				v[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[rng.IntN(len(data)-3):]))
			}
			return v
		}
		for _, name := range distance.Levels() {
			restore, err := distance.Force(name)
			require.NoError(t, err)
			t.Cleanup(restore)
			n := int(groups)
			testHadamard(t, floats(8<<(n%6)))
			testButterfly(t, floats(n), floats(n))
			testGroups(t, floats(8*n), floats(8*n))
			testPlanes(t, rng, 32*(n%9), func() byte { return data[rng.IntN(len(data))] })
		}
	})
}

// requireSameNumbers wants the same bits; NaNs are all alike.
func requireSameNumbers(t *testing.T, want, got []float32) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		if want[i] != want[i] && got[i] != got[i] {
			continue
		}
		require.Equal(t, math.Float32bits(want[i]), math.Float32bits(got[i]), "value %d: %v, want %v", i, got[i], want[i])
	}
}

func TestSignedAtEveryLength(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(3, 4))
		for n := range 131 {
			src, want, got := make([]byte, 160), make([]int8, 160), make([]int8, 160)
			for i := range src {
				src[i], want[i], got[i] = byte(rng.Uint32()), 42, 42
			}
			require.Equal(t, signedGeneric(want, src, n), signed(got, src, n))
			require.Equal(t, want, got)
		}
	})
}

func TestRotationKeepsProducts(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(5, 6))
		for _, dim := range []int{1, 7, 8, 9, 63, 64, 65, 100, 127, 128, 300, 768, 1000, 1536, 4095} {
			ro := newRotation(dim, 99)
			a, b := gaussian(rng, dim), gaussian(rng, dim)
			x, y := make([]float32, paddedDim(dim)), make([]float32, paddedDim(dim))
			copy(x, a)
			copy(y, b)
			ro.rotate(x)
			ro.rotate(y)
			for _, v := range x[dim:] {
				require.Zero(t, v)
			}
			require.InDelta(t, distance.DotF32(a, b), distance.DotF32(x, y), 2e-6*float64(dim), "dim %d", dim)
			require.InDelta(t, distance.DotF32(a, a), distance.DotF32(x, x), 2e-6*float64(dim), "dim %d", dim)
		}
	})
}

// A unit vector ends up spread over all coordinates, whatever the dimension: a random direction has its largest
// coordinate near √(2·ln(dim)/dim).
func TestRotationMixes(t *testing.T) {
	for _, dim := range []int{16, 31, 33, 64, 65, 100, 127, 128, 255, 257, 768, 1536} {
		ro := newRotation(dim, 7)
		var worst, sum float64
		for i := range dim {
			x := make([]float32, paddedDim(dim))
			x[i] = 1
			ro.rotate(x)
			most := float64(maxAbs(x))
			worst = max(worst, most)
			sum += most
		}
		expected := math.Sqrt(2 * math.Log(float64(dim)) / float64(dim))
		t.Logf("dim %d: mean %.2f, worst %.2f of what is expected", dim, sum/float64(dim)/expected, worst/expected)
		require.Less(t, sum/float64(dim), 1.2*expected, "dim %d", dim)
		require.Less(t, worst, 1.6*expected, "dim %d", dim)
	}
}
