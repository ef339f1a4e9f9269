package quant

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/isobath/isobath/internal/prefetch"
	"github.com/isobath/isobath/mmapvec/distance"
)

const (
	// firstPassDeviations is how many deviations of the first plane's estimate a row's estimate must lie beyond the
	// bound for the row to be given up. With the bound at the 100th of the 1000 nearest rows, 2 lose at most 0.2 % of
	// the 100, those close to the bound, and 13 to 20 % of the 1000 survive at 768 dimensions (14 to 31 % at 256,
	// clustered to skewed data); 3 lose none, and 13 to 27 % (16 to 46 %) survive.
	firstPassDeviations = 2
	passRows            = 256 // of one first pass and its second
	siftedLines         = 8   // of a row that Sift has the processor load at most; the kernels ask for the rest
	lineBytes           = 64
	queryPlanes         = 4 // of the query of the first pass: whole numbers from -7 to 7
	// firstStep is the step of the grid of the first pass, in units of the root mean square, if the largest coordinate
	// does not allow a smaller one.
	firstStep = 0.36
)

var firstGrid = grid{low: -7, high: 7, zero: 16} // the low four bits are two's complement

// NewQuery implements [Quantizer].
func (z *planeCodes) NewQuery() Query {
	code := aligned[int8](64 * z.words)
	first := aligned[byte](queryPlanes * distance.FirstPlaneBytes(z.planeBytes()))
	return &planeQuery{
		z:       z,
		code:    code,
		rows:    distance.NewPlaneQuery(code),
		first:   first,
		firsts:  distance.NewFirstQuery(first, z.planeBytes()),
		scratch: z.frame.newScratch(),
		planes:  make([]byte, queryPlanes*z.planeBytes()),
	}
}

// A planeQuery is rounded twice: to bytes for whole rows, and to four bits for their first planes.
type planeQuery struct {
	z       *planeCodes
	code    []int8               // the query for whole rows, zeros behind
	rows    *distance.PlaneQuery // of code
	first   []byte               // the planes of the query for first planes, line by line, zeros behind
	firsts  *distance.FirstQuery // of first
	whole   distance.PlaneFactors
	bound   distance.PlaneFactors // its Deviations only after measure
	length  float64               // in the frame; below 0: not measured yet
	tan2    float64               // of the angle between the query and code
	tan2Of4 float64               // and between the query and first
	perRow  float64               // deviations of a whole row; only after measure
	scale   float32               // of code
	pending []byte                // the code that first is to be made of; nil: first is what it should be
	scratch *scratch
	planes  []byte // scratch: the query's, one after the other

	survivors [passRows]uint32 // ids of rows for the second pass
	at        [passRows]uint32 // where their distances go
	results   [passRows]float32
	one       [1]float32
}

func (q *planeQuery) Reset(v []float32) {
	z, s := q.z, q.scratch
	q.pending = nil
	exponent, cross := z.frame.enter(s.x, v)
	_, square := sums(s.x)
	limit := maxAbs(s.x)
	if !(limit > 0) || !(square <= math.MaxFloat32) {
		clear(q.code)
		q.rows.Update()
		clear(q.first)
		q.firsts.Update()
		q.length, q.tan2, q.tan2Of4 = 0, 0, 0
		q.setFactors(z.frame.term(0, 0, cross), 0, 0, 0, 0)
		return
	}
	xx, dim := float64(square), float64(z.frame.dim)
	q.length = math.Ldexp(math.Sqrt(xx), exponent)
	xv, _ := round(s.u[:len(s.x)], s.x, maxCode/limit)
	sum := signed(q.code, s.u, z.frame.dim) - codeZero*z.frame.dim
	q.rows.Update()
	step := float64(limit) / maxCode
	q.tan2 = dim * step * step / 12 / xx
	scale, sum4, scale4 := scaled(xx/float64(xv), exponent), 0, float32(0)
	if z.twoPasses {
		step := min(float64(limit)/float64(firstGrid.high), firstStep*math.Sqrt(xx/dim))
		xv, vv := quantise(s.u[:len(s.x)], s.x, float32(1/step), firstGrid)
		q.tan2Of4 = max(xx*float64(vv)/(float64(xv)*float64(xv))-1, 0)
		sum4, scale4 = q.packFirst(), scaled(xx/float64(xv), exponent)
	}
	q.setFactors(z.frame.term(square, exponent, cross), scale, sum, scale4, sum4)
}

