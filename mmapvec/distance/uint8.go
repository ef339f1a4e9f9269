package distance

import (
	"math"
	"unsafe"
)

// maxBytesLength keeps the sums of uint8 kernels within a uint32: 66051·255² is below 2^32.
const maxBytesLength = 66051

// RowsU8 is [RowsF32] for rows and a query of uint8 values. The sums are exact integers, rounded to float32 at the end:
// same bits at every level. It panics also if len(q) > 66051.
func RowsU8(m Metric, q []uint8, base []byte, stride int, ids []uint32, out []float32) {
	if len(ids) == 0 {
		return
	}
	checkRows(len(q), base, stride, ids, len(out))
	checkBytesLength(len(q))
	m.check()
	for n := callRows(len(q)); ; ids, out = ids[n:], out[n:] {
		n = min(n, len(ids))
		sums := unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(out))), n) // in the place of the results
		byteRows(m, q, base, stride, ids[:n], sums)
		for i, sum := range sums {
			out[i] = m.ofSum(sum)
		}
		if n == len(ids) {
			return
		}
	}
}

// DistanceU8 is [Metric.Distance] of uint8 vectors, exact but for the rounding of the result to float32. It panics also
// if they are longer than 66051.
func (m Metric) DistanceU8(q, row []uint8) float32 {
	if len(q) != len(row) {
		panic("distance: vectors of different length")
	}
	checkBytesLength(len(q))
	m.check()
	return m.ofSum(bytePair(m, q, row))
}

func checkBytesLength(n int) {
	if n > maxBytesLength {
		panic("distance: uint8 vector above 66051")
	}
}

// ofSum is the distance of an integer sum.
func (m Metric) ofSum(sum uint32) float32 {
	if m == Dot {
		return -float32(sum)
	}
	return float32(sum)
}

// ToU8 writes src to dst without fractions, limited to 0 to 255; NaN becomes 0. It panics if dst is shorter.
func ToU8(dst []uint8, src []float32) {
	dst = dst[:len(src)]
	for i, x := range src {
		switch {
		case x >= math.MaxUint8:
			dst[i] = math.MaxUint8
		case x > 0:
			dst[i] = uint8(x)
		default:
			dst[i] = 0
		}
	}
}

// FromU8 writes the values of src to dst. It panics if dst is shorter.
func FromU8(dst []float32, src []uint8) {
	dst = dst[:len(src)]
	done := fromBytes(dst, src)
	for i, b := range src[done:] {
		dst[done+i] = float32(b)
	}
}

// bytePairGeneric is the definition of the kernels on uint8 rows.
func bytePairGeneric(m Metric, q, row []uint8) uint32 {
	var sum uint32
	row = row[:len(q)]
	for i, x := range q {
		d := int32(x) - int32(row[i])
		switch m {
		case Dot:
			sum += uint32(x) * uint32(row[i])
		case L2:
			sum += uint32(d * d)
		case L1:
			sum += uint32(max(d, -d))
		}
	}
	return sum
}

func byteRowsGeneric(m Metric, q []uint8, base []byte, stride int, ids []uint32, out []uint32) {
	for i, id := range ids {
		out[i] = bytePairGeneric(m, q, base[int(id)*stride:])
	}
}
