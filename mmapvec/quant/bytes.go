package quant

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/isobath/isobath/mmapvec/distance"
)

const (
	codeZero = 128
	maxCode  = 127
)

// byteCodes keep one byte per dimension of a row in a frame, with a scale and a term of its own for each row. They need
// no training.
type byteCodes struct {
	frame    *frame
	stride   int
	quantile float32
}

func newByteCodes(p Params) *byteCodes {
	z := &byteCodes{frame: newFrame(p), quantile: p.Quantile}
	z.stride = (p.Dim + distance.CodeFactorBytes + codeAlign - 1) / codeAlign * codeAlign
	return z
}

// Stride implements [Quantizer].
func (z *byteCodes) Stride() int { return z.stride }

// First implements [Quantizer].
func (z *byteCodes) First() int { return z.stride }

// Encode implements [Quantizer]. It panics if dst is not Stride or row is not Dim long.
func (z *byteCodes) Encode(dst []byte, row []float32) {
	if len(dst) != z.stride {
		panic("quant: code buffer of the wrong length")
	}
	s := z.frame.scratch.Get().(*scratch)
	scale, term, _ := z.encode(dst[:z.stride-distance.CodeFactorBytes], row, s)
	z.frame.scratch.Put(s)
	putFactors(dst, scale, term)
}

// encode writes the code of row without factors to dst, zeros behind it, and returns the factors and the length of the
// row in the frame.
func (z *byteCodes) encode(dst []byte, row []float32, s *scratch) (scale, term, length float32) {
	x := s.x
	exponent, cross := z.frame.enter(x, row)
	limit := z.limit(s)
	if z.quantile < 1 { // so that factors are those of what is left
		for i, v := range x {
			x[i] = max(min(v, limit), -limit)
		}
	}
	xv, xx := round(dst[:len(x)], x, maxCode/limit) // the factors start at a multiple of 8 too
	clear(dst[z.frame.dim:])
	if !(xv > 0) || !(xx <= math.MaxFloat32) {
		return 0, z.term(0, 0, cross), 0
	}
	// The scale makes the code's product with its own row exact, which takes the error along the row, the one that all
	// near neighbours share, out of every estimate.
	scale = scaled(float64(xx)/float64(xv), exponent)
	return scale, z.term(xx, exponent, cross), scaled(math.Sqrt(float64(xx)), exponent)
}

// keepsNorm tells whether the term of a code is the squared length, which counts for nothing: Dot about the origin has no
// other use for it.
func (z *byteCodes) keepsNorm() bool { return z.frame.metric == distance.Dot && z.frame.centre == nil }

func (z *byteCodes) term(square float32, exponent int, cross float32) float32 {
	if z.keepsNorm() {
		return scaled(float64(square), 2*exponent)
	}
	return z.frame.term(square, exponent, cross)
}

// limit returns the absolute value that the largest code stands for.
func (z *byteCodes) limit(s *scratch) float32 {
	most := maxAbs(s.x)
	if !(most > 0) {
		return 1 // a zero row
	}
	if z.quantile < 1 {
		absolute := s.values[:z.frame.dim]
		for i := range absolute {
			absolute[i] = maxAbsGeneric(s.x[i : i+1])
		}
		if limit := ranked(absolute, z.frame.dim-1-cutOff(1-z.quantile, z.frame.dim)); limit > 0 {
			return limit
		}
	}
	return most
}

// cutOff is how many of n values are beyond the limit, but never all of them.
func cutOff(share float32, n int) int {
	return min(int(float64(share)*float64(n)+0.5), n-1)
}

// ranked returns the value that v would have at index k if it were sorted, and moves values of v about. NaN has no rank.
func ranked(v []float32, k int) float32 {
	for low, high := 0, len(v)-1; low < high; { // quickselect, as Hoare's
		pivot := v[(low+high)/2]
		i, j := low, high
		for i <= j {
			for i < high && v[i] < pivot {
				i++
			}
			for j > low && v[j] > pivot {
				j--
			}
			if i <= j {
				v[i], v[j] = v[j], v[i]
				i++
				j--
			}
		}
		switch {
		case k <= j:
			high = j
		case k >= i:
			low = i
		default:
			return v[k]
		}
	}
	return v[k]
}

func putFactors(row []byte, scale, term float32) {
	f := row[len(row)-distance.CodeFactorBytes:]
	binary.LittleEndian.PutUint32(f, math.Float32bits(scale))
	binary.LittleEndian.PutUint32(f[4:], math.Float32bits(term))
}

func factors(row []byte) (scale, term float32) {
	f := row[len(row)-distance.CodeFactorBytes:]
	return math.Float32frombits(binary.LittleEndian.Uint32(f)), math.Float32frombits(binary.LittleEndian.Uint32(f[4:]))
}

// NewQuery implements [Quantizer].
func (z *byteCodes) NewQuery() Query {
	return &byteQuery{z: z, code: aligned[int8](z.stride), scratch: z.frame.newScratch()}
}

type byteQuery struct {
	z       *byteCodes
	code    []int8 // rounded query, zeros behind: also over the factors of the rows
	scratch *scratch
	factors distance.CodeFactors
	scale   float32
	length  float32 // in the frame; below 0: not computed yet
	one     [1]float32
}

func (q *byteQuery) Reset(v []float32) {
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(&q.code[0])), len(q.code))
	scale, term, length := q.z.encode(bytes[:len(bytes)-distance.CodeFactorBytes], v, q.scratch)
	q.fromCode(bytes, scale, term)
	q.length = length
}

func (q *byteQuery) ResetCode(code []byte) {
	scale, term := factors(code[:q.z.stride])
	q.fromCode(code, scale, term)
	q.length = -1
}

// fromCode takes the signed code from the row code, which may be the query's own buffer.
func (q *byteQuery) fromCode(code []byte, scale, term float32) {
	dim := q.z.frame.dim
	sum := signed(q.code, code, dim) - codeZero*dim
	q.scale = scale
	q.factors = distance.CodeFactors{Bias: int32(codeZero * sum), Mul: q.z.frame.factor() * scale}
	if !q.z.keepsNorm() {
		q.factors.Add, q.factors.NormWeight = q.z.frame.queryTerm(term), 1
	}
}

func (q *byteQuery) Distances(codes []byte, ids []uint32, out []float32, _ float32) {
	distance.CodeDistances(q.code, codes, q.z.stride, ids, &q.factors, out)
}

func (q *byteQuery) Distance(code []byte) float32 {
	distance.CodeDistances(q.code, code, q.z.stride, firstRow, &q.factors, q.one[:])
	return q.one[0]
}

// Deviation takes the errors of the rounded coordinates for independent and uniform, one step wide, of query and row
// alike: their products with the other vector have a variance of |q|²·step²/12 each. Where coordinates are cut off,
// nothing is known.
func (q *byteQuery) Deviation(code []byte) float32 {
	if q.z.quantile < 1 {
		return 0
	}
	if q.length < 0 {
		var sum float64
		for _, v := range q.code {
			sum += float64(v) * float64(v)
		}
		q.length = saturate(float64(q.scale) * math.Sqrt(sum))
	}
	scale, _ := factors(code[:q.z.stride])
	return saturate(math.Abs(float64(q.z.frame.factor())*float64(q.length)*float64(scale)) * math.Sqrt(2.0/12))
}
