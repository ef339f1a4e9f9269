//go:build ignore

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

type avx512 struct{}

func (avx512) suffix() string     { return "AVX512" }
func (avx512) needs() string      { return "AVX-512 F, BW, VL, VBMI, VNNI and VPOPCNTDQ, and GFNI" }
func (avx512) floats() int        { return 16 }
func (avx512) vector() VecVirtual { return ZMM() }
func (avx512) zero(v Register)    { VPXORD(v, v, v) }

func (avx512) constants(metric string) Register {
	if metric != "l1" {
		return nil
	}
	c := ZMM()
	VPTERNLOGD(U8(0xff), c, c, c)
	VPSRLD(U8(1), c, c)
	return c
}

// tail is (1 << n%16) - 1.
func (avx512) tail(n Register) Register {
	ANDQ(U8(15), n)
	ones := GP64()
	XORQ(ones, ones)
	BTSQ(n, ones)
	DECQ(ones)
	k := K()
	KMOVW(ones.As32(), k)
	return k
}

func (avx512) load(m Mem, dst Register)           { VMOVUPS(m, dst) }
func (avx512) loadTail(m Mem, mask, dst Register) { VMOVUPS_Z(m, mask, dst) }

func (avx512) accumulate(metric string, c, q Register, row Op, acc, tmp Register) {
	switch metric {
	case "dot":
		VFMADD231PS(row, q, acc)
	case "l2":
		VSUBPS(row, q, tmp)
		VFMADD231PS(tmp, tmp, acc)
	case "l1":
		VSUBPS(row, q, tmp)
		VPANDD(c, tmp, tmp)
		VADDPS(tmp, acc, acc)
	}
}

// tailAbs is c for the first n % 16 elements, zero for the others.
func (s avx512) tailAbs(c, n Register) Register {
	k, abs := s.tail(n), ZMM()
	VMOVDQA32_Z(c, k, abs)
	return abs
}

func (avx512) and(mask, v Register) { VPANDD(mask, v, v) }

func (avx512) widen(m Mem, dst Register) {
	VPMOVZXBD(m, dst)
	VCVTDQ2PS(dst, dst)
}

func (avx512) sum4(acc [4]VecVirtual) VecVirtual {
	for _, a := range acc {
		high := YMM()
		VEXTRACTF64X4(U8(1), a, high)
		VADDPS(high, a.AsY(), a.AsY())
	}
	return sum4Floats(acc)
}

func sum4Floats(acc [4]VecVirtual) VecVirtual {
	a, b, c, d := acc[0].AsY(), acc[1].AsY(), acc[2].AsY(), acc[3].AsY()
	VHADDPS(b, a, a)
	VHADDPS(d, c, c)
	VHADDPS(c, a, a)
	high := XMM()
	VEXTRACTF128(U8(1), a, high)
	VADDPS(high, acc[0].AsX(), acc[0].AsX())
	return acc[0]
}

func (avx512) codeLine(q, off Register, rows [4]Register, acc [4]VecVirtual) {
	x := ZMM()
	VMOVDQU64(Mem{Base: q, Index: off, Scale: 1}, x)
	for j, row := range rows {
		y := ZMM()
		VMOVDQU64(Mem{Base: row, Index: off, Scale: 1}, y)
		VPDPBUSD(x, y, acc[j]) // unsigned y, signed x
	}
}

func (avx512) sum4Int(acc [4]VecVirtual) VecVirtual {
	for _, a := range acc {
		high := YMM()
		VEXTRACTI64X4(U8(1), a, high)
		VPADDD(high, a.AsY(), a.AsY())
	}
	return sum4Ints(acc)
}

func sum4Ints(acc [4]VecVirtual) VecVirtual {
	a, b, c, d := acc[0].AsY(), acc[1].AsY(), acc[2].AsY(), acc[3].AsY()
	VPHADDD(b, a, a)
	VPHADDD(d, c, c)
	VPHADDD(c, a, a)
	high := XMM()
	VEXTRACTI128(U8(1), a, high)
	VPADDD(high, acc[0].AsX(), acc[0].AsX())
	return acc[0]
}

type avx2 struct{ masks Mem }

func (avx2) suffix() string     { return "AVX2" }
func (avx2) needs() string      { return "AVX2 and FMA" }
func (avx2) floats() int        { return 8 }
func (avx2) vector() VecVirtual { return YMM() }
func (avx2) zero(v Register)    { VPXOR(v, v, v) }

func (avx2) constants(metric string) Register {
	if metric != "l1" {
		return nil
	}
	c := YMM()
	VPCMPEQD(c, c, c)
	VPSRLD(U8(1), c, c)
	return c
}

func (s avx2) tail(n Register) Register {
	ANDQ(U8(7), n)
	NEGQ(n)
	table, mask := GP64(), YMM()
	LEAQ(s.masks, table)
	VMOVDQU(Mem{Base: table, Index: n, Scale: 4, Disp: 32}, mask)
	return mask
}

func (avx2) load(m Mem, dst Register)           { VMOVUPS(m, dst) }
func (avx2) loadTail(m Mem, mask, dst Register) { VMASKMOVPS(m, mask, dst) }

func (avx2) accumulate(metric string, c, q Register, row Op, acc, tmp Register) {
	switch metric {
	case "dot":
		VFMADD231PS(row, q, acc)
	case "l2":
		VSUBPS(row, q, tmp)
		VFMADD231PS(tmp, tmp, acc)
	case "l1":
		VSUBPS(row, q, tmp)
		VANDPS(c, tmp, tmp)
		VADDPS(tmp, acc, acc)
	}
}

func (s avx2) tailAbs(c, n Register) Register {
	abs := s.tail(n)
	VPAND(c, abs, abs)
	return abs
}

func (avx2) and(mask, v Register) { VANDPS(mask, v, v) }

func (avx2) widen(m Mem, dst Register) {
	VPMOVZXBD(m, dst)
	VCVTDQ2PS(dst, dst)
}

func (avx2) sum4(acc [4]VecVirtual) VecVirtual { return sum4Floats(acc) }

// codeLine widens both bytes to words: VPMADDUBSW would saturate.
func (avx2) codeLine(q, off Register, rows [4]Register, acc [4]VecVirtual) {
	for disp := 0; disp < lineBytes; disp += 16 {
		x := YMM()
		VPMOVSXBW(Mem{Base: q, Index: off, Scale: 1, Disp: disp}, x)
		for j, row := range rows {
			y := YMM()
			VPMOVZXBW(Mem{Base: row, Index: off, Scale: 1, Disp: disp}, y)
			VPMADDWD(x, y, y)
			VPADDD(y, acc[j], acc[j])
		}
	}
}

func (avx2) sum4Int(acc [4]VecVirtual) VecVirtual { return sum4Ints(acc) }
