package distance

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// RowsF16 is [RowsF32] for rows of len(q) little-endian IEEE 754 half-precision values, which are widened to float32.
func RowsF16(m Metric, q []float32, base []byte, stride int, ids []uint32, out []float32) {
	if len(ids) == 0 {
		return
	}
	checkRows(2*len(q), base, stride, ids, len(out))
	m.check()
	for n := callRows(2 * len(q)); ; ids, out = ids[n:], out[n:] {
		n = min(n, len(ids))
		halfRows(m, q, base, stride, ids[:n], out)
		if m == Dot {
			for i, sum := range out[:n] {
				out[i] = -sum
			}
		}
		if n == len(ids) {
			return
		}
	}
}

// DistanceF16 is [Metric.Distance] of a row of half-precision values, as bits, widened to float32.
func (m Metric) DistanceF16(q []float32, row []uint16) float32 {
	if len(q) != len(row) {
		panic("distance: vectors of different length")
	}
	m.check()
	sum := half(m, q, row)
	if m == Dot {
		return -sum
	}
	return sum
}

// ToF16 writes src to dst as half-precision bits, rounded to nearest, ties to even. What is beyond ±65519 becomes Inf;
// NaN stays one. It panics if dst is shorter.
func ToF16(dst []uint16, src []float32) {
	dst = dst[:len(src)]
	done := toHalves(dst, src)
	for i, x := range src[done:] {
		dst[done+i] = toF16(x)
	}
}

// FromF16 writes the half-precision bits of src to dst, exactly. It panics if dst is shorter.
func FromF16(dst []float32, src []uint16) {
	dst = dst[:len(src)]
	done := fromHalves(dst, src)
	for i, h := range src[done:] {
		dst[done+i] = fromF16(h)
	}
}

func fromF16(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10)&31, uint32(h)&0x3ff
	switch {
	case exponent == 0: // zero or subnormal: a multiple of 2^-24
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)*0x1p-24))
	case exponent == 31 && fraction != 0: // a quiet NaN
		return math.Float32frombits(sign | 0x7fc00000 | fraction<<13)
	case exponent == 31:
		return math.Float32frombits(sign | 0x7f800000)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

func toF16(x float32) uint16 {
	word := math.Float32bits(x)
	sign, magnitude := uint16(word>>16)&0x8000, word&^(1<<31)
	switch {
	case magnitude > 0x7f800000: // NaN
		return sign | 0x7e00 | uint16(magnitude>>13)&0x3ff
	case magnitude < 113<<23: // below 2^-14: subnormal; the sum with 1/2 rounds to multiples of 2^-24
		return sign | uint16(math.Float32bits(math.Float32frombits(magnitude)+0.5)-math.Float32bits(0.5))
	}
	// A carry out of the fraction is one in the exponent.
	rounded := (magnitude + 0xfff + magnitude>>13&1 - (127-15)<<23) >> 13
	return sign | uint16(min(rounded, 0x7c00))
}

// sumF16 is the definition of the kernels on float16 rows.
func sumF16(m Metric, q []float32, row []byte) float32 {
	var sum float32
	row = row[:2*len(q)]
	for i, x := range q {
		y := fromF16(binary.LittleEndian.Uint16(row[2*i:]))
		switch m {
		case Dot:
			sum += x * y
		case L2:
			sum += (x - y) * (x - y)
		case L1:
			sum += abs(x - y)
		}
	}
	return sum
}

func halfGeneric(m Metric, q []float32, row []uint16) float32 {
	return sumF16(m, q, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(row))), 2*len(row)))
}

func halfRowsGeneric(m Metric, q []float32, base []byte, stride int, ids []uint32, out []float32) {
	for i, id := range ids {
		out[i] = sumF16(m, q, base[int(id)*stride:])
	}
}
