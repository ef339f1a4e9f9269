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

// A PlaneQuery is the query of [PlaneDistances] in the order in which the kernels in use take it. It belongs to one
// goroutine at a time.
type PlaneQuery struct {
	values  []int8
	grouped []int8 // see groupBytes; only where kernels take it
	level   level  // for which it was prepared
}

// NewPlaneQuery returns a query of these values, one for each coordinate: a multiple of 64, at most 65600. The slice is
// kept; where a value is zero, a row does not count.
func NewPlaneQuery(values []int8) *PlaneQuery {
	checkCodeLength(len(values))
	q := &PlaneQuery{values: values}
	q.Update()
	return q
}

// Update is to be called when the values have changed.
func (q *PlaneQuery) Update() {
	q.level = active
	if active != levelAVX2 {
		return
	}
	if q.grouped == nil {
		q.grouped = make([]int8, (len(q.values)+groupBytes-1)/groupBytes*groupBytes)
	}
	groupValues(q.grouped, q.values)
}

// groupBytes is the number of values of a group: value k of byte i of a plane, 8·i+k, is at 32·k+i of its group, so that
// a shift of 32 bytes of a plane brings the bits to where 32 bytes of the query are. Zeros fill the last group.
const groupBytes = 256

// PlaneDistances writes to out[i] the distance of q to the row of 1, 2 or 4 planes at base[ids[i]*stride]:
//
//	(f.Add + add) + float32(2·Σ u[j]·q[j] - f.Bias)·(scale·f.Mul)
//
// in float32. Same bits at every level. What would be +Inf or NaN is the largest float32. It panics if a row does not
// lie within base, if len(out) < len(ids), or on another number of bits.
func PlaneDistances(bits int, q *PlaneQuery, base []byte, stride int, ids []uint32, f *PlaneFactors, out []float32) {
	if len(ids) == 0 {
		return
	}
	if bits != 1 && bits != 2 && bits != 4 {
		panic("distance: codes have 1, 2 or 4 planes")
	}
	if q.level != active {
		q.Update()
	}
	rowBytes := PlaneRowBytes(bits, len(q.values)/8)
	checkRows(rowBytes, base, stride, ids, len(out))
	for n := callRows(rowBytes); ; ids, out = ids[n:], out[n:] {
		n = min(n, len(ids))
		planeRows(bits, q, base, stride, ids[:n], f, out)
		if n == len(ids) {
			return
		}
	}
}

// A FirstQuery is the query of [FirstPlaneBounds] in the order in which the kernels in use take it. It belongs to one
// goroutine at a time.
type FirstQuery struct {
	planes     []byte
	planeBytes int
	grouped    []int8 // see groupBytes; only where kernels take it
	sum        int32  // of its values
	level      level  // for which it was prepared
}

// NewFirstQuery returns a query of values from -8 to 7, in four planes of two's complement, most significant first, cut
// into lines of 64 bytes: the first lines of all four planes, the second lines, and so on, [FirstPlaneBytes] each; zero
// behind planeBytes. The slice is kept.
func NewFirstQuery(planes []byte, planeBytes int) *FirstQuery {
	if planeBytes < 0 || planeBytes > maxCodeLength/8 || len(planes) != queryPlanes*FirstPlaneBytes(planeBytes) {
		panic("distance: query planes of the wrong length")
	}
	q := &FirstQuery{planes: planes, planeBytes: planeBytes}
	q.Update()
	return q
}

// Update is to be called when the planes have changed.
func (q *FirstQuery) Update() {
	q.level = active
	if active != levelAVX2 {
		return
	}
	if q.grouped == nil {
		q.grouped = make([]int8, (8*q.planeBytes+groupBytes-1)/groupBytes*groupBytes)
	}
	q.sum = groupFirst(q.grouped, q.planes)
}

// FirstPlaneBounds writes to out[i] a lower bound of the distance to the row at base[ids[i]*stride], by its first plane:
//
//	((f.Add + add) + float32(2·Σ b[j]·q[j] - f.Bias)·(first·f.Mul)) - deviation·f.Deviations
//
// in float32, where b are the bits of the first plane and deviation is that of the first plane. The rest is as in
// [PlaneDistances].
func FirstPlaneBounds(q *FirstQuery, base []byte, stride int, ids []uint32, f *PlaneFactors, out []float32) {
	if len(ids) == 0 {
		return
	}
	if q.level != active {
		q.Update()
	}
	readBytes := FirstPlaneBytes(q.planeBytes)
	checkRows(readBytes, base, stride, ids, len(out))
	for n := callRows(readBytes); ; ids, out = ids[n:], out[n:] {
		n = min(n, len(ids))
		firstPlaneRows(q, base, stride, ids[:n], f, out)
		if n == len(ids) {
			return
		}
	}
}

const queryPlanes = 4
