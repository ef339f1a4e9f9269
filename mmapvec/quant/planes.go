package quant

import (
	"encoding/binary"
	"math"

	"github.com/isobath/isobath/mmapvec/distance"
)

// planeCodes keep a few bits per dimension of a row in a frame, as planes: codes of the RaBitQ family (Gao and Long,
// arXiv:2405.12497; Gao et al., arXiv:2409.09913). The first plane, the signs, is a code of one bit by itself and has
// factors of its own, so that a row may be given up after its first cache lines.
type planeCodes struct {
	frame     *frame
	bits      int
	words     int // of 64 coordinates in a plane
	stride    int
	grid      grid
	steps     []float64 // of the grid, in units of the root mean square of a row, to choose from
	tan2      float64   // squared tangent of the angle between a row and its code, if normally distributed
	twoPasses bool
}

// optimalStep is the step of the uniform quantizer of 2^bits levels that errs least on a normal distribution of
// variance 1, and error what share of the square it leaves (Max, 1960).
func optimalStep(bits int) (step, share float64) {
	switch bits {
	case 4:
		return 0.3352, 0.01154
	case 2:
		return 0.9957, 0.1188
	}
	return 1.5958, 1 - 2/math.Pi
}

// leastSpared is how many bytes a first pass must be able to spare. It costs another miss for each row that survives it:
// with 128 bytes spared it pays up to about a third of the rows surviving (4 bits at 256 dimensions, 2 at 768), with 320
// up to about two thirds (4 bits at 768), with 64 never (BenchmarkGather).
const leastSpared = 128

// spreads are the steps tried for a row, relative to the optimal one, which is the last: with more coordinates the best one
// lies closer. They take 34 % off the squared error of 4 bits at 16 dimensions, 12 % at 100 and 1.5 % at 768; fourteen
// steps would take off 38, 14 and 1.9 %.
func spreads(dim int) []float64 {
	if dim >= 256 {
		return []float64{0.93, 1.08, 1}
	}
	return []float64{0.8, 0.9, 1.1, 1.2, 1}
}

func newPlaneCodes(p Params) *planeCodes {
	z := &planeCodes{frame: newFrame(p), bits: p.Bits, words: (p.Dim + 63) / 64}
	z.stride = (distance.PlaneRowBytes(p.Bits, z.planeBytes()) + codeAlign - 1) &^ (codeAlign - 1)
	half := float32(int(1) << (p.Bits - 1))
	z.grid = grid{shift: 0.5, low: -half, high: half - 1, zero: half}
	step, share := optimalStep(p.Bits)
	z.tan2 = share / (1 - share)
	z.steps = []float64{step}
	if p.Bits > 1 { // for signs the step does not matter
		z.steps = z.steps[:0]
		for _, s := range spreads(p.Dim) {
			z.steps = append(z.steps, s*step)
		}
	}
	z.twoPasses = z.stride-distance.FirstPlaneBytes(z.planeBytes()) >= leastSpared
	return z
}

func (z *planeCodes) planeBytes() int { return 8 * z.words }

// rest is where the planes after the first one start.
func (z *planeCodes) rest() int { return z.planeBytes() + distance.PlaneFactorBytes }

// plane returns plane p of a row.
func (z *planeCodes) plane(row []byte, p int) []byte {
	if p == 0 {
		return row[:z.planeBytes()]
	}
	return row[z.rest()+(p-1)*z.planeBytes():][:z.planeBytes()]
}

// Stride implements [Quantizer].
func (z *planeCodes) Stride() int { return z.stride }

// First implements [Quantizer].
func (z *planeCodes) First() int {
	if z.twoPasses {
		return distance.FirstPlaneBytes(z.planeBytes())
	}
	return z.stride
}

