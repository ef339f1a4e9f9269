//go:build ignore

package main

import (
	"fmt"
	"slices"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A planeISA writes the parts of the plane kernels that differ between instruction sets.
type planeISA interface {
	isa
	planeConstants(bits int) []Register
	// planeWord adds to each accumulator the product of 64 query bytes and the codes of 64 bits of every plane.
	planeWord(c []Register, q Mem, planes [rowBlock][]Mem, acc [rowBlock]VecVirtual)
	firstConstants() []Register
	// firstLine adds to each accumulator the weighted counts of the bits that a line of the rows shares with the query.
	firstLine(c []Register, q [queryPlanes]Mem, rows [rowBlock]Mem, acc [rowBlock]VecVirtual)
}

// A groupISA has a faster way for words in groups of four, of four planes.
type groupISA interface {
	planeGroup(c []Register, q Mem, planes [rowBlock][]Mem, acc [rowBlock]VecVirtual)
}

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
	byteOfBits   Mem             // which of four bytes holds bit i
	spreadPlanes [groupWords]Mem // where the bytes of a matrix come from, for each word
	wordOnes     Mem
	lowNibbles   Mem
	nibbleCounts [queryPlanes]Mem // bits of a nibble, weighted
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
		nibbleCounts[p] = repeated(fmt.Sprintf("nibbleCount%d", p), func(i int) byte {
			count := i&1 + i>>1&1 + i>>2&1 + i>>3&1
			return byte(int8(w * count))
		})
	}
	for w := range spreadPlanes {
		spreadPlanes[w] = repeated(fmt.Sprintf("spreadPlanes%d", w), func(i int) byte {
			const planeBytes = 8 * groupWords
			return byte(max(i%8-4, 0)*planeBytes + 8*w + i/8) // row 7 - b of the matrix gives bit b
		})
	}
	bitOfByte = repeated("bitOfByte", func(i int) byte { return 1 << (i % 8) })
	byteOfBits = repeated("byteOfBits", func(i int) byte { return byte(i / 8 % 4) })
	wordOnes = repeated("wordOnes", func(i int) byte { return byte(1 - i%2) })
	lowNibbles = repeated("lowNibbles", func(int) byte { return 0x0f })
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

// planeGroup turns 4 × 256 bits to 256 bytes: a permutation puts the bytes of the four planes that belong to eight
// coordinates into one matrix, and the multiplication by that takes one column for each byte.
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

func (s avx512) firstConstants() []Register { return loadConstants(s, countWeights[:]...) }

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

func (s avx2) planeConstants(int) []Register {
	return loadConstants(s, byteOfBits, bitOfByte, wordOnes)
}

// planeWord expands a bit to a byte by spreading its byte over eight and comparing. Codes and sums of pairs are small
// enough for VPMADDUBSW not to saturate: 2·15·128.
func (avx2) planeWord(c []Register, q Mem, planes [rowBlock][]Mem, acc [rowBlock]VecVirtual) {
	for half := range 2 {
		x := YMM()
		VMOVDQU(q.Offset(half*32), x)
		for j := range planes {
			y, t := YMM(), YMM()
			for p, at := range planes[j] {
				VPBROADCASTD(at.Offset(half*4), t)
				VPSHUFB(c[0], t, t)
				VPAND(c[1], t, t)
				if p == 0 {
					VPCMPEQB(c[1], t, y) // -1 for a set bit
				} else {
					VPCMPEQB(c[1], t, t)
					VPADDB(y, y, y)
					VPADDB(t, y, y)
				}
			}
			VPABSB(y, y)
			VPMADDUBSW(x, y, y)
			VPMADDWD(c[2], y, y)
			VPADDD(y, acc[j], acc[j])
		}
	}
}

func (s avx2) firstConstants() []Register {
	return loadConstants(s, append([]Mem{lowNibbles}, nibbleCounts[:]...)...)
}

// firstLine looks the weighted counts of nibbles up; the eight of a byte add up to -64 to 56.
func (avx2) firstLine(c []Register, q [queryPlanes]Mem, rows [rowBlock]Mem, acc [rowBlock]VecVirtual) {
	for half := 0; half < lineBytes; half += 32 {
		for j, at := range rows {
			row, sum, low, high := YMM(), YMM(), YMM(), YMM()
			VMOVDQU(at.Offset(half), row)
			for p := range q {
				VPAND(q[p].Offset(half), row, low)
				VPSRLW(U8(4), low, high)
				VPAND(c[0], low, low)
				VPAND(c[0], high, high)
				VPSHUFB(low, c[1+p], low)
				VPSHUFB(high, c[1+p], high)
				if p == 0 {
					VPADDB(high, low, sum)
				} else {
					VPADDB(low, sum, sum)
					VPADDB(high, sum, sum)
				}
			}
			// Signed bytes to the sums of four.
			VPMOVSXBW(sum.AsX(), low)
			VEXTRACTI128(U8(1), sum, sum.AsX())
			VPMOVSXBW(sum.AsX(), high)
			VPADDW(low, high, low)
			VPMADDWD(wordOnes, low, low)
			VPADDD(low, acc[j], acc[j])
		}
	}
}
