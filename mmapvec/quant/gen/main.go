//go:build ignore

// Command main writes the amd64 kernels of package quant. Run it with `go generate ./mmapvec/quant`; it lives in the
// tools module, so that the product does not depend on the assembler library.
package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64,!purego")
	constants()
	scale()
	butterfly()
	hadamard()
	maxAbs()
	round()
	signed()
	subtract()
	sums()
	quantise()
	packPlane()
	unpack()
	Generate()
}

const (
	vector     = 32 // bytes of a YMM register
	magic      = 0x1.8p23
	signBit    = 1 << 31
	tailBytes  = 32 // bytes of a block of signed
	codeZeroes = 0x80808080
)

var signsTable, byteMask, scalars, spreadTable Mem

// constants writes the sign masks of the butterflies within a register, thirty-two set and as many clear bytes, how
// to spread bits over bytes, and what is broadcast: the offsets are those of scalar.
func constants() {
	signsTable = GLOBL("signs", RODATA|NOPTR)
	for s, distance := range []int{1, 2, 4} {
		for lane := range 8 {
			var word uint32
			if lane&distance != 0 {
				word = signBit
			}
			DATA(s*vector+4*lane, U32(word))
		}
	}
	byteMask = GLOBL("byteMask", RODATA|NOPTR)
	for i := range 16 {
		var word uint32
		if i < 8 {
			word = math.MaxUint32
		}
		DATA(4*i, U32(word))
	}
	spreadTable = GLOBL("spread", RODATA|NOPTR) // which of four bytes holds bit i; and its bit there
	for i := range 2 * vector {
		if i < vector {
			DATA(i, U8(byte(i/8)))
		} else {
			DATA(i, U8(byte(1<<(i%8))))
		}
	}
	scalars = GLOBL("scalars", RODATA|NOPTR)
	for i, word := range []uint32{
		math.Float32bits(127), math.Float32bits(-127), math.Float32bits(magic), 128, math.MaxUint32 &^ signBit, codeZeroes,
	} {
		DATA(4*i, U32(word))
	}
}

// Indices into scalars.
const (
	plus127 = iota
	minus127
	magicNumber
	int128
	absMask
	flipBytes
)

func broadcast(index int) VecVirtual {
	v := YMM()
	VBROADCASTSS(scalars.Offset(4*index), v)
	return v
}

// begin starts a kernel of AVX2 code.
func begin(name, signature, doc string) {
	TEXT(name, NOSPLIT, signature)
	Doc(name+" "+doc, "Needs AVX2.")
	Pragma("noescape")
}

func end() {
	VZEROUPPER()
	RET()
}

func scale() {
	begin("scaleAVX2", "func(x, by []float32)", "multiplies a vector at a time; whole groups of 8.")
	x, by := Load(Param("x").Base(), GP64()), Load(Param("by").Base(), GP64())
	n := Load(Param("x").Len(), GP64())
	v := YMM()
	Label("loop")
	SUBQ(U8(8), n)
	JL(LabelRef("done"))
	VMOVUPS(Mem{Base: x}, v)
	VMULPS(Mem{Base: by}, v, v)
	VMOVUPS(v, Mem{Base: x})
	ADDQ(U8(vector), x)
	ADDQ(U8(vector), by)
	JMP(LabelRef("loop"))
	Label("done")
	end()
}

func butterfly() {
	begin("butterflyAVX2", "func(a, b []float32)", "adds and subtracts a vector at a time, then one by one.")
	a, b := Load(Param("a").Base(), GP64()), Load(Param("b").Base(), GP64())
	n := Load(Param("a").Len(), GP64())
	x, sum := YMM(), YMM()
	Label("vectors")
	CMPQ(n, U8(8))
	JL(LabelRef("tail"))
	VMOVUPS(Mem{Base: a}, x)
	VADDPS(Mem{Base: b}, x, sum)
	VSUBPS(Mem{Base: b}, x, x)
	VMOVUPS(sum, Mem{Base: a})
	VMOVUPS(x, Mem{Base: b})
	ADDQ(U8(vector), a)
	ADDQ(U8(vector), b)
	SUBQ(U8(8), n)
	JMP(LabelRef("vectors"))
	Label("tail")
	DECQ(n)
	JL(LabelRef("done"))
	VMOVSS(Mem{Base: a}, x.AsX())
	VADDSS(Mem{Base: b}, x.AsX(), sum.AsX())
	VSUBSS(Mem{Base: b}, x.AsX(), x.AsX())
	VMOVSS(sum.AsX(), Mem{Base: a})
	VMOVSS(x.AsX(), Mem{Base: b})
	ADDQ(U8(4), a)
	ADDQ(U8(4), b)
	JMP(LabelRef("tail"))
	Label("done")
	end()
}

