package distance

import (
	"encoding/binary"
	"math"
	"math/bits"
	"unsafe"
)

// The plain Go kernels: the definition of what the assembly computes.

func dotGeneric(a, b []float32) float32 {
	var s0, s1, s2, s3 float32
	b = b[:len(a)]
	for len(a) >= 4 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	b = b[:len(a)]
	for i, x := range a {
		s0 += x * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}

func l2Generic(a, b []float32) float32 {
	var s0, s1, s2, s3 float32
	b = b[:len(a)]
	for len(a) >= 4 {
		d0, d1, d2, d3 := a[0]-b[0], a[1]-b[1], a[2]-b[2], a[3]-b[3]
		s0 += d0 * d0
		s1 += d1 * d1
		s2 += d2 * d2
		s3 += d3 * d3
		a, b = a[4:], b[4:]
	}
	b = b[:len(a)]
	for i, x := range a {
		d := x - b[i]
		s0 += d * d
	}
	return (s0 + s1) + (s2 + s3)
}

func l1Generic(a, b []float32) float32 {
	var s0, s1 float32
	b = b[:len(a)]
	for len(a) >= 2 {
		s0 += abs(a[0] - b[0])
		s1 += abs(a[1] - b[1])
		a, b = a[2:], b[2:]
	}
	b = b[:len(a)]
	for i, x := range a {
		s0 += abs(x - b[i])
	}
	return s0 + s1
}

func abs(x float32) float32 {
	return math.Float32frombits(math.Float32bits(x) &^ (1 << 31))
}

// rowF32 is row id as floats. The caller has checked the bounds.
func rowF32(base []byte, stride int, id uint32, dim int) []float32 {
	if dim == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&base[int(id)*stride])), dim)
}

func floatRowsGeneric(m Metric, q []float32, base []byte, stride int, ids []uint32, out []float32) {
	for i, id := range ids {
		row := rowF32(base, stride, id, len(q))
		switch m {
		case Dot:
			out[i] = -dotGeneric(q, row)
		case L2:
			out[i] = l2Generic(q, row)
		case L1:
			out[i] = l1Generic(q, row)
		}
	}
}

func dotU8S8Generic(row []byte, q []int8) int32 {
	var s0, s1, s2, s3 int32
	row = row[:len(q)]
	for len(q) >= 4 {
		s0 += int32(row[0]) * int32(q[0])
		s1 += int32(row[1]) * int32(q[1])
		s2 += int32(row[2]) * int32(q[2])
		s3 += int32(row[3]) * int32(q[3])
		row, q = row[4:], q[4:]
	}
	return s0 + s1 + s2 + s3
}

func dotU8S8RowsGeneric(q []int8, base []byte, stride int, ids []uint32, out []int32) {
	for i, id := range ids {
		out[i] = dotU8S8Generic(base[int(id)*stride:], q)
	}
}

func codeRowsGeneric(q []int8, base []byte, stride int, ids []uint32, f *CodeFactors, out []float32) {
	for i, id := range ids {
		row := base[int(id)*stride:][:max(stride, len(q))]
		out[i] = finishCode(dotU8S8Generic(row, q), row[stride-CodeFactorBytes:stride], f)
	}
}

func nibbleRowsGeneric(q []int8, base []byte, stride int, ids []uint32, f *CodeFactors, out []float32) {
	for i, id := range ids {
		row := base[int(id)*stride:][:max(stride, len(q)/2)]
		var sum int32
		for at := 0; at < len(q); at += 2 * nibbleLine {
			low, high := q[at:][:nibbleLine], q[at+nibbleLine:][:nibbleLine]
			for j, pair := range row[at/2:][:nibbleLine] {
				sum += int32(pair&15)*int32(low[j]) + int32(pair>>4)*int32(high[j])
			}
		}
		out[i] = finishCode(2*sum, row[stride-CodeFactorBytes:stride], f)
	}
}

