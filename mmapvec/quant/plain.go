package quant

import (
	"math"

	"github.com/isobath/isobath/mmapvec/distance"
)

// Plain8 keeps one byte per dimension between the least and the largest value of the row, unrotated; queries stay
// float32. For [distance.L1], which a rotation would destroy.
type Plain8 struct {
	dim, stride int
}

// New returns the 8-bit quantizer that fits the metric. It panics as the constructors do.
func New(p Params) Quantizer {
	if p.Metric == distance.L1 {
		return NewPlain8(p)
	}
	return NewRotated8(p)
}

// NewPlain8 returns the quantizer; the seed does not matter. It panics on a metric other than L1 and on a dimension out
// of range: those are for the caller to refuse.
func NewPlain8(p Params) *Plain8 {
	if p.Metric != distance.L1 {
		panic("quant: plain codes do not fit metric " + p.Metric.String())
	}
	if p.Dim < 1 || p.Dim > maxDim {
		panic("quant: dimension out of range")
	}
	z := &Plain8{dim: p.Dim}
	z.stride = (z.padded() + distance.CodeFactorBytes + codeAlign - 1) / codeAlign * codeAlign
	return z
}

func (z *Plain8) padded() int { return (z.dim + distance.CodeGroup - 1) &^ (distance.CodeGroup - 1) }

// Stride implements [Quantizer].
func (z *Plain8) Stride() int { return z.stride }

// Encode implements [Quantizer]. It panics if dst is not Stride or row is not Dim long.
func (z *Plain8) Encode(dst []byte, row []float32) {
	if len(dst) != z.stride {
		panic("quant: code buffer of the wrong length")
	}
	if len(row) != z.dim {
		panic("quant: row of the wrong dimension")
	}
	least, most := row[0], row[0]
	for _, x := range row {
		least, most = min(least, x), max(most, x)
	}
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
		codes[i] = byte(int32(v))
	}
	clear(dst[len(row):])
	putFactors(dst, float32(step), finite(least))
}

// finite replaces what is no number by zero.
func finite(x float32) float32 {
	if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
		return 0
	}
	return x
}

// NewQuery implements [Quantizer].
func (z *Plain8) NewQuery() Query {
	return &plain8Query{z: z, q: make([]float32, z.padded())}
}

type plain8Query struct {
	z    *Plain8
	q    []float32 // the query, zeros behind
	step float64   // of the query's own code
	one  [1]float32
}

func (q *plain8Query) Reset(v []float32) {
	if len(v) != q.z.dim {
		panic("quant: query of the wrong dimension")
	}
	copy(q.q, v)
	least, most := v[0], v[0]
	for _, x := range v {
		least, most = min(least, x), max(most, x)
	}
	q.step = (float64(most) - float64(least)) / 255
}

func (q *plain8Query) ResetCode(code []byte) {
	scale, offset := factors(code[:q.z.stride])
	dst := q.q[:q.z.dim]
	for i, c := range code[:q.z.dim] {
		dst[i] = float32(scale*float32(c)) + offset
	}
	q.step = float64(scale)
}

func (q *plain8Query) Distances(codes []byte, ids []uint32, out []float32, _ float32) {
	distance.CodeDistancesL1(q.q, q.z.dim, codes, q.z.stride, ids, out)
}

func (q *plain8Query) Distance(code []byte) float32 {
	distance.CodeDistancesL1(q.q, q.z.dim, code, q.z.stride, firstRow, q.one[:])
	return q.one[0]
}

// ErrorBound is for a row with the query's step: errors are at most half a step; where values nearly agree they add up
// (a quarter of a step each), elsewhere they cancel out (five standard deviations of step·√(dim/12)).
func (q *plain8Query) ErrorBound() float32 {
	dim := float64(q.z.dim)
	return saturate(q.step * min(dim/2, dim/4+5*math.Sqrt(dim/12)))
}