// Encode implements [Quantizer]. It panics if dst is not Stride or row is not Dim long.
func (z *planeCodes) Encode(dst []byte, row []float32) {
	if len(dst) != z.stride {
		panic("quant: code buffer of the wrong length")
	}
	s := z.frame.scratch.Get().(*scratch)
	defer z.frame.scratch.Put(s)
	exponent, cross := z.frame.enter(s.x, row)
	abs, square := sums(s.x)
	if !(abs > 0) || !(square <= math.MaxFloat32) {
		clear(dst)
		z.factors(dst).put(planeFactors{term: z.frame.term(0, 0, cross)})
		return
	}
	xv, vv := z.fit(s, square)
	clear(s.u[z.frame.dim:])
	for p := range z.bits {
		packPlane(z.plane(dst, p), s.u, z.bits-1-p)
	}
	clear(dst[distance.PlaneRowBytes(z.bits, z.planeBytes()):])
	xx, dim := float64(square), float64(z.frame.dim)
	z.factors(dst).put(planeFactors{
		scale:     scaled(xx/(2*float64(xv)), exponent),
		term:      z.frame.term(square, exponent, cross),
		first:     scaled(xx/float64(abs), exponent),
		deviation: scaled(z.deviation(xx, float64(xv), vv, z.tan2), exponent),
		firstDev:  scaled(z.deviation(xx, float64(abs), dim, math.Pi/2-1), exponent),
	})
}

// fit rounds s.x to the grid whose direction is nearest to that of the row, and returns Σ x·v and Σ v².
func (z *planeCodes) fit(s *scratch, square float32) (xv float32, vv float64) {
	rms := math.Sqrt(float64(square) / float64(z.frame.dim))
	padding := float64(len(s.x)-z.frame.dim) / 4 // of Σ v²: 0 is no level
	best, bestCos := 0, -1.0
	last := len(z.steps) - 1
	for i, step := range z.steps {
		v, sum := quantise(s.u[:len(s.x)], s.x, float32(1/(step*rms)), z.grid)
		cos := float64(v) * float64(v) / (float64(sum) - padding)
		if i == 0 || cos > bestCos {
			best, bestCos, xv, vv = i, cos, v, float64(sum)-padding
		}
	}
	if best != last {
		quantise(s.u[:len(s.x)], s.x, float32(1/(z.steps[best]*rms)), z.grid)
	}
	return xv, vv
}

// deviation is that of the product of the rescaled code v with a vector of length 1: the error of the code stands
// upright on the row, |x|·tan of their angle long, and points anywhere. Without a rotation it may lie along the other
// vector. usual is tan² of a normally distributed row: a row that is much nearer to its code is so by chance, and the
// error of the query, which is taken to be small beside that of the row, would be all.
func (z *planeCodes) deviation(xx, xv, vv, usual float64) float64 {
	tan2 := max(float64(float64(xx*vv)/float64(xv*xv))-1, usual/4)
	return math.Sqrt(float64(xx*tan2) / z.freedom())
}

// freedom is the number of directions that an error may take.
func (z *planeCodes) freedom() float64 {
	if !z.frame.rotates() {
		return 1
	}
	return float64(z.frame.dim - 1)
}

// planeFactors are the factors of a row, see [distance.PlaneDistances].
type planeFactors struct{ scale, term, first, deviation, firstDev float32 }

// factorBytes are the bytes of a row's factors.
type factorBytes []byte

func (z *planeCodes) factors(row []byte) factorBytes {
	return row[z.planeBytes():][:distance.PlaneFactorBytes]
}

func (b factorBytes) put(f planeFactors) {
	binary.LittleEndian.PutUint32(b, math.Float32bits(f.scale))
	binary.LittleEndian.PutUint32(b[4:], math.Float32bits(f.term))
	binary.LittleEndian.PutUint32(b[8:], math.Float32bits(f.first))
	binary.LittleEndian.PutUint16(b[12:], roundUp(f.deviation))
	binary.LittleEndian.PutUint16(b[14:], roundUp(f.firstDev))
}

// roundUp returns the least bfloat16 from x on; x is not negative.
func roundUp(x float32) uint16 {
	const largest = 0x7f7f
	return uint16(min((math.Float32bits(x)+0xffff)>>16, largest))
}

func (b factorBytes) scale() float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }
func (b factorBytes) term() float32  { return math.Float32frombits(binary.LittleEndian.Uint32(b[4:])) }
func (b factorBytes) deviation() float32 {
	return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[12:])) << 16)
}

// mask has the bits of word w that stand for coordinates.
func (z *planeCodes) mask(w int) uint64 { return ^uint64(0) >> max(64*(w+1)-z.frame.dim, 0) }

// word returns word w of a plane without what lies beyond the dimension.
func (z *planeCodes) word(plane []byte, w int) uint64 {
	return binary.LittleEndian.Uint64(plane[8*w:]) & z.mask(w)
}