// finishCode is the distance of an integer sum. The conversions keep the compiler from fusing: every level rounds at the same
// places.
func finishCode(sum int32, factors []byte, f *CodeFactors) float32 {
	scale := math.Float32frombits(binary.LittleEndian.Uint32(factors))
	norm := math.Float32frombits(binary.LittleEndian.Uint32(factors[4:]))
	product := float32(sum-f.Bias) * float32(scale*f.Mul)
	return fit(float32(f.Add+float32(f.NormWeight*norm)) + float32(product))
}

func codeRowsL1Generic(q []float32, dim int, base []byte, stride int, ids []uint32, out []float32) {
	for i, id := range ids {
		row := base[int(id)*stride:][:stride]
		factors := row[stride-CodeFactorBytes:]
		scale := math.Float32frombits(binary.LittleEndian.Uint32(factors))
		offset := math.Float32frombits(binary.LittleEndian.Uint32(factors[4:]))
		var sum float32
		for j, x := range q[:dim] {
			sum += abs(scale*float32(row[j]) + offset - x)
		}
		out[i] = fit(sum)
	}
}

// planeFactors reads the factors of a row from those bytes of it.
func planeFactors(b []byte) (scale, add, first, deviation float32) {
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(b[4*i:]) }
	return math.Float32frombits(word(0)), math.Float32frombits(word(1)), math.Float32frombits(word(2)),
		math.Float32frombits(word(3) &^ 0xffff)
}

// finishPlanes is the distance of a doubled integer sum. The conversions keep the compiler from fusing.
func finishPlanes(sum int32, f *PlaneFactors, add, scale float32) float32 {
	return float32(f.Add+add) + float32(float32(sum-f.Bias)*float32(scale*f.Mul))
}

// fit makes a distance fit to be compared: what is +Inf or NaN is very far.
func fit(distance float32) float32 {
	if !(distance < math.MaxFloat32) {
		return math.MaxFloat32
	}
	return distance
}

func planeRowsGeneric(planes int, q []int8, base []byte, stride int, ids []uint32, f *PlaneFactors, out []float32) {
	planeBytes := len(q) / 8
	for i, id := range ids {
		row := base[int(id)*stride:][:PlaneRowBytes(planes, planeBytes)]
		scale, add, _, _ := planeFactors(row[planeBytes:])
		sum := dotPlane(row[:planeBytes], q)
		for p := 1; p < planes; p++ {
			sum = 2*sum + dotPlane(row[p*planeBytes+PlaneFactorBytes:][:planeBytes], q)
		}
		out[i] = fit(finishPlanes(2*sum, f, add, scale))
	}
}

// dotPlane returns the sum of the q[j] whose bits are set.
func dotPlane(plane []byte, q []int8) (sum int32) {
	for ; len(plane) >= 8; plane, q = plane[8:], q[64:] {
		for word := binary.LittleEndian.Uint64(plane); word != 0; word &= word - 1 {
			sum += int32(q[bits.TrailingZeros64(word)])
		}
	}
	return sum
}

func firstPlaneRowsGeneric(q []byte, planeBytes int, base []byte, stride int, ids []uint32, f *PlaneFactors, out []float32) {
	readBytes := len(q) / queryPlanes
	for i, id := range ids {
		row := base[int(id)*stride:][:readBytes]
		_, add, first, deviation := planeFactors(row[planeBytes:])
		var counts [queryPlanes]int
		for at := 0; at < readBytes; at += 8 {
			word := binary.LittleEndian.Uint64(row[at:])
			line := q[queryPlanes*(at&^63)+at&63:]
			for p := range counts {
				counts[p] += bits.OnesCount64(word & binary.LittleEndian.Uint64(line[p*64:]))
			}
		}
		sum := int32(-8*counts[0] + 4*counts[1] + 2*counts[2] + counts[3])
		bound := finishPlanes(2*sum, f, add, first) - float32(deviation*f.Deviations)
		out[i] = fit(bound)
	}
}
