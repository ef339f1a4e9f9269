package binfmt

import (
	"encoding/binary"
	"math"
)

// Writer appends little-endian values to Buf. The zero Writer is ready for use.
type Writer struct {
	Buf []byte
}

// Len returns the number of bytes in Buf.
func (w *Writer) Len() int { return len(w.Buf) }

// Reset empties Buf and keeps its memory.
func (w *Writer) Reset() { w.Buf = w.Buf[:0] }

// U8 appends one byte.
func (w *Writer) U8(v uint8) { w.Buf = append(w.Buf, v) }

// U16 appends a uint16.
func (w *Writer) U16(v uint16) { w.Buf = binary.LittleEndian.AppendUint16(w.Buf, v) }

// U32 appends a uint32.
func (w *Writer) U32(v uint32) { w.Buf = binary.LittleEndian.AppendUint32(w.Buf, v) }

// U64 appends a uint64.
func (w *Writer) U64(v uint64) { w.Buf = binary.LittleEndian.AppendUint64(w.Buf, v) }

// I64 appends an int64 in two's complement.
func (w *Writer) I64(v int64) { w.U64(uint64(v)) }

// F32 appends the bits of a float32.
func (w *Writer) F32(v float32) { w.U32(math.Float32bits(v)) }

// F64 appends the bits of a float64.
func (w *Writer) F64(v float64) { w.U64(math.Float64bits(v)) }

// Uvarint appends an unsigned varint.
func (w *Writer) Uvarint(v uint64) { w.Buf = binary.AppendUvarint(w.Buf, v) }

// Varint appends a zigzag-coded signed varint.
func (w *Writer) Varint(v int64) { w.Buf = binary.AppendVarint(w.Buf, v) }

// Bytes appends b as it is.
func (w *Writer) Bytes(b []byte) { w.Buf = append(w.Buf, b...) }

// LenBytes appends the length of b as uvarint, then b.
func (w *Writer) LenBytes(b []byte) {
	w.Uvarint(uint64(len(b)))
	w.Buf = append(w.Buf, b...)
}

// String appends the length of s as uvarint, then s.
func (w *Writer) String(s string) {
	w.Uvarint(uint64(len(s)))
	w.Buf = append(w.Buf, s...)
}

// Zero appends n zero bytes.
func (w *Writer) Zero(n int) {
	w.Buf = append(w.Buf, make([]byte, n)...)
}
