//go:build ignore

package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A batch walks its ids in blocks of four rows and all four rows of a block in step, a cache line at a time. While a
// line is worked on, the same line of the block `ahead` rows further is prefetched; the first `ahead` rows are
// prefetched before. The last block ends at the last id, so it may score some rows again; hence at least four ids.
type batch struct {
	q      Register
	ids    Register // nil: kept in memory
	i      Register // index of the first id of the block
	off    Register // bytes from the start of the rows
	rows   [rowBlock]Register
	coming [rowBlock]Register
	tmp    Register
	params map[string]Mem
}

func param(c gotypes.Component) Mem {
	b, err := c.Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

func newBatch() *batch {
	b := &batch{q: Load(Param("q").Base(), GP64()), ids: Load(Param("ids").Base(), GP64()), tmp: GP64()}
	b.i, b.off = GP64(), GP64()
	for j := range rowBlock {
		b.rows[j], b.coming[j] = GP64(), GP64()
	}
	b.params = map[string]Mem{
		"base": param(Param("base").Base()), "stride": param(Param("stride")), "count": param(Param("ids").Len()),
		"ids": param(Param("ids").Base()), "out": param(Param("out").Base()), "ahead": param(Param("ahead")), "dim": param(Param("q").Len()),
	}
	return b
}

// address puts the address of row ids[index+j] into dst.
func (b *batch) address(index Register, j int, dst Register) {
	ids := b.ids
	if ids == nil {
		ids = dst
		MOVQ(b.params["ids"], ids)
	}
	MOVL(Mem{Base: ids, Index: index, Scale: 4, Disp: 4 * j}, dst.(GPVirtual).As32())
	IMULQ(b.params["stride"], dst)
	ADDQ(b.params["base"], dst)
}

// prefetchFirst prefetches rowBytes of the first ahead rows.
func (b *batch) prefetchFirst(rowBytes Register) {
	XORQ(b.i, b.i)
	Label("first")
	CMPQ(b.i, b.params["ahead"])
	JGE(LabelRef("start"))
	CMPQ(b.i, b.params["count"])
	JGE(LabelRef("start"))
	b.address(b.i, 0, b.tmp)
	XORQ(b.off, b.off)
	Label("firstLine")
	PREFETCHT0(Mem{Base: b.tmp, Index: b.off, Scale: 1})
	ADDQ(U8(lineBytes), b.off)
	CMPQ(b.off, rowBytes)
	JL(LabelRef("firstLine"))
	INCQ(b.i)
	JMP(LabelRef("first"))
	Label("start")
	XORQ(b.i, b.i)
}

// blocks loops over the blocks; body scores one block, of which rows, coming and off = 0 are set.
func (b *batch) blocks(body func()) {
	Label("block")
	for j := range rowBlock {
		b.address(b.i, j, b.rows[j])
	}
	// The block to prefetch: limited to the last one.
	last := b.off
	MOVQ(b.i, b.tmp)
	ADDQ(b.params["ahead"], b.tmp)
	MOVQ(b.params["count"], last)
	SUBQ(U8(rowBlock), last)
	CMPQ(b.tmp, last)
	CMOVQGT(last, b.tmp)
	for j := range rowBlock {
		b.address(b.tmp, j, b.coming[j])
	}
	XORQ(b.off, b.off)
	body()

	MOVQ(b.params["count"], b.off)
	SUBQ(U8(rowBlock), b.off) // start of the last block
	CMPQ(b.i, b.off)
	JGE(LabelRef("done"))
	ADDQ(U8(rowBlock), b.i)
	CMPQ(b.i, b.off)
	CMOVQGT(b.off, b.i)
	JMP(LabelRef("block"))
	Label("done")
	VZEROUPPER()
	RET()
}

func (b *batch) prefetchLine(disp int) {
	for j := range rowBlock {
		PREFETCHT0(Mem{Base: b.coming[j], Index: b.off, Scale: 1, Disp: disp})
	}
}

func (b *batch) at(base Register, disp int) Mem {
	return Mem{Base: base, Index: b.off, Scale: 1, Disp: disp}
}

func (b *batch) store(sums VecVirtual) {
	MOVQ(b.params["out"], b.tmp)
	VMOVUPS(sums.AsX(), Mem{Base: b.tmp, Index: b.i, Scale: 4})
}

func newAccumulators(s isa) (acc [4]VecVirtual) {
	for j := range acc {
		acc[j] = s.vector()
	}
	return acc
}

func floatRows(s isa, metric string) {
	name := metric + "Rows" + s.suffix()
	TEXT(name, NOSPLIT, "func(q []float32, base []byte, stride int, ids []uint32, out []float32, ahead int)")
	Doc(fmt.Sprintf("%s scores four rows at a time, one accumulator each; tails are loaded under a mask. At least four ids. Needs %s.", name, s.needs()))
	Pragma("noescape")
	b := newBatch()
	whole := GP64() // bytes of the rows in whole lines
	MOVQ(b.params["dim"], whole)
	SHLQ(U8(2), whole)
	b.prefetchFirst(whole)
	consts := s.constants(metric)
	MOVQ(b.params["dim"], b.tmp)
	mask := s.tail(b.tmp)
	ANDQ(I8(-lineBytes), whole)
	acc := newAccumulators(s)
	x, y, tmp := s.vector(), s.vector(), s.vector()
	step := 4 * s.floats()

	b.blocks(func() {
		for _, a := range acc {
			s.zero(a)
		}
		CMPQ(b.off, whole)
		JGE(LabelRef("rest"))
		Label("line")
		b.prefetchLine(0)
		for disp := 0; disp < lineBytes; disp += step {
			s.load(b.at(b.q, disp), x)
			for j := range acc {
				s.accumulate(metric, consts, x, b.at(b.rows[j], disp), acc[j], tmp)
			}
		}
		ADDQ(U8(lineBytes), b.off)
		CMPQ(b.off, whole)
		JL(LabelRef("line"))

		Label("rest")
		MOVQ(b.params["dim"], b.tmp)
		SHLQ(U8(2), b.tmp)
		SUBQ(b.off, b.tmp)
		JZ(LabelRef("sum"))
		b.prefetchLine(0)
		if step < lineBytes {
			CMPQ(b.tmp, U8(step))
			JL(LabelRef("tail"))
			s.load(b.at(b.q, 0), x)
			for j := range acc {
				s.accumulate(metric, consts, x, b.at(b.rows[j], 0), acc[j], tmp)
			}
			ADDQ(U8(step), b.off)
			SUBQ(U8(step), b.tmp)
			JZ(LabelRef("sum"))
			Label("tail")
		}
		s.loadTail(b.at(b.q, 0), mask, x)
		for j := range acc {
			s.loadTail(b.at(b.rows[j], 0), mask, y)
			s.accumulate(metric, consts, x, y, acc[j], tmp)
		}
		Label("sum")
		sums := s.sum4(acc)
		if metric == "dot" { // a distance: negated
			VPCMPEQD(tmp.AsX(), tmp.AsX(), tmp.AsX())
			VPSLLD(U8(31), tmp.AsX(), tmp.AsX())
			VXORPS(tmp.AsX(), sums.AsX(), sums.AsX())
		}
		b.store(sums)
	})
}

func codeRows(s isa, fused bool) {
	name, sig := "dotU8S8Rows"+s.suffix(), "func(q []int8, base []byte, stride int, ids []uint32, out []int32, ahead int)"
	if fused {
		name = "codeRows" + s.suffix()
		sig = "func(q []int8, base []byte, stride int, ids []uint32, bias int32, mul, add, weight float32, out []float32, ahead int)"
	}
	TEXT(name, NOSPLIT, sig)
	Doc(fmt.Sprintf("%s scores four code rows at a time, one accumulator each, exactly. len(q) is a multiple of 64. At least four ids. Needs %s.", name, s.needs()))
	Pragma("noescape")
	b := newBatch()
	var f codeFactors
	if fused {
		f = loadCodeFactors(b)
	}
	whole := GP64()
	MOVQ(b.params["dim"], whole)
	b.prefetchFirst(whole)
	b.codeBlocks(s, whole, func(acc [4]VecVirtual) { s.codeLine(b.q, b.off, b.rows, acc) }, func(sums Register) {
		if fused {
			f.finish(b, sums)
		}
	})
}

// codeBlocks scores blocks of rows of whole bytes: line adds a line of all four to the accumulators, end takes the sums.
func (b *batch) codeBlocks(s isa, whole Register, line func(acc [4]VecVirtual), end func(sums Register)) {
	acc := newAccumulators(s)
	b.blocks(func() {
		for _, a := range acc {
			s.zero(a)
		}
		Label("line")
		b.prefetchLine(0)
		line(acc)
		ADDQ(U8(lineBytes), b.off)
		CMPQ(b.off, whole)
		JL(LabelRef("line"))
		sums := s.sum4Int(acc).AsX()
		end(sums)
		b.store(sums.(VecVirtual))
	})
}

// codeFactors are the factors of a query, four times each.
type codeFactors struct{ bias, mul, add, weight, most VecVirtual }

func loadCodeFactors(b *batch) codeFactors {
	f := codeFactors{XMM(), XMM(), XMM(), XMM(), XMM()}
	MOVL(param(Param("bias")), b.tmp.(GPVirtual).As32())
	VMOVD(b.tmp.(GPVirtual).As32(), f.bias)
	VPBROADCASTD(f.bias, f.bias)
	VBROADCASTSS(param(Param("mul")), f.mul)
	VBROADCASTSS(param(Param("add")), f.add)
	VBROADCASTSS(param(Param("weight")), f.weight)
	VBROADCASTSS(mostDistance, f.most)
	return f
}

// finish turns four integer sums into distances, see CodeDistances.
func (f codeFactors) finish(b *batch, sums Register) {
	VPSUBD(f.bias, sums, sums)
	VCVTDQ2PS(sums, sums)
	low, high, scale, norm := XMM(), XMM(), XMM(), XMM()
	MOVQ(b.params["stride"], b.tmp)
	factors := func(j int) Mem { return Mem{Base: b.rows[j], Index: b.tmp, Scale: 1, Disp: -8} }
	VMOVSD(factors(0), low)
	VMOVHPS(factors(1), low, low)
	VMOVSD(factors(2), high)
	VMOVHPS(factors(3), high, high)
	VSHUFPS(U8(0x88), high, low, scale)
	VSHUFPS(U8(0xdd), high, low, norm)
	VMULPS(f.mul, scale, scale)
	VMULPS(scale, sums, sums)
	VMULPS(f.weight, norm, norm)
	VADDPS(f.add, norm, norm)
	VADDPS(norm, sums, sums)
	VMINPS(f.most, sums, sums) // the second source, most, wins over NaN
}
