//go:build ignore

package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const (
	queryPlanes = 4
	factorBytes = 16 // behind the first plane: scale, add, first, deviations
)

var queryWeights = [queryPlanes]int{-8, 4, 2, 1} // of the query's planes: two's complement

func newPlaneBatch() *batch {
	b := newBatch()
	b.ids = nil // registers are short: read where needed
	return b
}

// planeRows scores whole rows of bit planes: word by word, of all planes at once. The row registers move on with the
// words, so that in the end they point at the factors.
func planeRows(s planeISA, bits int) {
	name := fmt.Sprintf("plane%dRows%s", bits, s.suffix())
	TEXT(name, NOSPLIT, "func(q []int8, base []byte, stride, rowBytes int, ids []uint32, bias int32, mul, add float32, out []float32, ahead int)")
	Doc(fmt.Sprintf("%s scores four rows of %d planes at a time, one accumulator each, exactly. len(q) is a multiple of 64. At least four ids. Needs %s.", name, bits, s.needs()))
	Pragma("noescape")
	b := newPlaneBatch()
	rowBytes := param(Param("rowBytes"))
	plane, plane3 := GP64(), GP64() // bytes of one plane and of three
	MOVQ(rowBytes, plane)
	b.prefetchFirst(plane)
	MOVQ(b.params["dim"], plane)
	SHRQ(U8(3), plane)
	if bits > 3 {
		LEAQ(Mem{Base: plane, Index: plane, Scale: 2}, plane3)
	}
	acc := newAccumulators(s)
	consts := s.planeConstants(bits)

	b.blocks(func() {
		for _, a := range acc {
			s.zero(a)
		}
		var planes [rowBlock][]Mem
		for j, row := range b.rows {
			planes[j] = []Mem{
				{Base: row},
				{Base: row, Index: plane, Scale: 1, Disp: factorBytes},
				{Base: row, Index: plane, Scale: 2, Disp: factorBytes},
				{Base: row, Index: plane3, Scale: 1, Disp: factorBytes},
			}[:bits]
		}
		if group, ok := s.(groupISA); ok && bits == 4 {
			b.groups(rowBytes, func() { group.planeGroup(consts[bits:], b.at(b.q, 0), planes, acc) })
			CMPQ(b.off, b.params["dim"])
			JGE(LabelRef("sum"))
		}
		Label("word")
		CMPQ(b.off, rowBytes) // a row has no more lines than words
		JGE(LabelRef("prefetched"))
		b.prefetchLine(0)
		Label("prefetched")
		s.planeWord(consts, b.at(b.q, 0), planes, acc)
		for _, row := range b.rows {
			ADDQ(U8(8), row)
		}
		ADDQ(U8(lineBytes), b.off)
		CMPQ(b.off, b.params["dim"])
		JL(LabelRef("word"))
		Label("sum")
		sums := s.sum4Int(acc)
		VPADDD(sums.AsX(), sums.AsX(), sums.AsX())
		XORQ(b.tmp, b.tmp)
		b.finishPlanes(sums.AsX(), 0)
		b.store(sums)
	})
}

const groupWords = 4

// groups does as many whole groups as there are.
func (b *batch) groups(rowBytes Mem, score func()) {
	const step = groupWords * lineBytes
	Label("group")
	MOVQ(b.params["dim"], b.tmp)
	SUBQ(b.off, b.tmp)
	CMPQ(b.tmp, U32(step))
	JL(LabelRef("rest"))
	MOVQ(rowBytes, b.tmp)
	SUBQ(b.off, b.tmp)
	for disp := 0; disp < step; disp += lineBytes {
		CMPQ(b.tmp, U32(disp))
		JLE(LabelRef("score"))
		b.prefetchLine(disp)
	}
	Label("score")
	score()
	for _, row := range b.rows {
		ADDQ(U8(8*groupWords), row)
	}
	ADDQ(U32(step), b.off)
	JMP(LabelRef("group"))
	Label("rest")
}

