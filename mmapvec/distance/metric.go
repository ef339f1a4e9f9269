package distance

import (
	"fmt"
	"math"
)

// Metric names a distance function. The numbers are stored on disk and never reused.
type Metric uint8

// The metrics, as distances: smaller is nearer.
const (
	Dot Metric = iota // -Σ a[i]·b[i]
	L2                // Σ (a[i]-b[i])²
	L1                // Σ |a[i]-b[i]|
)

// String returns the metric's name in lower case.
func (m Metric) String() string {
	switch m {
	case Dot:
		return "dot"
	case L2:
		return "l2"
	case L1:
		return "l1"
	}
	return fmt.Sprintf("metric(%d)", uint8(m))
}

// Distance returns the distance of two vectors of equal length; NaN spreads. It panics if the lengths differ or the
// metric is unknown.
func (m Metric) Distance(a, b []float32) float32 {
	switch m {
	case Dot:
		return -DotF32(a, b)
	case L2:
		return L2F32(a, b)
	case L1:
		return L1F32(a, b)
	}
	panic("distance: unknown metric " + m.String())
}

func (m Metric) check() {
	if m > L1 {
		panic("distance: unknown metric " + m.String())
	}
}

// DotF32 returns Σ a[i]·b[i], summed in float32. It panics if the lengths differ.
func DotF32(a, b []float32) float32 {
	checkLengths(a, b)
	return dot(a, b)
}

// L2F32 returns Σ (a[i]-b[i])², summed in float32. It panics if the lengths differ.
func L2F32(a, b []float32) float32 {
	checkLengths(a, b)
	return l2(a, b)
}

// L1F32 returns Σ |a[i]-b[i]|, summed in float32. It panics if the lengths differ.
func L1F32(a, b []float32) float32 {
	checkLengths(a, b)
	return l1(a, b)
}

func checkLengths(a, b []float32) {
	if len(a) != len(b) {
		panic("distance: vectors of different length")
	}
}

// Normalize scales v in place to length 1 and returns its old length. A zero vector stays as it is, and so does one
// with a NaN or Inf in it. The length is computed in float64, so huge and tiny coordinates neither overflow nor vanish.
func Normalize(v []float32) (norm float32) {
	var s0, s1, s2, s3 float64
	i := 0
	for ; i+4 <= len(v); i += 4 {
		w := v[i : i+4 : i+4]
		s0 += float64(w[0]) * float64(w[0])
		s1 += float64(w[1]) * float64(w[1])
		s2 += float64(w[2]) * float64(w[2])
		s3 += float64(w[3]) * float64(w[3])
	}
	for ; i < len(v); i++ {
		s0 += float64(v[i]) * float64(v[i])
	}
	length := math.Sqrt(s0 + s1 + s2 + s3)
	if length == 0 || math.IsNaN(length) || math.IsInf(length, 0) {
		return float32(length)
	}
	if length == 1 {
		return 1
	}
	inv := 1 / length
	for i, x := range v {
		v[i] = float32(float64(x) * inv)
	}
	return float32(length)
}
