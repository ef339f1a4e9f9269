//go:build ignore

package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A nibbleISA multiplies the two codes of every byte of a line with two lines of the query.
type nibbleISA interface {
	isa
	// nibbleConstants holds what nibbleLine needs.
	nibbleConstants() []Register
	nibbleLine(q, off Register, rows [4]Register, acc [4]VecVirtual, consts []Register)
}

func (s avx512) nibbleConstants() []Register { return loadConstants(s, lowNibbles) }

func (avx512) nibbleLine(q, off Register, rows [4]Register, acc [4]VecVirtual, consts []Register) {
	low, high := ZMM(), ZMM()
	VMOVDQU64(Mem{Base: q, Index: off, Scale: 2}, low)
	VMOVDQU64(Mem{Base: q, Index: off, Scale: 2, Disp: lineBytes}, high)
	for j, row := range rows {
		y, z := ZMM(), ZMM()
		VMOVDQU64(Mem{Base: row, Index: off, Scale: 1}, y)
		VPSRLW(U8(4), y, z)
		VPANDD(consts[0], y, y)
		VPANDD(consts[0], z, z)
		VPDPBUSD(low, y, acc[j]) // unsigned y, signed low
		VPDPBUSD(high, z, acc[j])
	}
}

func (s avx2) nibbleConstants() []Register { return loadConstants(s, lowNibbles, wordOnes) }

// nibbleLine adds products in words, which hold four of at most 15·128.
func (avx2) nibbleLine(q, off Register, rows [4]Register, acc [4]VecVirtual, consts []Register) {
	for disp := 0; disp < lineBytes; disp += 32 {
		for j, row := range rows {
			y, z := YMM(), YMM()
			VMOVDQU(Mem{Base: row, Index: off, Scale: 1, Disp: disp}, y)
			VPSRLW(U8(4), y, z)
			VPAND(consts[0], y, y)
			VPAND(consts[0], z, z)
			VPMADDUBSW(Mem{Base: q, Index: off, Scale: 2, Disp: disp}, y, y) // unsigned y, signed query
			VPMADDUBSW(Mem{Base: q, Index: off, Scale: 2, Disp: lineBytes + disp}, z, z)
			VPADDW(z, y, y)
			VPMADDWD(consts[1], y, y)
			VPADDD(y, acc[j], acc[j])
		}
	}
}

func nibbleRows(s nibbleISA) {
	name := "nibbleRows" + s.suffix()
	TEXT(name, NOSPLIT, "func(q []int8, base []byte, stride int, ids []uint32, bias int32, mul, add, weight float32, out []float32, ahead int)")
	Doc(fmt.Sprintf("%s scores four rows of codes of four bits at a time, one accumulator each, exactly. len(q) is a multiple of 128. At least four ids. Needs %s.", name, s.needs()))
	Pragma("noescape")
	b := newBatch()
	f := loadCodeFactors(b)
	consts := s.nibbleConstants()
	whole := GP64() // bytes of a row: two values of the query each
	MOVQ(b.params["dim"], whole)
	SHRQ(U8(1), whole)
	b.prefetchFirst(whole)
	b.codeBlocks(s, whole, func(acc [4]VecVirtual) { s.nibbleLine(b.q, b.off, b.rows, acc, consts) }, func(sums Register) {
		VPADDD(sums, sums, sums)
		f.finish(b, sums)
	})
}