// firstPlaneRows scores the first plane alone: the query's four planes lie line by line, four lines for one of the rows.
func firstPlaneRows(s planeISA) {
	name := "firstPlaneRows" + s.suffix()
	TEXT(name, NOSPLIT, "func(q []byte, base []byte, stride, plane int, ids []uint32, bias int32, mul, add, deviations float32, out []float32, ahead int)")
	Doc(fmt.Sprintf("%s scores the first planes of four rows at a time, one accumulator each, exactly. len(q) is a multiple of 256. At least four ids. Needs %s.", name, s.needs()))
	Pragma("noescape")
	b := newPlaneBatch()
	whole := GP64()
	MOVQ(b.params["dim"], whole)
	SHRQ(U8(2), whole)
	b.prefetchFirst(whole)
	acc := newAccumulators(s)
	consts := s.firstConstants()

	b.blocks(func() {
		for _, a := range acc {
			s.zero(a)
		}
		Label("line")
		b.prefetchLine(0)
		var q [queryPlanes]Mem
		var rows [rowBlock]Mem
		for p := range q {
			q[p] = Mem{Base: b.q, Index: b.off, Scale: queryPlanes, Disp: p * lineBytes}
		}
		for j := range rows {
			rows[j] = b.at(b.rows[j], 0)
		}
		s.firstLine(consts, q, rows, acc)
		ADDQ(U8(lineBytes), b.off)
		CMPQ(b.off, whole)
		JL(LabelRef("line"))
		sums := s.sum4Int(acc)
		VPADDD(sums.AsX(), sums.AsX(), sums.AsX())
		MOVQ(param(Param("plane")), b.tmp)
		b.finishPlanes(sums.AsX(), 2)
		b.store(sums)
	})
}

// finishPlanes turns four doubled integer sums into distances by the factors at b.tmp bytes into the rows, see
// PlaneDistances; scale is the index of the scale factor: 0, or 2 for the first plane, where deviations are subtracted.
func (b *batch) finishPlanes(sums Register, scale int) {
	t := XMM()
	VBROADCASTSS(param(Param("bias")), t)
	VPSUBD(t, sums, sums)
	VCVTDQ2PS(sums, sums)
	var low, high [2]VecVirtual // of two rows each: scale, scale, add, add; first, first, deviations, deviations
	for h := range low {
		even, odd := XMM(), XMM()
		low[h], high[h] = XMM(), XMM()
		VMOVUPS(Mem{Base: b.rows[2*h], Index: b.tmp, Scale: 1}, even)
		VMOVUPS(Mem{Base: b.rows[2*h+1], Index: b.tmp, Scale: 1}, odd)
		VUNPCKLPS(odd, even, low[h])
		VUNPCKHPS(odd, even, high[h])
	}
	scales, adds := XMM(), XMM()
	VUNPCKHPD(low[1], low[0], adds)
	if scale == 0 {
		VUNPCKLPD(low[1], low[0], scales)
	} else {
		VUNPCKLPD(high[1], high[0], scales)
	}
	VBROADCASTSS(param(Param("mul")), t)
	VMULPS(t, scales, scales)
	VMULPS(scales, sums, sums)
	VBROADCASTSS(param(Param("add")), t)
	VADDPS(t, adds, adds)
	VADDPS(adds, sums, sums)
	if scale != 0 {
		deviations := scales
		VUNPCKHPD(high[1], high[0], deviations)
		VPSRLD(U8(16), deviations, deviations) // the upper half is a bfloat16
		VPSLLD(U8(16), deviations, deviations)
		VBROADCASTSS(param(Param("deviations")), t)
		VMULPS(t, deviations, deviations)
		VSUBPS(deviations, sums, sums)
	}
	VBROADCASTSS(mostDistance, t)
	VMINPS(t, sums, sums) // the second source, t, wins over NaN
}
