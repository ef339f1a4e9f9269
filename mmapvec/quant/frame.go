package quant

import (
	"math"
	"sync"
	"unsafe"

	"github.com/isobath/isobath/mmapvec/distance"
)

const (
	codeAlign = 64      // bytes: rows start on cache lines
	maxDim    = 1 << 16 // what the kernels sum within int32
)

// A frame is in what coordinates rows for Dot and L2 are encoded: relative to a centre c, and rotated. With x' = x - c
// the metrics become
//
//	L2  |q' - x'|² = |q'|² + |x'|² - 2·<q',x'>
//	Dot -<q,x> = -<q',x'> - <q',c> - <x',c> - |c|²
//
// so a code keeps one number, its term, to be added to every distance: |x'|², or -<x',c>.
type frame struct {
	dim      int
	metric   distance.Metric
	rotation *rotation // nil: none
	centre   []float32 // paddedDim long; nil: the origin
	square   float32   // |c|²
	scratch  sync.Pool // of *scratch
}

// scratch is the memory of one encoding.
type scratch struct {
	x      []float32 // a row in the frame, paddedDim long
	values []float32 // as many, to be sorted
	u      []byte    // codes before they are packed
}

func newFrame(p Params) *frame {
	f := &frame{dim: p.Dim, metric: p.Metric}
	if !p.Plain {
		f.rotation = newRotation(p.Dim, p.Seed)
	}
	if p.Centre != nil {
		f.centre = make([]float32, paddedDim(p.Dim))
		copy(f.centre, p.Centre)
		_, square := sums(f.centre)
		f.square = saturate(float64(square))
	}
	f.scratch.New = func() any { return f.newScratch() }
	return f
}

func (f *frame) newScratch() *scratch {
	n := paddedDim(f.dim)
	return &scratch{x: make([]float32, n), values: make([]float32, n), u: make([]byte, (n+63)&^63)}
}

// rotates tells whether errors of coordinates are spread at random.
func (f *frame) rotates() bool { return f.rotation != nil && f.rotation.size > 0 }

// enter puts row into the frame: x becomes 2^-exponent times the rotated difference from the centre, with zeros behind.
// The second result is <row - centre, centre>.
func (f *frame) enter(x, row []float32) (exponent int, cross float32) {
	if len(row) != f.dim {
		panic("quant: row of the wrong dimension")
	}
	clear(x[copy(x, row):])
	if f.centre != nil {
		cross = saturate(float64(subtract(x, f.centre)))
	}
	exponent = tame(x)
	if f.rotation != nil {
		f.rotation.rotate(x)
	}
	return exponent, cross
}

// tame scales x by 2^-exponent so that squares neither overflow nor vanish.
func tame(x []float32) (exponent int) {
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

// term is what a code with Σx'² = square (before scaling back by exponent) and <x',c> = cross adds to every distance.
func (f *frame) term(square float32, exponent int, cross float32) float32 {
	if f.metric == distance.L2 {
		return scaled(float64(square), 2*exponent)
	}
	return 0 - cross
}

// queryTerm is the query's part of every distance, by the term of its own code.
func (f *frame) queryTerm(term float32) float32 {
	if f.metric == distance.L2 {
		return term
	}
	return saturate(float64(term) - float64(f.square))
}

// factor is the weight of <q',x'> in a distance.
func (f *frame) factor() float32 {
	if f.metric == distance.L2 {
		return -2
	}
	return -1
}

// scaled returns x·2^exponent as a finite float32.
func scaled(x float64, exponent int) float32 { return saturate(math.Ldexp(x, exponent)) }

// saturate returns x as a finite float32, 0 for NaN.
func saturate(x float64) float32 {
	switch {
	case x > math.MaxFloat32:
		return math.MaxFloat32
	case x < -math.MaxFloat32:
		return -math.MaxFloat32
	case x != x:
		return 0
	}
	return float32(x)
}

// aligned returns n bytes that start on a cache line: the kernels read the query once for each row.
func aligned[T int8 | byte](n int) []T {
	buf := make([]T, n+codeAlign)
	skip := int(-uintptr(unsafe.Pointer(&buf[0])) % codeAlign)
	return buf[skip : skip+n : skip+n]
}

var firstRow = []uint32{0}
