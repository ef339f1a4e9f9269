package mmapvec

import (
	"fmt"
	"unsafe"

	"github.com/isobath/isobath/mmapvec/distance"
)

// Datatype is the type that the values of a row are stored in. The numbers are stored on disk and never reused.
type Datatype uint8

// The datatypes.
const (
	Float32 Datatype = iota
	Float16          // IEEE 754 half precision
	Uint8            // whole numbers from 0 to 255
)

// String returns the datatype's name in lower case.
func (d Datatype) String() string {
	switch d {
	case Float32:
		return "float32"
	case Float16:
		return "float16"
	case Uint8:
		return "uint8"
	}
	return fmt.Sprintf("datatype(%d)", uint8(d))
}

// Size returns the bytes of a value: 4, 2 or 1.
func (d Datatype) Size() int { return 4 >> d }

// MaxFloat16 is what finite values must not exceed, by magnitude, to be finite as Float16 before they are rounded.
const MaxFloat16 = 65519

// Round makes the values of v in place what a row of this type holds of them: nearest for Float16, ties to even; for
// Uint8 without fractions and limited to 0 to 255, NaN as 0.
func (d Datatype) Round(v []float32) {
	var buf [512]byte
	n := len(buf) / 4
	for ; d != Float32 && len(v) > 0; v = v[min(n, len(v)):] {
		part := v[:min(n, len(v))]
		d.encode(buf[:], part)
		d.Decode(part, buf[:])
	}
}

// encode writes values as they are stored. dst may have any alignment.
func (d Datatype) encode(dst []byte, src []float32) {
	switch d {
	case Float32:
		copy(dst, floatBytes(src))
	case Float16:
		distance.ToF16(halves(dst, len(src)), src)
	case Uint8:
		distance.ToU8(dst, src)
	}
}

// Decode reads len(dst) values from src as they are stored, little-endian, at any alignment. It panics if src is shorter.
func (d Datatype) Decode(dst []float32, src []byte) {
	switch d {
	case Float32:
		copy(floatBytes(dst), src[:4*len(dst)])
	case Float16:
		distance.FromF16(dst, halves(src, len(dst)))
	case Uint8:
		distance.FromU8(dst, src[:len(dst)])
	}
}

// halves looks at little-endian bytes as n halves.
func halves(b []byte, n int) []uint16 {
	b = b[:2*n]
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

func (d Datatype) known() bool { return d <= Uint8 }
