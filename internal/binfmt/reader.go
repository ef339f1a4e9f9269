package binfmt

import (
	"encoding/binary"
	"math"
)

// Reader is a cursor over little-endian bytes. After the first error every method returns zero
// values and the cursor stays where it was.
type Reader struct {
	buf []byte
	off int
	err error
}

// NewReader returns a Reader at the start of b, which it borrows.
func NewReader(b []byte) *Reader { return &Reader{buf: b} }

// Err returns the first error.
func (r *Reader) Err() error { return r.err }

// Fail makes err the sticky error unless there is one already.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// Offset returns the number of bytes read so far.
func (r *Reader) Offset() int { return r.off }

// Remaining returns the number of bytes not yet read, 0 after an error.
func (r *Reader) Remaining() int {
	if r.err != nil {
		return 0
	}
	return len(r.buf) - r.off
}

// Bytes returns the next n bytes, borrowed.
func (r *Reader) Bytes(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > len(r.buf)-r.off {
		r.err = ErrShort
		return nil
	}
	b := r.buf[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}

// LenBytes returns a byte string written by Writer.LenBytes, borrowed.
func (r *Reader) LenBytes() []byte {
	n := r.Uvarint()
	if n > uint64(r.Remaining()) {
		r.Fail(ErrShort)
		return nil
	}
	return r.Bytes(int(n))
}

// String returns a copy of a string written by Writer.String.
func (r *Reader) String() string { return string(r.LenBytes()) }

// U8 reads one byte.
func (r *Reader) U8() uint8 {
	if b := r.Bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// U16 reads a uint16.
func (r *Reader) U16() uint16 {
	if b := r.Bytes(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// U32 reads a uint32.
func (r *Reader) U32() uint32 {
	if b := r.Bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// U64 reads a uint64.
func (r *Reader) U64() uint64 {
	if b := r.Bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// I64 reads an int64 in two's complement.
func (r *Reader) I64() int64 { return int64(r.U64()) }

// F32 reads the bits of a float32.
func (r *Reader) F32() float32 { return math.Float32frombits(r.U32()) }

// F64 reads the bits of a float64.
func (r *Reader) F64() float64 { return math.Float64frombits(r.U64()) }

// Uvarint reads an unsigned varint.
func (r *Reader) Uvarint() uint64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.buf[r.off:])
	if n <= 0 {
		r.varintError(n)
		return 0
	}
	r.off += n
	return v
}

// Varint reads a zigzag-coded signed varint.
func (r *Reader) Varint() int64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Varint(r.buf[r.off:])
	if n <= 0 {
		r.varintError(n)
		return 0
	}
	r.off += n
	return v
}

func (r *Reader) varintError(n int) {
	if n == 0 {
		r.err = ErrShort
		return
	}
	r.err = ErrVarint
}
