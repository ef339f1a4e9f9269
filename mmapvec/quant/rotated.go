package quant

import (
	"encoding/binary"
	"math"
	"sync"
	"unsafe"

	"github.com/isobath/isobath/mmapvec/distance"
)

// Rotated8 keeps one byte per dimension of the randomly rotated row, with a scale and the squared length of its own for
// each row. Needs no training. For [distance.Dot] and [distance.L2]: a rotation does not preserve Manhattan distances.
type Rotated8 struct {
	params   Params
	stride   int
	rotation *rotation
	scratch  sync.Pool // of *[]float32, paddedDim long
}

const (
	codeAlign = 64 // bytes: rows start on cache lines
	codeZero  = 128
	maxCode   = 127
	maxDim    = 1 << 16 // what the kernels sum within int32
)

// NewRotated8 returns the quantizer. It panics on a metric other than Dot and L2 and on a dimension out of range: those
// are for the caller to refuse.
func NewRotated8(p Params) *Rotated8 {
	if p.Metric != distance.Dot && p.Metric != distance.L2 {
		panic("quant: rotated codes do not fit metric " + p.Metric.String())
	}
	if p.Dim < 1 || p.Dim > maxDim {
		panic("quant: dimension out of range")
	}
	z := &Rotated8{params: p, rotation: newRotation(p.Dim, p.Seed)}
	z.stride = (p.Dim + distance.CodeFactorBytes + codeAlign - 1) / codeAlign * codeAlign
	z.scratch.New = func() any {
		x := make([]float32, paddedDim(p.Dim))
		return &x
	}
	return z
}

// Stride implements [Quantizer].
func (z *Rotated8) Stride() int { return z.stride }

// Encode implements [Quantizer]. It panics if dst is not Stride or row is not Dim long.
func (z *Rotated8) Encode(dst []byte, row []float32) {
	if len(dst) != z.stride {
		panic("quant: code buffer of the wrong length")
	}
	x := z.scratch.Get().(*[]float32)
	scale, norm := z.encode(dst[:z.stride-distance.CodeFactorBytes], row, *x)
	z.scratch.Put(x)
	putFactors(dst, scale, norm)
}

// encode writes the code of row without factors to dst, zeros behind it, and returns the factors. x is scratch.
func (z *Rotated8) encode(dst []byte, row, x []float32) (scale, norm float32) {
	if len(row) != z.params.Dim {
		panic("quant: row of the wrong dimension")
	}
	exponent := load(x, row)
	z.rotation.rotate(x)
	limit := maxAbs(x)
	if !(limit > 0) {
		limit = 1 // a zero row
	}
	xv, xx := round(dst[:len(x)], x, maxCode/limit) // the factors start at a multiple of 8 too
	clear(dst[z.params.Dim:])
	return finish(xv, xx, exponent)
}

// load copies row to x, zeros behind it, scaled by 2^-exponent so that squares neither overflow nor vanish.
func load(x, row []float32) (exponent int) {
	clear(x[copy(x, row):])
	limit := maxAbs(x)
	const small, large = 0x1p-50, 0x1p40
	if limit == 0 || (limit > small && limit < large) {
		return 0
	}
	_, exponent = math.Frexp(float64(limit))
	if math.IsInf(float64(limit), 0) {
		exponent = 128
	}
	by := math.Ldexp(1, -exponent)
	for i, v := range x {
		x[i] = float32(float64(v) * by)
	}
	return exponent
}

// finish returns the scale that makes the code's product with its own row exact, which takes the error along the row,
// the one that all near neighbours share, out of every estimate; and the squared length.
func finish(xv, xx float32, exponent int) (scale, norm float32) {
	if !(xv > 0) || !(xx <= math.MaxFloat32) {
		return 0, 0
	}
	return saturate(math.Ldexp(float64(xx)/float64(xv), exponent)), saturate(math.Ldexp(float64(xx), 2*exponent))
}

func saturate(x float64) float32 { return float32(min(x, math.MaxFloat32)) }

func putFactors(row []byte, scale, norm float32) {
	f := row[len(row)-distance.CodeFactorBytes:]
	binary.LittleEndian.PutUint32(f, math.Float32bits(scale))
	binary.LittleEndian.PutUint32(f[4:], math.Float32bits(norm))
}

func factors(row []byte) (scale, norm float32) {
	f := row[len(row)-distance.CodeFactorBytes:]
	return math.Float32frombits(binary.LittleEndian.Uint32(f)), math.Float32frombits(binary.LittleEndian.Uint32(f[4:]))
}

// NewQuery implements [Quantizer].
func (z *Rotated8) NewQuery() Query {
	// Start on a cache line: the kernels read the query once for each row.
	buf := make([]int8, z.stride+codeAlign)
	skip := int(-uintptr(unsafe.Pointer(&buf[0])) % codeAlign)
	return &rotated8Query{
		z:    z,
		code: buf[skip : skip+z.stride : skip+z.stride],
		x:    make([]float32, paddedDim(z.params.Dim)),
	}
}

type rotated8Query struct {
	z       *Rotated8
	code    []int8    // rounded rotated query, zeros behind: also over the factors of the rows
	x       []float32 // scratch
	factors distance.CodeFactors
	scale   float32
	norm    float32 // squared length
	one     [1]float32
}

func (q *rotated8Query) Reset(v []float32) {
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(&q.code[0])), len(q.code))
	scale, norm := q.z.encode(bytes[:len(bytes)-distance.CodeFactorBytes], v, q.x)
	q.fromCode(bytes, scale, norm)
}

func (q *rotated8Query) ResetCode(code []byte) {
	scale, norm := factors(code[:q.z.stride])
	q.fromCode(code, scale, norm)
}

// fromCode takes the signed code from the row code, which may be the query's own buffer.
func (q *rotated8Query) fromCode(code []byte, scale, norm float32) {
	dim := q.z.params.Dim
	sum := signed(q.code, code, dim) - codeZero*dim
	q.scale, q.norm = scale, norm
	q.factors = distance.CodeFactors{Bias: int32(codeZero * sum), Mul: -scale}
	if q.z.params.Metric == distance.L2 {
		q.factors = distance.CodeFactors{Bias: int32(codeZero * sum), Mul: -2 * scale, Add: norm, NormWeight: 1}
	}
}

func (q *rotated8Query) Distances(codes []byte, ids []uint32, out []float32, _ float32) {
	distance.CodeDistances(q.code, codes, q.z.stride, ids, &q.factors, out)
}

var firstRow = []uint32{0}

func (q *rotated8Query) Distance(code []byte) float32 {
	distance.CodeDistances(q.code, code, q.z.stride, firstRow, &q.factors, q.one[:])
	return q.one[0]
}

// ErrorBound takes the errors of the rounded coordinates for independent and uniform, one step wide, of query and row
// alike: their products with the other vector have a standard deviation of |q|·step/√12 each. Five of them. Without
// rotation, where nothing is random, it is the sum of all errors.
func (q *rotated8Query) ErrorBound() float32 {
	length, step := math.Sqrt(float64(q.norm)), float64(q.scale)
	bound := 5 * math.Sqrt(2.0/12) * length * step
	if q.z.rotation.size == 0 {
		bound = length * step * math.Sqrt(float64(q.z.params.Dim))
	}
	if q.z.params.Metric == distance.L2 {
		bound *= 2
	}
	return saturate(bound)
}