func maxAbs() {
	begin("maxAbsAVX2", "func(x []float32) float32", "compares a vector at a time; whole groups of 8; NaN counts for nothing.")
	x, n := Load(Param("x").Base(), GP64()), Load(Param("x").Len(), GP64())
	mask := broadcast(absMask)
	v, most := YMM(), YMM()
	VPXOR(most, most, most)
	Label("loop")
	SUBQ(U8(8), n)
	JL(LabelRef("done"))
	VANDPS(Mem{Base: x}, mask, v)
	VMAXPS(most, v, most) // the second source, most, wins over NaN
	ADDQ(U8(vector), x)
	JMP(LabelRef("loop"))
	Label("done")
	VEXTRACTF128(U8(1), most, v.AsX())
	VMAXPS(v.AsX(), most.AsX(), most.AsX())
	VPERMILPS(U8(0x4e), most.AsX(), v.AsX())
	VMAXPS(v.AsX(), most.AsX(), most.AsX())
	VPERMILPS(U8(0xb1), most.AsX(), v.AsX())
	VMAXPS(v.AsX(), most.AsX(), most.AsX())
	Store(most.AsX(), ReturnIndex(0))
	end()
}

// round keeps the sums in the eight lanes of one register each and adds lanes as addLanes does.
func round() {
	begin("roundAVX2", "func(dst []byte, x []float32, inv float32) (xv, xx float32)", "rounds a vector at a time; whole groups of 8; sums in eight lanes, without FMA, in the order of addLanes.")
	dst, x := Load(Param("dst").Base(), GP64()), Load(Param("x").Base(), GP64())
	n := Load(Param("x").Len(), GP64())
	inv := YMM()
	invAddr, err := Param("inv").Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(invAddr.Addr, inv)
	upper, lower, big, zero := broadcast(plus127), broadcast(minus127), broadcast(magicNumber), broadcast(int128)
	w, v, t, sumV, sumX := YMM(), YMM(), YMM(), YMM(), YMM()
	VPXOR(sumV, sumV, sumV)
	VPXOR(sumX, sumX, sumX)

	Label("loop")
	SUBQ(U8(8), n)
	JL(LabelRef("sums"))
	VMOVUPS(Mem{Base: x}, w)
	VMULPS(inv, w, v)
	VMINPS(upper, v, v) // NaN becomes 127
	VMAXPS(lower, v, v)
	VADDPS(big, v, v)
	VSUBPS(big, v, v)
	VMULPS(v, w, t)
	VADDPS(t, sumV, sumV)
	VMULPS(w, w, t)
	VADDPS(t, sumX, sumX)
	VCVTPS2DQ(v, v)
	VPADDD(zero, v, v)
	VEXTRACTI128(U8(1), v, t.AsX())
	VPACKUSDW(t.AsX(), v.AsX(), v.AsX())
	VPACKUSWB(v.AsX(), v.AsX(), v.AsX())
	VMOVQ(v.AsX(), Mem{Base: dst})
	ADDQ(U8(vector), x)
	ADDQ(U8(8), dst)
	JMP(LabelRef("loop"))

	Label("sums")
	addLanes(sumV, t, 0)
	addLanes(sumX, t, 1)
	end()
}

// signed flips the top bit of the first n bytes, clears the rest of their block of 32, and adds up the old ones.
func signed() {
	begin("signedAVX2", "func(dst []int8, src []byte, n int) int", "works on blocks of 32 bytes, the last one under a mask: both slices end at or after it.")
	dst, src := Load(Param("dst").Base(), GP64()), Load(Param("src").Base(), GP64())
	n := Load(Param("n"), GP64())
	flip := broadcast(flipBytes)
	none, total, v, t := YMM(), YMM(), YMM(), YMM()
	VPXOR(none, none, none)
	VPXOR(total, total, total)
	Label("blocks")
	CMPQ(n, U8(tailBytes))
	JL(LabelRef("tail"))
	VMOVDQU(Mem{Base: src}, v)
	VPSADBW(none, v, t)
	VPADDQ(t, total, total)
	VPXOR(flip, v, v)
	VMOVDQU(v, Mem{Base: dst})
	ADDQ(U8(tailBytes), src)
	ADDQ(U8(tailBytes), dst)
	SUBQ(U8(tailBytes), n)
	JMP(LabelRef("blocks"))

	Label("tail")
	TESTQ(n, n)
	JZ(LabelRef("sum"))
	table, mask := GP64(), YMM()
	LEAQ(byteMask, table)
	NEGQ(n)
	VMOVDQU(Mem{Base: table, Index: n, Scale: 1, Disp: tailBytes}, mask)
	VPAND(Mem{Base: src}, mask, v)
	VPSADBW(none, v, t)
	VPADDQ(t, total, total)
	VPXOR(flip, v, v)
	VPAND(mask, v, v)
	VMOVDQU(v, Mem{Base: dst})

	Label("sum")
	VEXTRACTI128(U8(1), total, t.AsX())
	VPADDQ(t.AsX(), total.AsX(), total.AsX())
	VPSHUFD(U8(0x4e), total.AsX(), t.AsX())
	VPADDQ(t.AsX(), total.AsX(), total.AsX())
	sum := GP64()
	VMOVQ(total.AsX(), sum)
	Store(sum, ReturnIndex(0))
	end()
}
