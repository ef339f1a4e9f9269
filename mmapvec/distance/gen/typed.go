//go:build ignore

package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A typedISA writes the parts of the kernels on float16 and uint8 rows that differ between instruction sets.
type typedISA interface {
	isa
	halves(m Mem, dst Register) // a vector of float16, to float32
	// restMask is the mask for the elements of a row behind its last whole vector, of which rowBytes are left; elements
	// are widened by the factor before they are masked. It clobbers rowBytes.
	restMask(rowBytes Register, size, widened int) Register
	// seekRest moves off, in bytes of the row, from the end of the whole vectors to where loads under restMask begin.
	seekRest(off, rowBytes Register, step int)
	floatsRest(m Mem, mask, dst Register)
	halvesRest(m Mem, mask, dst Register)
	bytesRest(m Mem, mask, dst Register)
	byteKernel(metric string, acc [4]VecVirtual) byteKernel
}

// A typedKernel scores rows of one element type under one metric.
type typedKernel interface {
	size() int        // bytes of an element
	step() int        // bytes of a row in a vector
	scale() int       // bytes of the query for a byte of the row
	widened() int     // factor by which an element grows before it is masked
	query(m Mem)      // loads a vector
	row(m Mem, j int) // adds the distance of a vector to accumulator j
	queryRest(m Mem, mask Register)
	rowRest(m Mem, mask Register, j int)
	zero()
	sums() VecVirtual // of the accumulators, to the four lanes of an XMM register
}

// halfKernel is for float16 rows and a float32 query.
type halfKernel struct {
	s         typedISA
	metric    string
	consts    Register
	acc       [4]VecVirtual
	x, y, tmp VecVirtual
}

func newHalfKernel(s typedISA, metric string) *halfKernel {
	return &halfKernel{s, metric, s.constants(metric), newAccumulators(s), s.vector(), s.vector(), s.vector()}
}

func (k *halfKernel) size() int    { return 2 }
func (k *halfKernel) step() int    { return 2 * k.s.floats() }
func (k *halfKernel) scale() int   { return 2 }
func (k *halfKernel) widened() int { return 2 }
func (k *halfKernel) query(m Mem)  { k.s.load(m, k.x) }
func (k *halfKernel) row(m Mem, j int) {
	k.s.halves(m, k.y)
	k.s.accumulate(k.metric, k.consts, k.x, k.y, k.acc[j], k.tmp)
}
func (k *halfKernel) queryRest(m Mem, mask Register) { k.s.floatsRest(m, mask, k.x) }
func (k *halfKernel) rowRest(m Mem, mask Register, j int) {
	k.s.halvesRest(m, mask, k.y)
	k.s.accumulate(k.metric, k.consts, k.x, k.y, k.acc[j], k.tmp)
}
func (k *halfKernel) zero() {
	for _, a := range k.acc {
		k.s.zero(a)
	}
}
func (k *halfKernel) sums() VecVirtual { return k.s.sum4(k.acc) }

// A byteKernel has its query and row vectors in registers.
type byteKernel interface {
	zero()
	prepare(x Register)                  // once for a query vector
	add(x Register, y VecVirtual, j int) // may clobber y
	sums() VecVirtual
}

// bytesKernel is for uint8 rows and a uint8 query.
type bytesKernel struct {
	byteKernel
	s    typedISA
	x, y VecVirtual
}

func newBytesKernel(s typedISA, metric string) *bytesKernel {
	return &bytesKernel{s.byteKernel(metric, newAccumulators(s)), s, s.vector(), s.vector()}
}

func (k *bytesKernel) size() int    { return 1 }
func (k *bytesKernel) step() int    { return 4 * k.s.floats() }
func (k *bytesKernel) scale() int   { return 1 }
func (k *bytesKernel) widened() int { return 1 }
func (k *bytesKernel) query(m Mem) {
	k.s.load(m, k.x)
	k.prepare(k.x)
}
func (k *bytesKernel) row(m Mem, j int) {
	k.s.load(m, k.y)
	k.add(k.x, k.y, j)
}
func (k *bytesKernel) queryRest(m Mem, mask Register) {
	k.s.bytesRest(m, mask, k.x)
	k.prepare(k.x)
}
func (k *bytesKernel) rowRest(m Mem, mask Register, j int) {
	k.s.bytesRest(m, mask, k.y)
	k.add(k.x, k.y, j)
}

