//go:build ignore

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func broadcastParam(name string) VecVirtual {
	b, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	v := YMM()
	VBROADCASTSS(b.Addr, v)
	return v
}

// addLanes adds the eight lanes of sum as the plain addLanes does and stores the result.
func addLanes(sum, t VecVirtual, result int) {
	VEXTRACTF128(U8(1), sum, t.AsX())
	VADDPS(t.AsX(), sum.AsX(), sum.AsX())
	VPERMILPS(U8(0x4e), sum.AsX(), t.AsX())
	VADDPS(t.AsX(), sum.AsX(), sum.AsX())
	VPERMILPS(U8(0xb1), sum.AsX(), t.AsX())
	VADDPS(t.AsX(), sum.AsX(), sum.AsX())
	Store(sum.AsX(), ReturnIndex(result))
}

func subtract() {
	begin("subtractAVX2", "func(x, by []float32) float32", "subtracts a vector at a time; whole groups of 8; the product sums in eight lanes, without FMA.")
	x, by := Load(Param("x").Base(), GP64()), Load(Param("by").Base(), GP64())
	n := Load(Param("x").Len(), GP64())
	v, t, sum := YMM(), YMM(), YMM()
	VPXOR(sum, sum, sum)
	Label("loop")
	SUBQ(U8(8), n)
	JL(LabelRef("done"))
	VMOVUPS(Mem{Base: by}, t)
	VMOVUPS(Mem{Base: x}, v)
	VSUBPS(t, v, v)
	VMOVUPS(v, Mem{Base: x})
	VMULPS(t, v, v)
	VADDPS(v, sum, sum)
	ADDQ(U8(vector), x)
	ADDQ(U8(vector), by)
	JMP(LabelRef("loop"))
	Label("done")
	addLanes(sum, t, 0)
	end()
}

func sums() {
	begin("sumsAVX2", "func(x []float32) (abs, square float32)", "sums in eight lanes, without FMA; whole groups of 8.")
	x, n := Load(Param("x").Base(), GP64()), Load(Param("x").Len(), GP64())
	mask := broadcast(absMask)
	v, abs, square := YMM(), YMM(), YMM()
	VPXOR(abs, abs, abs)
	VPXOR(square, square, square)
	Label("loop")
	SUBQ(U8(8), n)
	JL(LabelRef("done"))
	VANDPS(Mem{Base: x}, mask, v)
	VADDPS(v, abs, abs)
	VMULPS(v, v, v)
	VADDPS(v, square, square)
	ADDQ(U8(vector), x)
	JMP(LabelRef("loop"))
	Label("done")
	addLanes(abs, v, 0)
	addLanes(square, v, 1)
	end()
}

func quantise() {
	begin("quantiseAVX2", "func(dst []byte, x []float32, inv, shift, low, high, zero float32) (xv, vv float32)", "rounds a vector at a time; whole groups of 8; sums in eight lanes, without FMA.")
	dst, x := Load(Param("dst").Base(), GP64()), Load(Param("x").Base(), GP64())
	n := Load(Param("x").Len(), GP64())
	inv, shift, low, high, zero := broadcastParam("inv"), broadcastParam("shift"), broadcastParam("low"), broadcastParam("high"), broadcastParam("zero")
	big := broadcast(magicNumber)
	w, v, t, sumXV, sumVV := YMM(), YMM(), YMM(), YMM(), YMM()
	VPXOR(sumXV, sumXV, sumXV)
	VPXOR(sumVV, sumVV, sumVV)
	Label("loop")
	SUBQ(U8(8), n)
	JL(LabelRef("sums"))
	VMOVUPS(Mem{Base: x}, w)
	VMULPS(inv, w, v)
	VSUBPS(shift, v, v)
	VMINPS(high, v, v) // NaN becomes high
	VMAXPS(low, v, v)
	VADDPS(big, v, v)
	VSUBPS(big, v, v)
	VADDPS(zero, v, t)
	VCVTPS2DQ(t, t)
	VADDPS(shift, v, v)
	VMULPS(v, w, w)
	VADDPS(w, sumXV, sumXV)
	VMULPS(v, v, v)
	VADDPS(v, sumVV, sumVV)
	VEXTRACTI128(U8(1), t, v.AsX())
	VPACKUSDW(v.AsX(), t.AsX(), t.AsX())
	VPACKUSWB(t.AsX(), t.AsX(), t.AsX())
	VMOVQ(t.AsX(), Mem{Base: dst})
	ADDQ(U8(vector), x)
	ADDQ(U8(8), dst)
	JMP(LabelRef("loop"))
	Label("sums")
	addLanes(sumXV, t, 0)
	addLanes(sumVV, t, 1)
	end()
}

