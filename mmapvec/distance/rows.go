package distance

// RowsF32 writes to out[i] the distance of q to the float32 row that starts at base[ids[i]*stride]. Rows hold len(q)
// little-endian float32 values; they may have any alignment, 64-byte aligned ones are fastest. Coming rows are
// prefetched. It panics if a row does not lie within base, if len(out) < len(ids), or if the metric is unknown.
func RowsF32(m Metric, q []float32, base []byte, stride int, ids []uint32, out []float32) {
	if len(ids) == 0 {
		return
	}
	checkRows(4*len(q), base, stride, ids, len(out))
	m.check()
	for n := callRows(4 * len(q)); ; ids, out = ids[n:], out[n:] {
		n = min(n, len(ids))
		floatRows(m, q, base, stride, ids[:n], out)
		if n == len(ids) {
			return
		}
	}
}

// DotU8S8Rows writes to out[i] the exact Σ row[j]·q[j] of the uint8 codes that start at base[ids[i]*stride]. len(q) is a
// multiple of 64 and at most 65600, so that no sum overflows; the caller pads q with zeros, and what the row holds over
// them does not count. Coming rows are prefetched. It panics if that does not hold, if a row does not lie within base,
// or if len(out) < len(ids).
func DotU8S8Rows(q []int8, base []byte, stride int, ids []uint32, out []int32) {
	if len(ids) == 0 {
		return
	}
	checkCodeLength(len(q))
	checkRows(len(q), base, stride, ids, len(out))
	for n := callRows(len(q)); ; ids, out = ids[n:], out[n:] {
		n = min(n, len(ids))
		dotU8S8Rows(q, base, stride, ids[:n], out)
		if n == len(ids) {
			return
		}
	}
}

// CodeFactors turn the integer dot product of a query and a code row into a distance, see [CodeDistances].
type CodeFactors struct {
	Bias       int32   // subtracted from the integer dot product: 128·Σq
	Mul        float32 // the query's part of the scale, with the metric's sign and factor
	Add        float32 // added to every distance
	NormWeight float32 // weight of the row's norm factor
}

// CodeFactorBytes is the size of the two factors at the end of a code row: scale and norm, little-endian float32.
const CodeFactorBytes = 8

// CodeDistances writes to out[i] the distance of q to the code row at base[ids[i]*stride]:
//
//	(f.Add + f.NormWeight·norm) + float32(Σ row[j]·q[j] - f.Bias)·(scale·f.Mul)
//
// in float32, where scale and norm are the two float32 values that end the row (its last [CodeFactorBytes] bytes before
// the next row). The integer sum is as in [DotU8S8Rows]; q must be zero over the factors. Same bits at every level.
// What would be +Inf or NaN, of huge rows, is the largest float32: very far, but fit to be compared.
func CodeDistances(q []int8, base []byte, stride int, ids []uint32, f *CodeFactors, out []float32) {
	if len(ids) == 0 {
		return
	}
	checkCodeLength(len(q))
	if stride < CodeFactorBytes {
		panic("distance: code rows without factors")
	}
	checkRows(max(stride, len(q)), base, stride, ids, len(out))
	for n := callRows(len(q)); ; ids, out = ids[n:], out[n:] {
		n = min(n, len(ids))
		codeRows(q, base, stride, ids[:n], f, out)
		if n == len(ids) {
			return
		}
	}
}

// nibbleLine is how many bytes of a row of nibbles, two codes each, the query takes together.
const nibbleLine = 64

// NibbleDistances writes to out[i] the distance of q to the row of codes of four bits, two to a byte, at base[ids[i]*stride]:
//
//	(f.Add + f.NormWeight·norm) + float32(2·Σ u[j]·q[j] - f.Bias)·(scale·f.Mul)
//
// with factors as in [CodeDistances]. For every 64 bytes of a row q holds 64 values that belong to their low halves and 64
// that belong to the high ones; len(q) is a multiple of 128 and at most 131200, and q is zero over what is no code. The rest
// is as in [CodeDistances].
func NibbleDistances(q []int8, base []byte, stride int, ids []uint32, f *CodeFactors, out []float32) {
	if len(ids) == 0 {
		return
	}
	if len(q)%(2*nibbleLine) != 0 || len(q) > 2*maxCodeLength {
		panic("distance: length of the query of nibbles is no multiple of 128 or above 131200")
	}
	if stride < CodeFactorBytes {
		panic("distance: code rows without factors")
	}
	checkRows(max(stride, len(q)/2), base, stride, ids, len(out))
	for n := callRows(len(q) / 2); ; ids, out = ids[n:], out[n:] {
		n = min(n, len(ids))
		nibbleRows(q, base, stride, ids[:n], f, out)
		if n == len(ids) {
			return
		}
	}
}

// CodeGroup is what [CodeDistancesL1] reads at a time: queries and codes are padded to a multiple of it.
const CodeGroup = 16

// CodeDistancesL1 writes to out[i] the Manhattan distance of the first dim values of q to the decoded row at
// base[ids[i]*stride], whose values are scale·code + offset: two float32 values that end the row. What lies between the
// dim codes and the next multiple of [CodeGroup] is read, not counted; in q too. Sums in float32, in another order at
// each level; what would be +Inf or NaN is the largest float32.
func CodeDistancesL1(q []float32, dim int, base []byte, stride int, ids []uint32, out []float32) {
	if len(ids) == 0 {
		return
	}
	padded := (dim + CodeGroup - 1) &^ (CodeGroup - 1)
	if dim < 0 || len(q) < padded || stride < padded+CodeFactorBytes {
		panic("distance: query or code rows without padding")
	}
	checkRows(stride, base, stride, ids, len(out))
	for n := callRows(dim); ; ids, out = ids[n:], out[n:] {
		n = min(n, len(ids))
		codeRowsL1(q, dim, base, stride, ids[:n], out)
		if n == len(ids) {
			return
		}
	}
}

// callRows is how many rows one call of a kernel scores. Assembly cannot be preempted, and a garbage collection waits
// for it: so much is done in some tens of microseconds.
func callRows(rowBytes int) int {
	const callBytes, mostRows, leastRows = 256 << 10, 1024, 8
	return min(max(callBytes/max(rowBytes, 1), leastRows), mostRows)
}

// maxCodeLength is that of a row of 65536 dimensions with its factors: 65600·255·128 is below 2^31.
const maxCodeLength = 1<<16 + 64

func checkCodeLength(n int) {
	if n%64 != 0 || n > maxCodeLength {
		panic("distance: length of the query code is no multiple of 64 or above 65600")
	}
}

func checkRows(rowBytes int, base []byte, stride int, ids []uint32, outLen int) {
	if outLen < len(ids) {
		panic("distance: fewer results than ids")
	}
	var last uint32
	for _, id := range ids {
		last = max(last, id)
	}
	if stride < 0 || rowBytes > len(base) || uint64(last)*uint64(stride) > uint64(len(base)-rowBytes) {
		panic("distance: row outside of base")
	}
}
