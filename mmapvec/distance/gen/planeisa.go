//go:build ignore

package main

import (
	"fmt"
	"slices"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// repeated is 64 bytes of constant data.
func repeated(name string, byteAt func(i int) byte) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i := range lineBytes {
		DATA(i, U8(byteAt(i)))
	}
	return m
}

var (
	byteWeights  [4]Mem // 1, 2, 4, 8 in every byte
	countWeights [queryPlanes]Mem
	bitOfByte    Mem             // the bit of byte i in its group of eight
	spreadPlanes [groupWords]Mem // where the bytes of a matrix come from, for each word
	wordOnes     Mem
	lowNibbles   Mem
	lowPairs     Mem // the low two bits of every byte
	evenBits     Mem
	evenPairs    Mem
	byteOnes     Mem
	byteEights   Mem
)

func planeData() {
	for p := range byteWeights {
		byteWeights[p] = repeated(fmt.Sprintf("byteWeight%d", 1<<p), func(int) byte { return 1 << p })
	}
	for p, w := range queryWeights {
		countWeights[p] = repeated(fmt.Sprintf("countWeight%d", p), func(i int) byte {
			if i%4 == 0 {
				return byte(int8(w))
			}
			return 0
		})
	}
	for w := range spreadPlanes {
		spreadPlanes[w] = repeated(fmt.Sprintf("spreadPlanes%d", w), func(i int) byte {
			const planeBytes = 8 * groupWords
			return byte(max(i%8-4, 0)*planeBytes + 8*w + i/8) // row 7 - b of the matrix gives bit b
		})
	}
	bitOfByte = repeated("bitOfByte", func(i int) byte { return 1 << (i % 8) })
	wordOnes = repeated("wordOnes", func(i int) byte { return byte(1 - i%2) })
	byteOnes = byteWeights[0]
	byteEights = byteWeights[3]
	lowNibbles = repeated("lowNibbles", func(int) byte { return 0x0f })
	lowPairs = repeated("lowPairs", func(int) byte { return 0x03 })
	evenBits = repeated("evenBits", func(int) byte { return 0x55 })
	evenPairs = repeated("evenPairs", func(int) byte { return 0x33 })
}

func loadConstants(s isa, data ...Mem) (c []Register) {
	for _, m := range data {
		v := s.vector()
		s.load(m, v)
		c = append(c, v)
	}
	return c
}

func (s avx512) planeConstants(bits int) []Register {
	data := slices.Clone(byteWeights[:bits])
	slices.Reverse(data)
	if bits < 4 {
		return loadConstants(s, data...)
	}
	k, tmp := K(), GP64()
	MOVQ(U64(0xf0f0f0f0f0f0f0f0), tmp)
	KMOVQ(tmp, k)
	return append(loadConstants(s, append(append(data, bitOfByte), spreadPlanes[:]...)...), k)
}

// planeWord adds to each accumulator the product of 64 query bytes and the codes of 64 bits of every plane.
func (avx512) planeWord(c []Register, q Mem, planes [rowBlock][]Mem, acc [rowBlock]VecVirtual) {
	x := ZMM()
	VMOVDQU64(q, x)
	for j := range planes {
		y := ZMM()
		for p, at := range planes[j] {
			k := K()
			KMOVQ(at, k)
			if p == 0 {
				VMOVDQU8_Z(c[p], k, y)
			} else {
				VPADDB(c[p], y, k, y)
			}
		}
		VPDPBUSD(x, y, acc[j]) // unsigned y, signed x
	}
}

// planeGroup is faster, for words in groups of four, of four planes. It turns 4 × 256 bits to 256 bytes: a permutation puts
// the bytes of the four planes that belong to eight coordinates into one matrix, and the multiplication by that takes one
// column for each byte.
func (avx512) planeGroup(c []Register, q Mem, planes [rowBlock][]Mem, acc [rowBlock]VecVirtual) {
	columns, spread, low := c[0], c[1:1+groupWords], c[1+groupWords]
	var x [groupWords]VecVirtual
	for w := range x {
		x[w] = ZMM()
		VMOVDQU64(q.Offset(w*lineBytes), x[w])
	}
	for j := range planes {
		upper, lower, y := ZMM(), ZMM(), ZMM()
		VMOVDQU64(planes[j][0], upper.AsY())
		VINSERTI64X4(U8(1), planes[j][1], upper, upper)
		VMOVDQU64(planes[j][2], lower.AsY())
		VINSERTI64X4(U8(1), planes[j][3], lower, lower)
		for w := range x {
			VMOVDQA64(spread[w], y)
			VPERMI2B_Z(lower, upper, low, y)
			VGF2P8AFFINEQB(U8(0), y, columns, y)
			VPDPBUSD(x[w], y, acc[j])
		}
	}
}

