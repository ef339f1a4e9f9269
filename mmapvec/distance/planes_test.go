package distance

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// planeCase is random rows of planes with a query for each kernel. Every byte comes from fill, but for the factors of
// half of the rows, which are small numbers.
type planeCase struct {
	bits, planeBytes, stride int
	base                     []byte
	q                        []int8
	first                    []byte
}

const planeCaseRows = 9

func newPlaneCase(rng *rand.Rand, bits, words, pad int, fill func() byte) planeCase {
	c := planeCase{bits: bits, planeBytes: 8 * words}
	c.stride = max(PlaneRowBytes(bits, c.planeBytes), FirstPlaneBytes(c.planeBytes)) + pad
	c.base = make([]byte, planeCaseRows*c.stride)
	for i := range c.base {
		c.base[i] = fill()
	}
	for i := 0; i < planeCaseRows; i += 2 {
		for j := range 3 {
			at := i*c.stride + c.planeBytes + 4*j
			binary.LittleEndian.PutUint32(c.base[at:], math.Float32bits(rng.Float32()-0.5))
		}
	}
	c.q = make([]int8, 64*words)
	for i := range c.q {
		c.q[i] = int8(fill())
	}
	readBytes := FirstPlaneBytes(c.planeBytes)
	c.first = make([]byte, queryPlanes*readBytes)
	for at := range c.planeBytes {
		for p := range queryPlanes {
			c.first[queryPlanes*(at&^63)+64*p+at&63] = fill()
		}
	}
	return c
}

// slowDistance is the definition, coordinate by coordinate.
func (c *planeCase) slowDistance(id uint32, f *PlaneFactors) float32 {
	row := c.base[int(id)*c.stride:]
	var sum int64
	for j, q := range c.q {
		u := 0
		for p := range c.bits {
			at := p * c.planeBytes
			if p > 0 {
				at += PlaneFactorBytes
			}
			u = 2*u + int(row[at+j/8]>>(j%8)&1)
		}
		sum += 2 * int64(u) * int64(q)
	}
	scale, add, _, _ := planeFactors(row[c.planeBytes:])
	return fit(float32(f.Add+add) + float32(float32(int32(sum)-f.Bias)*float32(scale*f.Mul)))
}

func (c *planeCase) slowBound(id uint32, f *PlaneFactors) float32 {
	row := c.base[int(id)*c.stride:]
	var sum int64
	for j := range 8 * c.planeBytes {
		at, value := j/8, 0
		for p, weight := range []int{-8, 4, 2, 1} {
			value += weight * int(c.first[queryPlanes*(at&^63)+64*p+at&63]>>(j%8)&1)
		}
		sum += 2 * int64(row[at]>>(j%8)&1) * int64(value)
	}
	_, add, first, deviation := planeFactors(row[c.planeBytes:])
	return fit(float32(float32(f.Add+add)+float32(float32(int32(sum)-f.Bias)*float32(first*f.Mul))) - float32(deviation*f.Deviations))
}

func (c *planeCase) check(t *testing.T, rng *rand.Rand, n int) {
	t.Helper()
	ids := randomIDs(rng, n, planeCaseRows)
	f := &PlaneFactors{Bias: int32(rng.Uint32() >> 8), Mul: rng.Float32() - 0.5, Add: rng.Float32(), Deviations: 3 * rng.Float32()}
	out := make([]float32, n+1)
	out[n] = 42
	PlaneDistances(c.bits, NewPlaneQuery(c.q), c.base, c.stride, ids, f, out)
	require.EqualValues(t, 42, out[n], "wrote beyond the results")
	for i, id := range ids {
		requireSameFloat(t, c.slowDistance(id, f), out[i])
	}
	FirstPlaneBounds(NewFirstQuery(c.first, c.planeBytes), c.base, c.stride, ids, f, out)
	require.EqualValues(t, 42, out[n], "wrote beyond the results")
	for i, id := range ids {
		requireSameFloat(t, c.slowBound(id, f), out[i])
	}
}