// packFirst writes the codes of the scratch to the planes of the first pass and returns their sum.
func (q *planeQuery) packFirst() (sum int) {
	z, u := q.z, q.scratch.u
	clear(u[z.frame.dim:])
	n := z.planeBytes()
	for p := range queryPlanes {
		packPlane(q.planes[p*n:][:n], u, queryPlanes-1-p)
	}
	for w := range z.words {
		word := func(p int) uint64 { return binary.LittleEndian.Uint64(q.planes[p*n+8*w:]) }
		sum += q.putWords(w, word(0), word(1), word(2), word(3))
	}
	q.firsts.Update()
	return sum
}

// setFactors makes distances of the sums of the query's codes and their scales, those of the first pass last.
func (q *planeQuery) setFactors(term, scale float32, sum int, scale4 float32, sum4 int) {
	z := q.z
	add, factor := z.frame.queryTerm(term), z.frame.factor()
	q.scale = scale
	top := 1<<z.bits - 1
	q.whole = distance.PlaneFactors{Bias: int32(top * sum), Mul: factor * scale, Add: add}
	q.bound = distance.PlaneFactors{Bias: int32(sum4), Mul: factor * scale4, Add: add}
	if q.length >= 0 {
		q.setDeviations()
	}
}

// ResetCode takes the values of the code as they are, and for the first pass, when there is one, half of them, rounded
// towards zero.
func (q *planeQuery) ResetCode(code []byte) {
	z := q.z
	code = code[:z.stride]
	sum := unpack(q.code, code, z.planeBytes(), z.rest(), z.bits)
	for i, v := range q.code[z.frame.dim:] {
		sum -= int(v)
		q.code[z.frame.dim+i] = 0
	}
	q.rows.Update()
	f := z.factors(code)
	q.length, q.tan2 = -1, z.tan2
	scale4 := float32(0)
	switch {
	case z.twoPasses && z.bits == 4:
		scale4, q.tan2Of4, q.pending = f.scale()*halvedScale, halvedTan2, code
	case z.twoPasses:
		scale4, q.tan2Of4, q.pending = f.scale(), z.tan2, code
	}
	q.setFactors(f.term(), f.scale(), sum, scale4, 0)
}

// packPending does of ResetCode what only a first pass needs.
func (q *planeQuery) packPending() {
	var sum int
	if q.z.bits == 4 {
		sum = q.firstHalved(q.pending) // towards zero, because an error along the query does no harm
	} else {
		sum = q.firstOf2(q.pending)
	}
	q.bound.Bias, q.pending = int32(sum), nil
}

const (
	// For a row of normally distributed coordinates at the optimal step: how much larger than the scale of its code of
	// four bits that of the halved one is, and the squared tangent of the angle between row and halved code.
	halvedScale = 2.313
	halvedTan2  = 0.0236
)

// firstHalved packs the halved values of a code of four bits and returns their sum: u - 8 from 8 on, u - 7 below.
func (q *planeQuery) firstHalved(code []byte) (sum int) {
	z := q.z
	p0, p1, p2, p3 := z.plane(code, 0), z.plane(code, 1), z.plane(code, 2), z.plane(code, 3)
	for w := range z.words {
		// Taking 8 off flips the top bit; those below zero get one more, which carries.
		sign := z.mask(w) &^ z.word(p0, w)
		carry := sign
		b, c, d := z.word(p1, w), z.word(p2, w), z.word(p3, w)
		d, carry = d^carry, d&carry
		c, carry = c^carry, c&carry
		b, carry = b^carry, b&carry
		sum += q.putWords(w, sign^carry, b, c, d)
	}
	q.firsts.Update()
	return sum
}

