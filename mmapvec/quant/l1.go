package quant

import (
	"math"
	"slices"

	"github.com/isobath/isobath/mmapvec/distance"
)

// l1Codes keep one byte per dimension between the least and the largest value of the row, unrotated; queries stay
// float32. For [distance.L1], which a rotation does not preserve.
type l1Codes struct {
	dim, stride int
	quantile    float32
}

func newL1Codes(p Params) *l1Codes {
	z := &l1Codes{dim: p.Dim, quantile: p.Quantile}
	z.stride = (z.padded() + distance.CodeFactorBytes + codeAlign - 1) / codeAlign * codeAlign
	return z
}

func (z *l1Codes) padded() int { return (z.dim + distance.CodeGroup - 1) &^ (distance.CodeGroup - 1) }

// Stride implements [Quantizer].
func (z *l1Codes) Stride() int { return z.stride }

// First implements [Quantizer].
func (z *l1Codes) First() int { return z.stride }

// Encode implements [Quantizer]. It panics if dst is not Stride or row is not Dim long.
func (z *l1Codes) Encode(dst []byte, row []float32) {
	if len(dst) != z.stride {
		panic("quant: code buffer of the wrong length")
	}
	if len(row) != z.dim {
		panic("quant: row of the wrong dimension")
	}
	least, most := z.limits(row)
	step := (float64(most) - float64(least)) / 255
	if !(step > 0 && step < math.MaxFloat32) {
		step = 0 // a constant row, or not finite
	}
	inv := 0.0
	if float32(step) > 0 {
		step = float64(float32(step)) // what the decoder will use
		inv = 1 / step
	}
	codes := dst[:len(row)]
	for i, x := range row {
		// Conversions stop fusing: codes are the same on every machine.
		v := float64((float64(x)-float64(least))*inv) + 0.5
		if !(v < 255) {
			v = 255 // also NaN
		}
		if v < 0 {
			v = 0
		}
		codes[i] = byte(int32(v))
	}
	clear(dst[len(row):])
	putFactors(dst, float32(step), finite(least))
}

// limits returns the values that the least and the largest code stand for.
func (z *l1Codes) limits(row []float32) (least, most float32) {
	if z.quantile < 1 {
		values := slices.Clone(row)
		cut := cutOff((1-z.quantile)/2, z.dim)
		if least, most = ranked(values, cut), ranked(values, z.dim-1-cut); least < most {
			return least, most
		}
	}
	least, most = row[0], row[0]
	for _, x := range row {
		least, most = min(least, x), max(most, x)
	}
	return least, most
}

// finite replaces what is no number by zero.
func finite(x float32) float32 {
	if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
		return 0
	}
	return x
}

// NewQuery implements [Quantizer].
func (z *l1Codes) NewQuery() Query {
	return &l1Query{z: z, q: make([]float32, z.padded())}
}

type l1Query struct {
	z    *l1Codes
	q    []float32 // the query, zeros behind
	step float64   // of the query, if it was a code
	one  [1]float32
}

func (q *l1Query) Reset(v []float32) {
	if len(v) != q.z.dim {
		panic("quant: query of the wrong dimension")
	}
	copy(q.q, v)
	q.step = 0
}

func (q *l1Query) ResetCode(code []byte) {
	scale, offset := factors(code[:q.z.stride])
	dst := q.q[:q.z.dim]
	for i, c := range code[:q.z.dim] {
		dst[i] = float32(scale*float32(c)) + offset
	}
	q.step = float64(scale)
}

func (q *l1Query) Distances(codes []byte, ids []uint32, out []float32, _ float32) {
	distance.CodeDistancesL1(q.q, q.z.dim, codes, q.z.stride, ids, out)
}

func (q *l1Query) Distance(code []byte) float32 {
	distance.CodeDistancesL1(q.q, q.z.dim, code, q.z.stride, firstRow, q.one[:])
	return q.one[0]
}

// Deviation takes the errors of the rounded values for independent and uniform, one step wide. Where query and row agree
// to less than a step, errors do not cancel out, and estimates are too large by a quarter of a step for each value.
func (q *l1Query) Deviation(code []byte) float32 {
	if q.z.quantile < 1 {
		return 0
	}
	scale, _ := factors(code[:q.z.stride])
	return saturate(math.Sqrt(float64(q.z.dim) / 12 * (float64(scale)*float64(scale) + q.step*q.step)))
}