func TestPlaneKernelsAreExact(t *testing.T) {
	fills := map[string]func(rng *rand.Rand) byte{
		"random": func(rng *rand.Rand) byte { return byte(rng.Uint32()) },
		"ones":   func(*rand.Rand) byte { return 255 },
		"most":   func(*rand.Rand) byte { return 127 },
		"least":  func(*rand.Rand) byte { return 128 },
	}
	for _, level := range Levels() {
		t.Run(level, func(t *testing.T) {
			force(t, level)
			for name, fill := range fills {
				t.Run(name, func(t *testing.T) {
					rng := rand.New(rand.NewPCG(3, 3))
					for _, words := range []int{1, 2, 3, 5, 6, 7, 8, 12, 16, 24} {
						for _, bits := range []int{1, 2, 4} {
							for _, pad := range []int{0, 1, 48} {
								c := newPlaneCase(rng, bits, words, pad, func() byte { return fill(rng) })
								for n := range 14 {
									c.check(t, rng, n)
								}
							}
						}
					}
					c := newPlaneCase(rng, 4, 1024, 0, func() byte { return fill(rng) })
					c.check(t, rng, 5)
				})
			}
		})
	}
}

func TestPlaneKernelsRefuse(t *testing.T) {
	base, out, f := make([]byte, 4*64), make([]float32, 1), &PlaneFactors{}
	q := NewPlaneQuery(make([]int8, 64))
	PlaneDistances(4, q, base, 64, []uint32{3}, f, out)
	require.Panics(t, func() { PlaneDistances(4, q, base, 64, []uint32{4}, f, out) })
	require.Panics(t, func() { NewPlaneQuery(make([]int8, 65)) })
	require.Panics(t, func() { PlaneDistances(3, q, base, 64, []uint32{0}, f, out) })
	require.Panics(t, func() { PlaneDistances(1, q, base, 64, []uint32{0, 1}, f, out) })
	first := NewFirstQuery(make([]byte, 256), 8)
	FirstPlaneBounds(first, base, 64, []uint32{3}, f, out)
	require.Panics(t, func() { FirstPlaneBounds(first, base, 64, []uint32{4}, f, out) })
	require.Panics(t, func() { NewFirstQuery(make([]byte, 256), 56) })
	require.Panics(t, func() { NewFirstQuery(make([]byte, 256), -8) })
}

// The order of a query depends on the level; a query that was prepared at another one is prepared again.
func TestPlaneQueryFollowsLevelAndValues(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	c := newPlaneCase(rng, 4, 6, 0, func() byte { return byte(rng.Uint32()) })
	q, first, f, out := NewPlaneQuery(c.q), NewFirstQuery(c.first, c.planeBytes), &PlaneFactors{Mul: 1}, make([]float32, 1)
	for _, level := range Levels() {
		for range 3 {
			force(t, level)
			PlaneDistances(4, q, c.base, c.stride, []uint32{3}, f, out)
			requireSameFloat(t, c.slowDistance(3, f), out[0])
			FirstPlaneBounds(first, c.base, c.stride, []uint32{3}, f, out)
			requireSameFloat(t, c.slowBound(3, f), out[0])
			for i := range c.q {
				c.q[i] = int8(rng.Uint32())
			}
			for i := range c.planeBytes {
				c.first[i] = byte(rng.Uint32())
			}
			q.Update()
			first.Update()
		}
	}
}

func FuzzPlaneKernels(f *testing.F) {
	f.Add([]byte("planes"), uint8(1), uint8(7), uint8(4))
	f.Fuzz(func(t *testing.T, data []byte, words, n, bits uint8) {
		if len(data) == 0 {
			return
		}
		rng := rand.New(rand.NewPCG(uint64(len(data)), uint64(data[0])))
		for _, name := range Levels() {
			force(t, name)
			c := newPlaneCase(rng, 1<<(bits%3), int(words%20)+1, int(n)%3, func() byte { return data[rng.IntN(len(data))] })
			c.check(t, rng, int(n)%9)
		}
	})
}
