//go:build ignore

// Command main writes the amd64 kernels of package distance. Run it with `go generate ./mmapvec/distance`; it lives in
// the tools module, so that the product does not depend on the assembler library.
package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64,!purego")

	tailMask := maskTable()
	mostDistance = ConstData("mostDistance", F32(math.MaxFloat32))
	for _, metric := range []string{"dot", "l2", "l1"} {
		pair(avx512{}, metric)
		pair(avx2{tailMask}, metric)
	}
	for _, metric := range []string{"dot", "l2", "l1"} {
		floatRows(avx512{}, metric)
		floatRows(avx2{tailMask}, metric)
	}
	for _, fused := range []bool{false, true} {
		codeRows(avx512{}, fused)
		codeRows(avx2{}, fused)
	}
	codeRowsL1(avx512{})
	codeRowsL1(avx2{tailMask})
	planeData()
	nibbleRows(avx512{})
	nibbleRows(avx2{})
	for _, bits := range []int{1, 2, 4} {
		planeRows(avx512{}, bits)
		groupedPlaneRows(avx2{tailMask}, bits)
	}
	groupValues(avx2{})
	firstPlaneRows(avx512{})
	groupFirst(avx2{})
	groupedFirstRows(avx2{})
	typedData()
	for _, t := range []typedTypes{halfTypes, byteTypes} {
		for _, metric := range []string{"dot", "l2", "l1"} {
			for _, s := range []typedISA{avx512{}, avx2{}} {
				typedPair(s, t, metric)
				typedRows(s, t, metric)
			}
		}
	}
	conversions()
	Generate()
}

// An isa writes the parts that differ between instruction sets. A vector is as many floats as fit its registers.
type isa interface {
	suffix() string
	needs() string
	floats() int        // in a vector
	vector() VecVirtual // a new register
	zero(v Register)
	constants(metric string) Register                                   // what accumulate needs, or nil; for l1 the mask of all but the sign
	tail(n Register) Register                                           // mask of the first n % floats() elements; clobbers n
	tailAbs(c, n Register) Register                                     // constants("l1") under that mask; clobbers n
	load(m Mem, dst Register)                                           // a whole vector
	loadTail(m Mem, mask, dst Register)                                 // the rest, zeros behind
	accumulate(metric string, c, q Register, row Op, acc, tmp Register) // row may be memory
	and(mask, v Register)
	widen(m Mem, dst Register)         // bytes to floats
	sum4(acc [4]VecVirtual) VecVirtual // of floats, to the four lanes of an XMM register
	codeLine(q, off Register, rows [4]Register, acc [4]VecVirtual)
	sum4Int(acc [4]VecVirtual) VecVirtual
}

var mostDistance Mem // the largest float32

// rowBlock is how many rows are scored at once: enough independent sums to hide latencies, and the four sums fit one
// XMM register.
const rowBlock = 4

const lineBytes = 64

// maskTable holds eight set and eight clear words: eight words from 8-n on are the mask of the first n.
func maskTable() Mem {
	table := GLOBL("tailMask", RODATA|NOPTR)
	for i := range 16 {
		var word uint32
		if i < 8 {
			word = 0xffffffff
		}
		DATA(4*i, U32(word))
	}
	return table
}
