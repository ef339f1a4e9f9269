//go:build ignore

package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// hadamard does the stages in the order of the plain kernel, so every sum has the same operands and the same bits: up
// to 64 floats in eight registers, then two stages at a time over memory, then the odd one.
func hadamard() {
	begin("hadamardAVX2", "func(x []float32)", "does six stages in registers, the rest two by two over memory; len(x) is a power of two from 8.")
	x, n := Load(Param("x").Base(), GP64()), Load(Param("x").Len(), GP64())
	SHLQ(U8(2), n) // bytes
	var flips [3]VecVirtual
	for s := range flips {
		flips[s] = YMM()
		VMOVUPS(signsTable.Offset(s*vector), flips[s])
	}
	for _, registers := range []int{1, 2, 4} {
		CMPQ(n, U32(registers*vector))
		next := fmt.Sprintf("not%d", registers)
		JNE(LabelRef(next))
		inRegisters(Mem{Base: x}, registers, flips)
		JMP(LabelRef("done"))
		Label(next)
	}
	const blockBytes = 8 * vector
	p, limit := GP64(), GP64()
	LEAQ(Mem{Base: x, Index: n, Scale: 1}, limit)
	MOVQ(x, p)
	Label("blocks")
	inRegisters(Mem{Base: p}, 8, flips)
	ADDQ(U32(blockBytes), p)
	CMPQ(p, limit)
	JL(LabelRef("blocks"))

	h := GP64() // bytes
	MOVQ(U32(blockBytes), h)
	Label("two")
	h2 := GP64()
	LEAQ(Mem{Base: h, Index: h, Scale: 1}, h2)
	CMPQ(h2, n)
	JG(LabelRef("done")) // h == n
	JE(LabelRef("one"))
	twoStages(x, limit, h, h2)
	SHLQ(U8(2), h)
	JMP(LabelRef("two"))

	Label("one")
	a, b := YMM(), YMM()
	q := GP64()
	LEAQ(Mem{Base: x, Index: h, Scale: 1}, q)
	Label("oneLoop")
	VMOVUPS(Mem{Base: x}, a)
	VADDPS(Mem{Base: q}, a, b)
	VSUBPS(Mem{Base: q}, a, a)
	VMOVUPS(b, Mem{Base: x})
	VMOVUPS(a, Mem{Base: q})
	ADDQ(U8(vector), x)
	ADDQ(U8(vector), q)
	CMPQ(q, limit)
	JL(LabelRef("oneLoop"))
	Label("done")
	end()
}

// inRegisters transforms count·8 floats at m.
func inRegisters(m Mem, count int, flips [3]VecVirtual) {
	v := make([]VecVirtual, count)
	for i := range v {
		v[i] = YMM()
		VMOVUPS(m.Offset(i*vector), v[i])
	}
	t := YMM()
	for stage, flip := range flips { // partners within the register: x0+x1, x0-x1 as swapped + sign-flipped
		for _, r := range v {
			switch stage {
			case 0:
				VPERMILPS(U8(0xb1), r, t)
			case 1:
				VPERMILPS(U8(0x4e), r, t)
			case 2:
				VPERM2F128(U8(0x01), r, r, t)
			}
			VXORPS(flip, r, r)
			VADDPS(r, t, r)
		}
	}
	for h := 1; h < count; h *= 2 {
		for i := 0; i < count; i += 2 * h {
			for j := i; j < i+h; j++ {
				VSUBPS(v[j+h], v[j], t)
				VADDPS(v[j+h], v[j], v[j])
				VMOVAPS(t, v[j+h])
			}
		}
	}
	for i, r := range v {
		VMOVUPS(r, m.Offset(i*vector))
	}
}

// twoStages does the stages of h and 2h bytes over all of x.
func twoStages(x, limit, h, h2 Register) {
	group, p, stop, h3 := GP64(), GP64(), GP64(), GP64()
	LEAQ(Mem{Base: h, Index: h2, Scale: 1}, h3)
	MOVQ(x, group)
	Label("groups")
	MOVQ(group, p)
	LEAQ(Mem{Base: group, Index: h, Scale: 1}, stop)
	Label("quads")
	at := []Mem{{Base: p}, {Base: p, Index: h, Scale: 1}, {Base: p, Index: h2, Scale: 1}, {Base: p, Index: h3, Scale: 1}}
	a, c, ab, cd, t := YMM(), YMM(), YMM(), YMM(), YMM()
	VMOVUPS(at[0], a)
	VADDPS(at[1], a, ab)
	VSUBPS(at[1], a, a)
	VMOVUPS(at[2], c)
	VADDPS(at[3], c, cd)
	VSUBPS(at[3], c, c)
	VADDPS(cd, ab, t)
	VMOVUPS(t, at[0])
	VADDPS(c, a, t)
	VMOVUPS(t, at[1])
	VSUBPS(cd, ab, ab)
	VMOVUPS(ab, at[2])
	VSUBPS(c, a, a)
	VMOVUPS(a, at[3])
	ADDQ(U8(vector), p)
	CMPQ(p, stop)
	JL(LabelRef("quads"))
	LEAQ(Mem{Base: group, Index: h2, Scale: 2}, group)
	CMPQ(group, limit)
	JL(LabelRef("groups"))
}