// typedWalk scores rows from off = 0 on. Of several rows each has its accumulator; one row uses all in turn.
type typedWalk struct {
	k             typedKernel
	q, off, tmp   Register
	whole         Register // bytes of the rows in whole lines
	dim           Mem
	rows          []Register
	prefetch      func()
	mask          Register
	rowBytesShift uint64
}

func newTypedWalk(s typedISA, k typedKernel, q, off, tmp Register, dim Mem) *typedWalk {
	w := &typedWalk{k: k, q: q, off: off, tmp: tmp, dim: dim, whole: GP64(), prefetch: func() {}, rowBytesShift: uint64(k.size() - 1)}
	w.rowBytes(tmp)
	w.mask = s.restMask(tmp, k.size(), k.widened())
	w.rowBytes(w.whole)
	return w
}

func (w *typedWalk) rowBytes(dst Register) {
	MOVQ(w.dim, dst)
	if w.rowBytesShift > 0 {
		SHLQ(U8(w.rowBytesShift), dst)
	}
}

func (w *typedWalk) vector(disp int) {
	w.k.query(Mem{Base: w.q, Index: w.off, Scale: uint8(w.k.scale()), Disp: disp * w.k.scale()})
	for j, row := range w.rows {
		w.k.row(Mem{Base: row, Index: w.off, Scale: 1, Disp: disp}, w.accumulator(j, disp))
	}
}

func (w *typedWalk) accumulator(j, disp int) int {
	if len(w.rows) == 1 {
		return disp / w.k.step() % rowBlock
	}
	return j
}

func (w *typedWalk) score(s typedISA) {
	w.k.zero()
	CMPQ(w.off, w.whole)
	JGE(LabelRef("vectors"))
	Label("line")
	w.prefetch()
	for disp := 0; disp < lineBytes; disp += w.k.step() {
		w.vector(disp)
	}
	ADDQ(U8(lineBytes), w.off)
	CMPQ(w.off, w.whole)
	JL(LabelRef("line"))

	Label("vectors")
	w.rowBytes(w.tmp)
	CMPQ(w.off, w.tmp)
	JE(LabelRef("sum"))
	w.prefetch()
	if w.k.step() < lineBytes {
		ANDQ(I8(-w.k.step()), w.tmp)
		Label("vector")
		CMPQ(w.off, w.tmp)
		JGE(LabelRef("rest"))
		w.vector(0)
		ADDQ(U8(w.k.step()), w.off)
		JMP(LabelRef("vector"))
		Label("rest")
		w.rowBytes(w.tmp)
		CMPQ(w.off, w.tmp)
		JE(LabelRef("sum"))
	}
	s.seekRest(w.off, w.tmp, w.k.step())
	w.k.queryRest(Mem{Base: w.q, Index: w.off, Scale: uint8(w.k.scale())}, w.mask)
	for j, row := range w.rows {
		w.k.rowRest(Mem{Base: row, Index: w.off, Scale: 1}, w.mask, j)
	}
	Label("sum")
}

// typedTypes are the names and the types of query, row element and result of a kernel.
type typedTypes struct{ suffix, q, row, result string }

var (
	halfTypes = typedTypes{"F16", "float32", "uint16", "float32"}
	byteTypes = typedTypes{"U8", "uint8", "uint8", "uint32"}
)

// needs also names what the conversions in vectors of eight need.
func (t typedTypes) needs(s typedISA) string {
	if t == halfTypes && s.floats() == 8 {
		return "AVX2, FMA and F16C"
	}
	return s.needs()
}

func newTypedKernel(s typedISA, t typedTypes, metric string) typedKernel {
	if t == halfTypes {
		return newHalfKernel(s, metric)
	}
	return newBytesKernel(s, metric)
}

const typedDoc = "%s %s. Results are sums, not negated. Rows are at least a vector long, unless loads can be masked. Needs %s."

