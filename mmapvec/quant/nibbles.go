package quant

import (
	"encoding/binary"
	"math"

	"github.com/isobath/isobath/mmapvec/distance"
)

// nibbleCodes keep four bits per dimension of a row in a frame, two coordinates to a byte: the same codes as four planes, for
// rows so short that nothing is gained by looking at a plane first. Up to 108 dimensions are one cache line.
type nibbleCodes struct {
	gridCodes
	half   int // coordinates in low halves: coordinate i+half is above coordinate i
	stride int
}

// nibbleFactorBytes end a row: the deviation of its code, bfloat16, before scale and term.
const nibbleFactorBytes = 2 + distance.CodeFactorBytes

const nibbleTop = 1<<4 - 1 // largest code: u stands for 2·u - nibbleTop

func newNibbleCodes(p Params) *nibbleCodes {
	z := &nibbleCodes{gridCodes: newGridCodes(p), half: (p.Dim + 1) / 2}
	z.stride = (z.half + nibbleFactorBytes + codeAlign - 1) &^ (codeAlign - 1)
	return z
}

// Stride implements [Quantizer].
func (z *nibbleCodes) Stride() int { return z.stride }

// First implements [Quantizer].
func (z *nibbleCodes) First() int { return z.stride }

// Encode implements [Quantizer]. It panics if dst is not Stride or row is not Dim long.
func (z *nibbleCodes) Encode(dst []byte, row []float32) {
	if len(dst) != z.stride {
		panic("quant: code buffer of the wrong length")
	}
	s := z.frame.scratch.Get().(*scratch)
	defer z.frame.scratch.Put(s)
	exponent, cross := z.frame.enter(s.x, row)
	abs, square := sums(s.x)
	if !(abs > 0) || !(square <= math.MaxFloat32) {
		clear(dst)
		putFactors(dst, 0, z.frame.term(0, 0, cross))
		return
	}
	xv, vv := z.fit(s, square)
	low, high := s.u[:z.half], s.u[z.half:z.frame.dim]
	copy(dst, low)
	for i, u := range high {
		dst[i] |= u << 4
	}
	clear(dst[z.half:])
	xx := float64(square)
	putFactors(dst, scaled(xx/(2*float64(xv)), exponent), z.frame.term(square, exponent, cross))
	deviation := scaled(z.deviation(xx, float64(xv), vv, z.tan2), exponent)
	binary.LittleEndian.PutUint16(dst[z.stride-nibbleFactorBytes:], roundUp(deviation))
}

// NewQuery implements [Quantizer].
func (z *nibbleCodes) NewQuery() Query {
	return &nibbleQuery{z: z, code: aligned[int8](2 * z.stride), scratch: z.frame.newScratch()}
}

// A nibbleQuery is rounded to bytes.
type nibbleQuery struct {
	z       *nibbleCodes
	code    []int8 // as distance.NibbleDistances takes it, zeros over what is no code
	factors distance.CodeFactors
	length  float64 // in the frame; below 0: not measured yet
	tan2    float64 // of the angle between the query and code
	perRow  float64 // deviations of a row; only after measure
	scale   float32 // of code
	scratch *scratch
	one     [1]float32
}

func (q *nibbleQuery) Reset(v []float32) {
	z, s := q.z, q.scratch
	exponent, cross := z.frame.enter(s.x, v)
	_, square := sums(s.x)
	limit := maxAbs(s.x)
	if !(limit > 0) || !(square <= math.MaxFloat32) {
		clear(q.code)
		q.length, q.tan2 = 0, 0
		q.setFactors(z.frame.term(0, 0, cross), 0, 0)
		return
	}
	xx, step := float64(square), float64(limit)/maxCode
	q.length = math.Ldexp(math.Sqrt(xx), exponent)
	q.tan2 = float64(z.frame.dim) * step * step / 12 / xx
	xv, _ := round(s.u[:len(s.x)], s.x, maxCode/limit)
	sum := 0
	for i, u := range s.u[:z.frame.dim] {
		w := int8(u - codeZero)
		sum += int(w)
		q.code[z.place(i)] = w
	}
	q.setFactors(z.frame.term(square, exponent, cross), scaled(xx/float64(xv), exponent), sum)
}

// place returns where the value of a coordinate is in the code of a query.
func (z *nibbleCodes) place(coordinate int) int {
	const line = 64 // bytes of a row, twice as many of a query
	at, above := coordinate, 0
	if at >= z.half {
		at, above = at-z.half, line
	}
	return at/line*2*line + at%line + above
}

// setFactors makes distances of the sums of the query's code.
func (q *nibbleQuery) setFactors(term, scale float32, sum int) {
	z := q.z
	q.scale = scale
	q.factors = distance.CodeFactors{Bias: int32(nibbleTop * sum), Mul: z.frame.factor() * scale, Add: z.frame.queryTerm(term), NormWeight: 1}
	if q.length >= 0 {
		q.perRow = z.deviations(q.length, q.tan2, z.bits)
	}
}

// ResetCode takes the values of the code as they are.
func (q *nibbleQuery) ResetCode(code []byte) {
	z := q.z
	code = code[:z.stride]
	sum := 0
	for from := 0; from < z.half; from += 64 {
		line := code[from:min(from+64, z.half)]
		low, high := q.code[2*from:][:len(line)], q.code[2*from+64:][:len(line)]
		for i, pair := range line {
			a, b := 2*int8(pair&15)-nibbleTop, 2*int8(pair>>4)-nibbleTop
			low[i], high[i] = a, b
			sum += int(a) + int(b)
		}
	}
	if z.frame.dim%2 != 0 { // the last byte has no high half
		last := &q.code[z.place(z.half-1)+64]
		sum -= int(*last)
		*last = 0
	}
	scale, term := factors(code)
	q.length, q.tan2 = -1, z.tan2
	q.setFactors(term, scale, sum)
}

// measure finds the length of a query that was a code.
func (q *nibbleQuery) measure() {
	if q.length >= 0 {
		return
	}
	q.length = lengthOf(q.code, q.scale, q.tan2)
	q.perRow = q.z.deviations(q.length, q.tan2, q.z.bits)
}

func (q *nibbleQuery) Distances(codes []byte, ids []uint32, out []float32, _ float32) {
	distance.NibbleDistances(q.code, codes, q.z.stride, ids, &q.factors, out)
}

func (q *nibbleQuery) Distance(code []byte) float32 {
	distance.NibbleDistances(q.code, code, q.z.stride, firstRow, &q.factors, q.one[:])
	return q.one[0]
}

func (q *nibbleQuery) Deviation(code []byte) float32 {
	q.measure()
	row := float64(bfloat(code[q.z.stride-nibbleFactorBytes:]))
	return saturate(math.Abs(row * q.perRow))
}
