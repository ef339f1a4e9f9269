//go:build ignore

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// codeRowsL1 writes the Manhattan distance to decoded codes.
func codeRowsL1(s isa) {
	name := "codeRowsL1" + s.suffix()
	TEXT(name, NOSPLIT, "func(q []float32, base []byte, stride int, ids []uint32, out []float32, ahead int)")
	Doc(name + " decodes and scores four rows at a time, a vector of codes each; the tail counts under a mask, but is read: len(q) rounded up to 16 codes. At least four ids. Needs " + s.needs() + ".")
	Pragma("noescape")
	b := newBatch()
	whole := GP64() // codes in whole vectors
	MOVQ(b.params["dim"], whole)
	b.prefetchFirst(whole)
	abs := s.constants("l1")
	MOVQ(b.params["dim"], b.tmp)
	tailAbs := s.tailAbs(abs, b.tmp)
	ANDQ(I8(-s.floats()), whole)
	acc, scales, offsets := newAccumulators(s), newAccumulators(s), newAccumulators(s)
	t := s.vector()
	// q is too large a vector to keep: it is read as an operand.
	score := func(abs Register) {
		for j := range acc {
			s.widen(b.at(b.rows[j], 0), t)
			VFMADD213PS(offsets[j], scales[j], t)
			VSUBPS(Mem{Base: b.q, Index: b.off, Scale: 4}, t, t)
			s.and(abs, t)
			VADDPS(t, acc[j], acc[j])
		}
	}
	b.blocks(func() {
		MOVQ(b.params["stride"], b.tmp)
		for j := range acc {
			s.zero(acc[j])
			VBROADCASTSS(Mem{Base: b.rows[j], Index: b.tmp, Scale: 1, Disp: -8}, scales[j])
			VBROADCASTSS(Mem{Base: b.rows[j], Index: b.tmp, Scale: 1, Disp: -4}, offsets[j])
		}
		CMPQ(b.off, whole)
		JGE(LabelRef("tail"))
		Label("vectors")
		b.prefetchLine(0)
		score(abs)
		ADDQ(U8(s.floats()), b.off)
		CMPQ(b.off, whole)
		JL(LabelRef("vectors"))
		Label("tail")
		CMPQ(b.off, b.params["dim"])
		JE(LabelRef("sum"))
		b.prefetchLine(0)
		score(tailAbs)
		Label("sum")
		sums := s.sum4(acc).AsX()
		VBROADCASTSS(mostDistance, t.AsX())
		VMINPS(t.AsX(), sums, sums)
		b.store(sums.(VecVirtual))
	})
}