func typedRows(s typedISA, t typedTypes, metric string) {
	name := metric + t.suffix + "Rows" + s.suffix()
	TEXT(name, NOSPLIT, fmt.Sprintf("func(q []%s, base []byte, stride int, ids []uint32, out []%s, ahead int)", t.q, t.result))
	Doc(fmt.Sprintf(typedDoc, name, "scores four rows at a time, one accumulator each. At least four ids", t.needs(s)))
	Pragma("noescape")
	b := newBatch()
	k := newTypedKernel(s, t, metric)
	w := newTypedWalk(s, k, b.q, b.off, b.tmp, b.params["dim"])
	w.rows, w.prefetch = b.rows[:], func() { b.prefetchLine(0) }
	b.prefetchFirst(w.whole)
	ANDQ(I8(-lineBytes), w.whole)
	b.blocks(func() {
		w.score(s)
		b.store(k.sums())
	})
}

func typedPair(s typedISA, t typedTypes, metric string) {
	name := metric + t.suffix + s.suffix()
	TEXT(name, NOSPLIT, fmt.Sprintf("func(q []%s, row []%s) %s", t.q, t.row, t.result))
	Doc(fmt.Sprintf(typedDoc, name, "sums in as many accumulators as a line has vectors", t.needs(s)))
	Pragma("noescape")
	q, row := Load(Param("q").Base(), GP64()), Load(Param("row").Base(), GP64())
	off := GP64()
	k := newTypedKernel(s, t, metric)
	w := newTypedWalk(s, k, q, off, GP64(), param(Param("q").Len()))
	w.rows = []Register{row}
	ANDQ(I8(-lineBytes), w.whole)
	XORQ(off, off)
	w.score(s)
	sum := k.sums().AsX()
	if t == halfTypes {
		VHADDPS(sum, sum, sum)
		VHADDPS(sum, sum, sum)
		Store(sum, ReturnIndex(0))
	} else {
		VPHADDD(sum, sum, sum)
		VPHADDD(sum, sum, sum)
		result := GP32()
		VMOVD(sum, result)
		Store(result, ReturnIndex(0))
	}
	VZEROUPPER()
	RET()
}

// conversions write n elements, a multiple of eight, from one type as another.
func conversions() {
	convert := func(name, from, to, doc string, step func(src, dst, off Register, v VecVirtual)) {
		TEXT(name, NOSPLIT, fmt.Sprintf("func(dst []%s, src []%s)", to, from))
		Doc(name + " " + doc + " len(src) is a multiple of 8 above 0, len(dst) no less. Needs AVX2 and F16C.")
		Pragma("noescape")
		dst, src := Load(Param("dst").Base(), GP64()), Load(Param("src").Base(), GP64())
		n := Load(Param("src").Len(), GP64())
		i, v := GP64(), YMM()
		XORQ(i, i)
		Label("eight")
		step(src, dst, i, v)
		ADDQ(U8(8), i)
		CMPQ(i, n)
		JL(LabelRef("eight"))
		VZEROUPPER()
		RET()
	}
	convert("toF16AVX2", "float32", "uint16", "rounds to the nearest half, ties to even.", func(src, dst, i Register, v VecVirtual) {
		VMOVUPS(Mem{Base: src, Index: i, Scale: 4}, v)
		VCVTPS2PH(U8(0), v, Mem{Base: dst, Index: i, Scale: 2})
	})
	convert("fromF16AVX2", "uint16", "float32", "widens halves.", func(src, dst, i Register, v VecVirtual) {
		VCVTPH2PS(Mem{Base: src, Index: i, Scale: 2}, v)
		VMOVUPS(v, Mem{Base: dst, Index: i, Scale: 4})
	})
	convert("fromU8AVX2", "uint8", "float32", "widens bytes.", func(src, dst, i Register, v VecVirtual) {
		VPMOVZXBD(Mem{Base: src, Index: i, Scale: 1}, v)
		VCVTDQ2PS(v, v)
		VMOVUPS(v, Mem{Base: dst, Index: i, Scale: 4})
	})
}