func (s avx512) firstConstants() []Register { return loadConstants(s, countWeights[:]...) }

// firstLine adds to each accumulator the weighted counts of the bits that a line of the rows shares with the query.
func (avx512) firstLine(c []Register, q [queryPlanes]Mem, rows [rowBlock]Mem, acc [rowBlock]VecVirtual) {
	var x [queryPlanes]VecVirtual
	for p := range x {
		x[p] = ZMM()
		VMOVDQU64(q[p], x[p])
	}
	for j, at := range rows {
		row := ZMM()
		VMOVDQU64(at, row)
		for p := range x {
			t := ZMM()
			VPANDD(row, x[p], t)
			VPOPCNTD(t, t)
			VPDPBUSD(c[p], t, acc[j])
		}
	}
}

// groupConstants are the even bits, of single ones and of pairs, and the low nibbles.
func (s avx2) groupConstants(bits int) []Register {
	switch bits {
	case 1:
		return loadConstants(s, byteWeights[0])
	case 2:
		return loadConstants(s, evenBits, lowPairs)
	}
	return loadConstants(s, evenBits, evenPairs, lowNibbles)
}

// leftMask is the mask of as many bytes as n is below zero, in doublewords.
func (s avx2) leftMask(n, mask Register) {
	table := GP64()
	LEAQ(s.masks, table)
	VMOVDQU(Mem{Base: table, Index: n, Scale: 1, Disp: 32}, mask)
}

// group adds to acc the product of a group of the query and the codes of 32 bytes of every plane. The sums of a group are
// words: 8·2·15·128 at most.
func (s avx2) group(c []Register, mask Register, q Mem, planes []Mem, acc VecVirtual) {
	var p []VecVirtual
	for _, at := range planes {
		v := YMM()
		VPMASKMOVD(at, mask, v)
		p = append(p, v)
	}
	var sum VecVirtual
	s.codes(c, p, func(codes VecVirtual, k int) {
		VPMADDUBSW(q.Offset(32*k), codes, codes)
		if sum == nil {
			sum = codes
			return
		}
		VPADDW(codes, sum, sum)
	})
	VPMADDWD(wordOnes, sum, sum)
	VPADDD(sum, acc, acc)
}

// codes makes 256 codes of the bits of 32 bytes of every plane, by exchanges of single bits, then pairs, between planes, and
// gives them to use: those of bit k of all bytes at once.
func (s avx2) codes(c []Register, p []VecVirtual, use func(codes VecVirtual, k int)) {
	// fields uses the codes of bits k, k + step, ...
	fields := func(low Register, v VecVirtual, k, step int) {
		for shift := 0; shift < 8; shift += step {
			codes := YMM()
			if shift == 0 {
				VPAND(low, v, codes)
			} else {
				VPSRLW(U8(shift), v, codes)
				VPAND(low, codes, codes)
			}
			use(codes, k+shift)
		}
	}
	// exchange joins the fields of two vectors: the even ones, which mask tells, and the odd ones.
	exchange := func(mask Register, width int, a, b VecVirtual) (even, odd VecVirtual) {
		even, odd = YMM(), YMM()
		t := YMM()
		VPAND(a, mask, even)
		VPSLLW(U8(width), even, even)
		VPAND(b, mask, t)
		VPOR(t, even, even)
		VPANDN(b, mask, odd)
		VPSRLW(U8(width), odd, odd)
		VPANDN(a, mask, t)
		VPOR(t, odd, odd)
		return even, odd
	}
	switch len(p) {
	case 1:
		fields(c[0], p[0], 0, 1)
	case 2:
		even, odd := exchange(c[0], 1, p[0], p[1])
		fields(c[1], even, 0, 2)
		fields(c[1], odd, 1, 2)
	case 4:
		high, highOdd := exchange(c[0], 1, p[0], p[1])
		low, lowOdd := exchange(c[0], 1, p[2], p[3])
		for k, pair := range [][2]VecVirtual{{high, low}, {highOdd, lowOdd}} {
			even, odd := exchange(c[1], 2, pair[0], pair[1])
			fields(c[2], even, k, 4)
			fields(c[2], odd, k+2, 4)
		}
	}
}
