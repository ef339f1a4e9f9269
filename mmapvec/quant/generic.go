package quant

import "math"

// The inner loops of encoding in plain Go: the definition. Faster ones give the same bits, see rotation.

// scaleGeneric multiplies x[i] by by[i]; whole groups of 8.
func scaleGeneric(x, by []float32) {
	by = by[:len(x)]
	for i, s := range by {
		x[i] *= s
	}
}

// hadamardGeneric is the unscaled transform in place; len(x) is a power of two from 8.
func hadamardGeneric(x []float32) {
	for h := 1; h < len(x); h *= 2 {
		for i := 0; i < len(x); i += 2 * h {
			butterflyGeneric(x[i:i+h], x[i+h:i+2*h])
		}
	}
}

// butterflyGeneric turns a, b into a+b, a-b.
func butterflyGeneric(a, b []float32) {
	b = b[:len(a)]
	for i, x := range a {
		y := b[i]
		a[i], b[i] = x+y, x-y
	}
}

// maxAbsGeneric returns the largest |x[i]|; NaN counts for nothing; whole groups of 8.
func maxAbsGeneric(x []float32) float32 {
	var m float32
	for _, v := range x {
		v = math.Float32frombits(math.Float32bits(v) &^ (1 << 31))
		if v > m {
			m = v
		}
	}
	return m
}

// roundGeneric writes v[i]+128 to dst[i], v[i] = x[i]·inv rounded half to even and limited to ±127, and returns Σ x·v
// and Σ x². The sums run in eight lanes that are added in a fixed order. len(dst) == len(x), whole groups of 8.
func roundGeneric(dst []byte, x []float32, inv float32) (xv, xx float32) {
	var lanesV, lanesX [8]float32
	for len(x) >= 8 && len(dst) >= 8 {
		for j := range 8 {
			w := x[j]
			// Adding 1.5·2^23 leaves the integer in the low bits, rounded half to even. The conversions stop fusing.
			v := float32(w * inv)
			if !(v < 127) { // also NaN
				v = 127
			}
			if v < -127 {
				v = -127
			}
			v = float32(v+0x1.8p23) - 0x1.8p23
			dst[j] = byte(int32(v) + 128)
			lanesV[j] += float32(w * v)
			lanesX[j] += float32(w * w)
		}
		x, dst = x[8:], dst[8:]
	}
	return addLanes(&lanesV), addLanes(&lanesX)
}

func addLanes(l *[8]float32) float32 {
	return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
}

// signedGeneric writes src[i]-128 to dst[i] for i < n, clears the rest of dst's block of 32 bytes, and returns Σ src[i],
// i < n. dst may be src.
func signedGeneric(dst []int8, src []byte, n int) int {
	sum := 0
	for i, c := range src[:n] {
		dst[i] = int8(c - codeZero)
		sum += int(c)
	}
	clear(dst[n : (n+31)&^31])
	return sum
}

// subtractGeneric turns x into x - by and returns Σ x·by of the result; whole groups of 8, lanes as in roundGeneric.
func subtractGeneric(x, by []float32) float32 {
	var lanes [8]float32
	by = by[:len(x)]
	for i, c := range by {
		x[i] -= c
		lanes[i%8] += float32(x[i] * c)
	}
	return addLanes(&lanes)
}

// sumsGeneric returns Σ |x| and Σ x²; whole groups of 8, lanes as in roundGeneric.
func sumsGeneric(x []float32) (abs, square float32) {
	var lanesA, lanesS [8]float32
	for i, v := range x {
		lanesA[i%8] += math.Float32frombits(math.Float32bits(v) &^ (1 << 31))
		lanesS[i%8] += float32(v * v)
	}
	return addLanes(&lanesA), addLanes(&lanesS)
}

// A grid is what coordinates are rounded to: the whole numbers from low to high, moved by shift. Codes count from -zero.
type grid struct{ shift, low, high, zero float32 }

// quantiseGeneric rounds x·inv to v on the grid, half to even, writes v - shift + zero to dst, and returns Σ x·v and
// Σ v². Whole groups of 8, lanes as in roundGeneric.
func quantiseGeneric(dst []byte, x []float32, inv float32, g grid) (xv, vv float32) {
	var lanesXV, lanesVV [8]float32
	dst = dst[:len(x)]
	for i, w := range x {
		v := float32(w*inv) - g.shift
		if !(v < g.high) { // also NaN
			v = g.high
		}
		if v < g.low {
			v = g.low
		}
		v = float32(v+0x1.8p23) - 0x1.8p23
		dst[i] = byte(int32(v + g.zero))
		v += g.shift
		lanesXV[i%8] += float32(w * v)
		lanesVV[i%8] += float32(v * v)
	}
	return addLanes(&lanesXV), addLanes(&lanesVV)
}

// packPlaneGeneric gathers one bit of every code; len(u) is a multiple of 32, dst an eighth of it.
func packPlaneGeneric(dst, u []byte, bit int) {
	for i := range dst[:len(u)/8] {
		var b byte
		for j, c := range u[8*i:][:8] {
			b |= c >> bit & 1 << j
		}
		dst[i] = b
	}
}

// unpackGeneric writes the values 2·u - (2^bits - 1) of a row of planes to dst; the second plane starts at rest, the
// others follow. len(dst) is a multiple of 32.
func unpackGeneric(dst []int8, code []byte, plane, rest, bits int) (sum int) {
	for j := range dst {
		v := 2*int8(code[j/8]>>(j%8)&1) - 1
		for p := range bits - 1 {
			v = 2*v + 2*int8(code[rest+p*plane+j/8]>>(j%8)&1) - 1
		}
		dst[j] = v
		sum += int(v)
	}
	return sum
}
