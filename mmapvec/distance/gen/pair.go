//go:build ignore

package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// pair writes one distance of two float32 vectors: four accumulators of a vector each, then vectors one by one, then a
// masked load for the tail.
func pair(s isa, metric string) {
	TEXT(metric+s.suffix(), NOSPLIT, "func(a, b []float32) float32")
	Doc(fmt.Sprintf("%s%s sums in four vector accumulators; the tail is loaded under a mask. Needs %s.", metric, s.suffix(), s.needs()))
	Pragma("noescape")
	a := Load(Param("a").Base(), GP64())
	b := Load(Param("b").Base(), GP64())
	n := Load(Param("a").Len(), GP64())
	step := 4 * s.floats() // bytes of a vector
	consts := s.constants(metric)
	var acc [4]VecVirtual
	for j := range acc {
		acc[j] = s.vector()
		s.zero(acc[j])
	}
	x, tmp := s.vector(), s.vector()

	Label("blocks")
	CMPQ(n, U32(4*s.floats()))
	JL(LabelRef("vectors"))
	for j := range acc {
		s.load(Mem{Base: a, Disp: j * step}, x)
		s.accumulate(metric, consts, x, Mem{Base: b, Disp: j * step}, acc[j], tmp)
	}
	ADDQ(U32(4*step), a)
	ADDQ(U32(4*step), b)
	SUBQ(U32(4*s.floats()), n)
	JMP(LabelRef("blocks"))

	Label("vectors")
	CMPQ(n, U32(s.floats()))
	JL(LabelRef("tail"))
	s.load(Mem{Base: a}, x)
	s.accumulate(metric, consts, x, Mem{Base: b}, acc[0], tmp)
	ADDQ(U32(step), a)
	ADDQ(U32(step), b)
	SUBQ(U32(s.floats()), n)
	JMP(LabelRef("vectors"))

	Label("tail")
	TESTQ(n, n)
	JZ(LabelRef("sum"))
	mask := s.tail(n)
	y := s.vector()
	s.loadTail(Mem{Base: a}, mask, x)
	s.loadTail(Mem{Base: b}, mask, y)
	s.accumulate(metric, consts, x, y, acc[1], tmp)

	Label("sum")
	VADDPS(acc[1], acc[0], acc[0])
	VADDPS(acc[3], acc[2], acc[2])
	VADDPS(acc[2], acc[0], acc[0])
	if s.floats() == 16 {
		VEXTRACTF64X4(U8(1), acc[0], tmp.AsY())
		VADDPS(tmp.AsY(), acc[0].AsY(), acc[0].AsY())
	}
	VEXTRACTF128(U8(1), acc[0].AsY(), tmp.AsX())
	VADDPS(tmp.AsX(), acc[0].AsX(), acc[0].AsX())
	VHADDPS(acc[0].AsX(), acc[0].AsX(), acc[0].AsX())
	VHADDPS(acc[0].AsX(), acc[0].AsX(), acc[0].AsX())
	Store(acc[0].AsX(), ReturnIndex(0))
	VZEROUPPER()
	RET()
}
