//go:build ignore

// Command main writes the amd64 kernel of package mmapvec. Run it with `go generate ./mmapvec`; it lives in the tools
// module, so that the product does not depend on the assembler library.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const (
	polynomial = 0x82f63b78 // Castagnoli's, the lowest bit is the highest power
	vector     = 64         // bytes of a ZMM register
	lane       = 16         // bytes that are folded as one number
	wide       = 4          // registers of the main loop
)

func main() {
	ConstraintExpr("amd64,!purego")
	rowSum()
	Generate()
}

// power is x^n modulo the polynomial, reflected.
func power(n int) uint32 {
	p := uint32(1 << 31)
	for range n {
		p = p>>1 ^ polynomial&-(p&1)
	}
	return p
}

// factors move the two halves of a lane ahead by so many bytes, one pair after the other: first those of the lanes of a
// register, to its last one. The first half is the higher power; a carry-less product of reflected numbers is one bit
// short.
func factors() (lanes, ahead64, ahead256 Mem) {
	m := GLOBL("factors", RODATA|NOPTR)
	for i, n := range []int{3 * lane, 2 * lane, lane, 0, vector, wide * vector} {
		var first, second uint64
		if n > 0 {
			first, second = uint64(power(8*n+32))<<1, uint64(power(8*n-32))<<1
		}
		DATA(lane*i, U64(first))
		DATA(lane*i+8, U64(second))
	}
	return m, m.Offset(vector), m.Offset(vector + lane)
}

// fold sets to = from moved ahead by k, XOR with.
func fold(k, from, tmp, to VecVirtual, with Op) {
	VPCLMULQDQ(U8(0x00), k, from, tmp)
	VPCLMULQDQ(U8(0x11), k, from, to)
	VPTERNLOGD(U8(0x96), with, tmp, to)
}

func rowSum() {
	lanes, ahead64, ahead256 := factors()
	TEXT("rowSumAVX512", NOSPLIT, "func(slot uint32, values []byte) uint32")
	Doc(fmt.Sprintf("rowSumAVX512 folds %d bytes at a time in %d registers, then %d in one, to %d bytes, which go through the CRC32 "+
		"instruction as slot and tail do. Needs AVX-512 F and VL, VPCLMULQDQ and SSE 4.2.", wide*vector, wide, vector, lane))
	Pragma("noescape")
	slot := Load(Param("slot"), GP32())
	at := Load(Param("values").Base(), GP64())
	n := Load(Param("values").Len(), GP64())
	sum := GP32()
	XORL(sum, sum)
	NOTL(sum)
	CRC32L(slot, sum)

	CMPQ(n, U32(vector))
	JB(LabelRef("tail"))
	var acc [wide]VecVirtual
	for i := range acc {
		acc[i] = ZMM()
	}
	tmp, next, k := ZMM(), ZMM(), ZMM()
	step := func(acc VecVirtual, with Op) {
		fold(k, acc, tmp, next, with)
		VMOVDQA64(next, acc)
	}
	pass := func(bytes uint32) {
		ADDQ(U32(bytes), at)
		SUBQ(U32(bytes), n)
	}
	VMOVD(sum, acc[0].AsX()) // the rest is cleared
	VPXORD(Mem{Base: at}, acc[0], acc[0])
	CMPQ(n, U32(wide*vector))
	JB(LabelRef("single"))

	for i := 1; i < wide; i++ {
		VMOVDQU64(Mem{Base: at, Disp: vector * i}, acc[i])
	}
	pass(wide * vector)
	VBROADCASTI32X4(ahead256, k)
	Label("block")
	CMPQ(n, U32(wide*vector))
	JB(LabelRef("merge"))
	for i := range acc {
		step(acc[i], Mem{Base: at, Disp: vector * i})
	}
	pass(wide * vector)
	JMP(LabelRef("block"))

	Label("merge") // each with what follows it
	VBROADCASTI32X4(ahead64, k)
	for i := range wide - 1 {
		step(acc[0], acc[i+1])
	}
	JMP(LabelRef("vector"))

	Label("single")
	pass(vector)
	VBROADCASTI32X4(ahead64, k)
	Label("vector")
	CMPQ(n, U32(vector))
	JB(LabelRef("lane"))
	step(acc[0], Mem{Base: at})
	pass(vector)
	JMP(LabelRef("vector"))

	Label("lane")
	VMOVDQU64(lanes, k)
	last := XMM()
	VEXTRACTI32X4(U8(3), acc[0], last)
	VPCLMULQDQ(U8(0x00), k, acc[0], tmp)
	VPCLMULQDQ(U8(0x11), k, acc[0], next)
	VPXORD(tmp, next, next)
	half, quarter := YMM(), XMM()
	VEXTRACTI64X4(U8(1), next, half)
	VPXORD(half, next.AsY(), half)
	VEXTRACTI32X4(U8(1), half, quarter)
	VPTERNLOGD(U8(0x96), quarter, half.AsX(), last)
	word, sum64 := GP64(), sum.(GPVirtual).As64()
	XORL(sum, sum)
	VMOVQ(last, word)
	CRC32Q(word, sum64)
	VPEXTRQ(U8(1), last, word)
	CRC32Q(word, sum64)
	VZEROUPPER()

	Label("tail")
	CMPQ(n, U32(8))
	JB(LabelRef("byte"))
	CRC32Q(Mem{Base: at}, sum64)
	pass(8)
	JMP(LabelRef("tail"))
	Label("byte")
	TESTQ(n, n)
	JZ(LabelRef("done"))
	CRC32B(Mem{Base: at}, sum)
	pass(1)
	JMP(LabelRef("byte"))
	Label("done")
	NOTL(sum)
	Store(sum, ReturnIndex(0))
	RET()
}
