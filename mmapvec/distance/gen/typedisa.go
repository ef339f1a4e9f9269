//go:build ignore

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

var (
	endMask Mem // 32 clear and 32 set bytes: 32 bytes from n on are the mask of the last n
	highBit Mem // 0x80 in every byte
)

func typedData() {
	endMask = repeated("endMask", func(i int) byte { return byte(-(i / 32)) })
	highBit = repeated("highBit", func(int) byte { return 0x80 })
}

func (avx512) halves(m Mem, dst Register) { VCVTPH2PS(m, dst) }

// restMask is (1 << n%step) - 1 of the n elements: loads are masked.
func (avx512) restMask(rowBytes Register, size, widened int) Register {
	elements := 64 / size / widened
	if size == 2 {
		SHRQ(U8(1), rowBytes)
	}
	ANDQ(U8(elements-1), rowBytes)
	ones := GP64()
	XORQ(ones, ones)
	BTSQ(rowBytes, ones)
	DECQ(ones)
	k := K()
	KMOVQ(ones, k)
	return k
}

func (avx512) seekRest(off, rowBytes Register, step int) {}

func (avx512) floatsRest(m Mem, mask, dst Register) { VMOVUPS_Z(m, mask, dst) }

// halvesRest loads before it converts: a masked move does not fault where the mask is clear.
func (avx512) halvesRest(m Mem, mask, dst Register) {
	VMOVDQU16_Z(m, mask, dst.(VecVirtual).AsY())
	VCVTPH2PS(dst.(VecVirtual).AsY(), dst)
}

func (avx512) bytesRest(m Mem, mask, dst Register) { VMOVDQU8_Z(m, mask, dst) }

func (avx2) halves(m Mem, dst Register) { VCVTPH2PS(m, dst) }

// restMask is for the last vector of a row, which overlaps the one before: the last elements are set.
func (avx2) restMask(rowBytes Register, size, widened int) Register {
	ANDQ(U8(32/widened-1), rowBytes)
	table, mask := GP64(), YMM()
	LEAQ(endMask, table)
	VMOVDQU(Mem{Base: table, Index: rowBytes, Scale: uint8(widened)}, mask)
	return mask
}

func (avx2) seekRest(off, rowBytes Register, step int) { LEAQ(Mem{Base: rowBytes, Disp: -step}, off) }

func (avx2) floatsRest(m Mem, mask, dst Register) { VANDPS(m, mask, dst) }

func (avx2) halvesRest(m Mem, mask, dst Register) {
	VCVTPH2PS(m, dst)
	VANDPS(mask, dst, dst)
}

func (avx2) bytesRest(m Mem, mask, dst Register) { VPAND(m, mask, dst) }

// biasedDot has no product of unsigned bytes: Σ x·y is Σ (x-128)·y less Σ -128·y, modulo 2³².
type biasedDot struct {
	acc, biases [4]VecVirtual
	bias        VecVirtual
}

func (k *biasedDot) zero() {
	for j := range k.acc {
		VPXORD(k.acc[j], k.acc[j], k.acc[j])
		VPXORD(k.biases[j], k.biases[j], k.biases[j])
	}
}

func (k *biasedDot) prepare(x Register) { VPXORQ(k.bias, x, x) }

func (k *biasedDot) add(x Register, y VecVirtual, j int) {
	VPDPBUSD(x, y, k.acc[j]) // unsigned y, signed x
	VPDPBUSD(k.bias, y, k.biases[j])
}

func (k *biasedDot) sums() VecVirtual {
	for j := range k.acc {
		VPSUBD(k.biases[j], k.acc[j], k.acc[j])
	}
	return avx512{}.sum4Int(k.acc)
}

func (s avx512) byteKernel(metric string, acc [4]VecVirtual) byteKernel {
	if metric == "dot" {
		k := &biasedDot{acc: acc, biases: newAccumulators(s), bias: ZMM()}
		VMOVDQU64(highBit, k.bias)
		return k
	}
	return newWordKernel(s, metric, acc)
}

func (s avx2) byteKernel(metric string, acc [4]VecVirtual) byteKernel {
	return newWordKernel(s, metric, acc)
}

// wordKernel widens bytes to words, whose products are added in pairs: below 2¹⁷. L1 needs no words.
type wordKernel struct {
	s            isa
	metric       string
	acc          [4]VecVirtual
	clear        VecVirtual // zeros, to widen with
	low, high, t VecVirtual // low and high: of the query, for dot
}

func newWordKernel(s isa, metric string, acc [4]VecVirtual) *wordKernel {
	k := &wordKernel{s, metric, acc, s.vector(), s.vector(), s.vector(), s.vector()}
	s.zero(k.clear)
	return k
}

func (k *wordKernel) zero() {
	for _, a := range k.acc {
		k.s.zero(a)
	}
}

func (k *wordKernel) prepare(x Register) {
	if k.metric == "dot" {
		VPUNPCKLBW(k.clear, x, k.low)
		VPUNPCKHBW(k.clear, x, k.high)
	}
}

func (k *wordKernel) add(x Register, y VecVirtual, j int) {
	switch k.metric {
	case "dot":
		VPUNPCKLBW(k.clear, y, k.t)
		VPUNPCKHBW(k.clear, y, y)
		VPMADDWD(k.low, k.t, k.t)
		VPMADDWD(k.high, y, y)
		VPADDD(k.t, k.acc[j], k.acc[j])
		VPADDD(y, k.acc[j], k.acc[j])
	case "l2":
		VPSUBUSB(y, x, k.t)
		VPSUBUSB(x, y, y)
		if k.s.floats() == 16 {
			VPORQ(k.t, y, y) // |x-y|
		} else {
			VPOR(k.t, y, y)
		}
		VPUNPCKLBW(k.clear, y, k.t)
		VPUNPCKHBW(k.clear, y, y)
		VPMADDWD(k.t, k.t, k.t)
		VPMADDWD(y, y, y)
		VPADDD(k.t, k.acc[j], k.acc[j])
		VPADDD(y, k.acc[j], k.acc[j])
	case "l1":
		VPSADBW(x, y, y)
		VPADDD(y, k.acc[j], k.acc[j])
	}
}

func (k *wordKernel) sums() VecVirtual {
	if k.s.floats() == 16 {
		return avx512{}.sum4Int(k.acc)
	}
	return avx2{}.sum4Int(k.acc)
}
