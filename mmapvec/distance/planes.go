package distance

// A row of bit planes holds, for each of Bits bits of its codes u[j], most significant first, one plane of len(q)/8
// bytes: bit j%8 of byte j/8 belongs to coordinate j. Behind the first plane stand PlaneFactorBytes of factors:
//
//	scale, add, first  float32, little-endian
//	deviations         two bfloat16: of the whole code, and of its first plane
//
// The value of a code is 2·u - (2^Bits - 1); the first plane alone says 1 or -1.

// PlaneFactorBytes is the size of the factors behind the first plane of a row.
const PlaneFactorBytes = 16

// PlaneFactors turn integer dot products of a query and rows of planes into distances.
type PlaneFactors struct {
	Bias       int32   // subtracted from twice the integer dot product
	Mul        float32 // the query's part of the scale, with the metric's sign and factor
	Add        float32 // added to every distance
	Deviations float32 // of [FirstPlaneBounds]: how many of the row's deviations are subtracted
}

// PlaneRowBytes is the size of a row of planes with its factors, without padding.
func PlaneRowBytes(bits, planeBytes int) int { return bits*planeBytes + PlaneFactorBytes }

// FirstPlaneBytes is what [FirstPlaneBounds] reads of a row: the first plane and the factors, in whole cache lines.
func FirstPlaneBytes(planeBytes int) int { return (planeBytes + PlaneFactorBytes + 63) &^ 63 }

// PlaneDistances writes to out[i] the distance of q to the row of 1, 2 or 4 planes at base[ids[i]*stride]:
//
//	(f.Add + add) + float32(2·Σ u[j]·q[j] - f.Bias)·(scale·f.Mul)
//
// in float32. len(q) is a multiple of 64, at most 65600; where it is zero, the row does not count. Same bits at every
// level. What would be +Inf or NaN is the largest float32. It panics if a row does not lie within base, if
// len(out) < len(ids), or on another number of bits.
func PlaneDistances(bits int, q []int8, base []byte, stride int, ids []uint32, f *PlaneFactors, out []float32) {
	if len(ids) == 0 {
		return
	}
	checkCodeLength(len(q))
	if bits != 1 && bits != 2 && bits != 4 {
		panic("distance: codes have 1, 2 or 4 planes")
	}
	rowBytes := PlaneRowBytes(bits, len(q)/8)
	checkRows(rowBytes, base, stride, ids, len(out))
	for n := callRows(rowBytes); ; ids, out = ids[n:], out[n:] {
		n = min(n, len(ids))
		planeRows(bits, q, base, stride, ids[:n], f, out)
		if n == len(ids) {
			return
		}
	}
}

// FirstPlaneBounds writes to out[i] a lower bound of the distance to the row at base[ids[i]*stride], by its first plane:
//
//	((f.Add + add) + float32(2·Σ b[j]·q[j] - f.Bias)·(first·f.Mul)) - deviation·f.Deviations
//
// in float32, where b are the bits of the first plane and deviation is that of the first plane. The query's values are
// -8 to 7, in four planes of two's complement, most significant first, cut into lines of 64 bytes: the first lines of all
// four planes, the second lines, and so on, [FirstPlaneBytes] each; zero behind planeBytes. The rest is as in
// [PlaneDistances].
func FirstPlaneBounds(q []byte, planeBytes int, base []byte, stride int, ids []uint32, f *PlaneFactors, out []float32) {
	if len(ids) == 0 {
		return
	}
	readBytes := FirstPlaneBytes(planeBytes)
	if planeBytes < 0 || planeBytes > maxCodeLength/8 || len(q) != queryPlanes*readBytes {
		panic("distance: query planes of the wrong length")
	}
	checkRows(readBytes, base, stride, ids, len(out))
	for n := callRows(readBytes); ; ids, out = ids[n:], out[n:] {
		n = min(n, len(ids))
		firstPlaneRows(q, planeBytes, base, stride, ids[:n], f, out)
		if n == len(ids) {
			return
		}
	}
}

const queryPlanes = 4