// firstOf2 packs the values of a code of two bits, which are -3, -1, 1 and 3, and returns their sum.
func (q *planeQuery) firstOf2(code []byte) (sum int) {
	z := q.z
	top, low := z.plane(code, 0), z.plane(code, 1)
	for w := range z.words {
		mask := z.mask(w)
		negative := mask &^ z.word(top, w)
		sum += q.putWords(w, negative, negative, z.word(low, w), mask)
	}
	q.firsts.Update()
	return sum
}

// putWords puts word w of the four planes and returns the sum of its numbers.
func (q *planeQuery) putWords(w int, a, b, c, d uint64) (sum int) {
	const lineWords = lineBytes / 8
	at := q.first[w/lineWords*queryPlanes*lineBytes+w%lineWords*8:][:3*lineBytes+8]
	binary.LittleEndian.PutUint64(at, a)
	binary.LittleEndian.PutUint64(at[lineBytes:], b)
	binary.LittleEndian.PutUint64(at[2*lineBytes:], c)
	binary.LittleEndian.PutUint64(at[3*lineBytes:], d)
	return -8*bits.OnesCount64(a) + 4*bits.OnesCount64(b) + 2*bits.OnesCount64(c) + bits.OnesCount64(d)
}

// setDeviations sets how far the bound of the first pass lies below the estimate, and the deviations of whole rows.
func (q *planeQuery) setDeviations() {
	q.perRow = q.z.deviations(q.length, q.tan2, q.z.bits)
	q.bound.Deviations = saturate(firstPassDeviations * q.z.deviations(q.length, q.tan2Of4, 1))
}

// measure finds the length of a query that was a code.
func (q *planeQuery) measure() {
	if q.length >= 0 {
		return
	}
	q.length = lengthOf(q.code, q.scale, q.tan2)
	q.setDeviations()
}

func (q *planeQuery) Distances(codes []byte, ids []uint32, out []float32, bound float32) {
	if !q.z.twoPasses || !(bound < math.MaxFloat32) {
		distance.PlaneDistances(q.z.bits, q.rows, codes, q.z.stride, ids, &q.whole, out)
		return
	}
	q.measure()
	for len(ids) > 0 {
		n := min(len(ids), passRows)
		q.pass(codes, ids[:n], out, bound)
		ids, out = ids[n:], out[n:]
	}
}

// Sift implements [Sifter].
func (q *planeQuery) Sift(codes []byte, ids, kept []uint32, bound float32) (n int) {
	if !(bound < math.MaxFloat32) {
		return copy(kept, ids)
	}
	q.measure()
	for len(ids) > 0 {
		part := ids[:min(len(ids), passRows)]
		q.bounds(codes, part, q.results[:])
		for i, id := range part {
			kept[n] = id
			if q.results[i] < bound {
				n++
			}
		}
		ids = ids[len(part):]
	}
	first := q.z.First()
	prefetch.Rows(codes[min(first, len(codes)):], q.z.stride, min((q.z.stride-first)/64, siftedLines), kept[:n])
	return n
}

// bounds writes to out the least distances that first planes let expect.
func (q *planeQuery) bounds(codes []byte, ids []uint32, out []float32) {
	if q.pending != nil {
		q.packPending()
	}
	distance.FirstPlaneBounds(q.firsts, codes, q.z.stride, ids, &q.bound, out)
}

// pass scores first planes, and whole rows where these leave a row in question.
func (q *planeQuery) pass(codes []byte, ids []uint32, out []float32, bound float32) {
	z := q.z
	q.bounds(codes, ids, out)
	n := 0
	for i, least := range out[:len(ids)] {
		q.survivors[n], q.at[n] = ids[i], uint32(i)
		if least < bound {
			n++
		}
	}
	distance.PlaneDistances(z.bits, q.rows, codes, z.stride, q.survivors[:n], &q.whole, q.results[:n])
	for i, at := range q.at[:n] {
		out[at] = q.results[i]
	}
}

func (q *planeQuery) Distance(code []byte) float32 {
	distance.PlaneDistances(q.z.bits, q.rows, code, q.z.stride, firstRow, &q.whole, q.one[:])
	return q.one[0]
}

func (q *planeQuery) Deviation(code []byte) float32 {
	q.measure()
	row := float64(q.z.factors(code).deviation())
	return saturate(math.Abs(row * q.perRow))
}