func packPlane() {
	begin("packPlaneAVX2", "func(dst, u []byte, bit int)", "packs 32 codes at a time; whole groups of 32.")
	dst, u := Load(Param("dst").Base(), GP64()), Load(Param("u").Base(), GP64())
	n, bit := Load(Param("u").Len(), GP64()), Load(Param("bit"), GP64())
	shift, v, word := XMM(), YMM(), GP32()
	NEGQ(bit)
	ADDQ(U8(7), bit) // to the top of the byte
	VMOVQ(bit, shift)
	Label("loop")
	SUBQ(U8(32), n)
	JL(LabelRef("done"))
	VMOVDQU(Mem{Base: u}, v)
	VPSLLW(shift, v, v)
	VPMOVMSKB(v, word)
	MOVL(word, Mem{Base: dst})
	ADDQ(U8(32), u)
	ADDQ(U8(4), dst)
	JMP(LabelRef("loop"))
	Label("done")
	end()
}

// unpack expands a bit to a byte by spreading its byte over eight and comparing, and adds ±1 for each to the doubled value.
func unpack() {
	begin("unpackAVX2", "func(dst []int8, code []byte, plane, rest, bits int) int32", "unpacks 32 codes at a time and returns their sum; whole groups of 32.")
	dst, code := Load(Param("dst").Base(), GP64()), Load(Param("code").Base(), GP64())
	n, plane := Load(Param("dst").Len(), GP64()), Load(Param("plane"), GP64())
	at, left := GP64(), GP64()
	spread, bit, one, v, t := YMM(), YMM(), YMM(), YMM(), YMM()
	VMOVDQU(spreadTable, spread)
	VMOVDQU(spreadTable.Offset(vector), bit)
	VPABSB(allOnes(t), one)
	wordOne, sum := YMM(), YMM()
	VPABSW(allOnes(wordOne), wordOne)
	VPXOR(sum, sum, sum)
	addBit := func() {
		VPBROADCASTD(Mem{Base: at}, t)
		VPSHUFB(spread, t, t)
		VPANDN(bit, t, t) // what is left of the bit where it is clear
		VPCMPEQB(bit, t, t)
		VPOR(one, t, t) // -1 for a clear bit, 1 for a set one
	}
	Label("loop")
	SUBQ(U8(32), n)
	JL(LabelRef("done"))
	MOVQ(code, at)
	addBit()
	VMOVDQA(t, v)
	b, err := Param("rest").Resolve()
	if err != nil {
		panic(err)
	}
	ADDQ(b.Addr, at)
	b, err = Param("bits").Resolve()
	if err != nil {
		panic(err)
	}
	MOVQ(b.Addr, left)
	Label("planes")
	DECQ(left)
	JLE(LabelRef("store"))
	addBit()
	VPADDB(v, v, v)
	VPADDB(t, v, v)
	ADDQ(plane, at)
	JMP(LabelRef("planes"))
	Label("store")
	VMOVDQU(v, Mem{Base: dst})
	VPMADDUBSW(v, one, v) // unsigned ones, signed codes
	VPMADDWD(wordOne, v, v)
	VPADDD(v, sum, sum)
	ADDQ(U8(32), dst)
	ADDQ(U8(4), code)
	JMP(LabelRef("loop"))
	Label("done")
	half, total := XMM(), GP32()
	VEXTRACTI128(U8(1), sum, half)
	VPADDD(half, sum.AsX(), sum.AsX())
	VPSHUFD(U8(0x4e), sum.AsX(), half)
	VPADDD(half, sum.AsX(), sum.AsX())
	VPSHUFD(U8(0xb1), sum.AsX(), half)
	VPADDD(half, sum.AsX(), sum.AsX())
	VMOVD(sum.AsX(), total)
	Store(total, ReturnIndex(0))
	end()
}

func allOnes(v VecVirtual) VecVirtual {
	VPCMPEQB(v, v, v)
	return v
}
