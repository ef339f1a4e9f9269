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
	gridCodes
	words     int // of 64 coordinates in a plane
	stride    int
	twoPasses bool
}

// leastSpared is how many bytes a first pass must be able to spare. It costs another miss for each row that survives it:
// with 128 bytes spared it pays up to about a third of the rows surviving (4 bits at 256 dimensions, 2 at 768), with 320
// up to about two thirds (4 bits at 768), with 64 never (BenchmarkGather).
const leastSpared = 128

func newPlaneCodes(p Params) *planeCodes {
	z := &planeCodes{gridCodes: newGridCodes(p), words: (p.Dim + 63) / 64}
	z.stride = (distance.PlaneRowBytes(p.Bits, z.planeBytes()) + codeAlign - 1) &^ (codeAlign - 1)
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

func (b factorBytes) scale() float32     { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }
func (b factorBytes) term() float32      { return math.Float32frombits(binary.LittleEndian.Uint32(b[4:])) }
func (b factorBytes) deviation() float32 { return bfloat(b[12:]) }

// mask has the bits of word w that stand for coordinates.
func (z *planeCodes) mask(w int) uint64 { return ^uint64(0) >> max(64*(w+1)-z.frame.dim, 0) }

// word returns word w of a plane without what lies beyond the dimension.
func (z *planeCodes) word(plane []byte, w int) uint64 {
	return binary.LittleEndian.Uint64(plane[8*w:]) & z.mask(w)
}
