package resp

import (
	"math"
	"strconv"
)

// Writer appends replies to a buffer in the form of the protocol version in force. One
// goroutine.
type Writer struct {
	buf  []byte
	resp int
}

// NewWriter returns an empty Writer that speaks version 2.
func NewWriter() *Writer { return &Writer{resp: 2} }

// Protocol returns the version in force, 2 or 3.
func (w *Writer) Protocol() int { return w.resp }

// SetProtocol changes the version of the replies to come.
func (w *Writer) SetProtocol(version int) { w.resp = version }

// Bytes returns what was written. It is valid until the next call of a method.
func (w *Writer) Bytes() []byte { return w.buf }

// Len returns the number of bytes written.
func (w *Writer) Len() int { return len(w.buf) }

// Truncate drops what was written after the first n bytes.
func (w *Writer) Truncate(n int) { w.buf = w.buf[:n] }

// Reset drops everything, and the memory too when it is more than keep bytes.
func (w *Writer) Reset(keep int) {
	w.buf = w.buf[:0]
	if cap(w.buf) > keep {
		w.buf = nil
	}
}

// Raw appends bytes that are already framed.
func (w *Writer) Raw(b []byte) { w.buf = append(w.buf, b...) }

// SimpleString writes a status. Line ends in s become spaces.
func (w *Writer) SimpleString(s string) { w.line('+', s) }

// Error writes an error: s is the code, a space and the text. Line ends become spaces.
func (w *Writer) Error(s string) { w.line('-', s) }

func (w *Writer) line(kind byte, s string) {
	w.buf = append(w.buf, kind)
	for i := range len(s) {
		c := s[i]
		if c == '\r' || c == '\n' {
			c = ' '
		}
		w.buf = append(w.buf, c)
	}
	w.buf = append(w.buf, '\r', '\n')
}

// Int writes an integer.
func (w *Writer) Int(n int64) { w.header(':', n) }

// Bulk writes a byte string.
func (w *Writer) Bulk(b []byte) {
	w.header('$', int64(len(b)))
	w.buf = append(w.buf, b...)
	w.buf = append(w.buf, '\r', '\n')
}

// BulkString writes a byte string.
func (w *Writer) BulkString(s string) {
	w.header('$', int64(len(s)))
	w.buf = append(w.buf, s...)
	w.buf = append(w.buf, '\r', '\n')
}

// Null writes the absence of a value: version 2 $-1.
func (w *Writer) Null() { w.null("$-1\r\n") }

// NullArray writes the absence of an array: version 2 *-1.
func (w *Writer) NullArray() { w.null("*-1\r\n") }

func (w *Writer) null(two string) {
	if w.resp >= 3 {
		two = "_\r\n"
	}
	w.buf = append(w.buf, two...)
}

// Array announces n values.
func (w *Writer) Array(n int) { w.header('*', int64(n)) }

// Map announces n pairs of key and value: version 2 an array of 2n values.
func (w *Writer) Map(n int) {
	if w.resp < 3 {
		w.header('*', 2*int64(n))
		return
	}
	w.header('%', int64(n))
}

// Set announces n distinct values: version 2 an array.
func (w *Writer) Set(n int) { w.typed('~', '*', n) }

// Push announces an out-of-band message of n values: version 2 an array.
func (w *Writer) Push(n int) { w.typed('>', '*', n) }

func (w *Writer) typed(three, two byte, n int) {
	if w.resp < 3 {
		three = two
	}
	w.header(three, int64(n))
}

// Double writes a number: version 2 a byte string.
func (w *Writer) Double(f float64) {
	var tmp [32]byte
	w.DoubleText(AppendDouble(tmp[:0], f))
}

// DoubleText writes a number whose text the caller chose: version 2 a byte string.
func (w *Writer) DoubleText(text []byte) {
	if w.resp < 3 {
		w.Bulk(text)
		return
	}
	w.buf = append(w.buf, ',')
	w.buf = append(w.buf, text...)
	w.buf = append(w.buf, '\r', '\n')
}

// Bool writes a truth value: version 2 an integer.
func (w *Writer) Bool(b bool) {
	var n int64
	text := "#f\r\n"
	if b {
		n, text = 1, "#t\r\n"
	}
	if w.resp < 3 {
		w.Int(n)
		return
	}
	w.buf = append(w.buf, text...)
}

// Verbatim writes text of a three-letter format ("txt", "mkd"): version 2 a byte string.
func (w *Writer) Verbatim(format, s string) {
	if w.resp < 3 {
		w.BulkString(s)
		return
	}
	w.header('=', int64(len(s)+4))
	w.buf = append(w.buf, format...)
	w.buf = append(w.buf, ':')
	w.buf = append(w.buf, s...)
	w.buf = append(w.buf, '\r', '\n')
}

func (w *Writer) header(kind byte, n int64) {
	w.buf = append(w.buf, kind)
	w.buf = strconv.AppendInt(w.buf, n, 10)
	w.buf = append(w.buf, '\r', '\n')
}

// AppendDouble appends the shortest text that reads back as f: inf, -inf, nan, plain digits
// where %.17g has none but digits, else with an exponent.
func AppendDouble(dst []byte, f float64) []byte {
	switch a := math.Abs(f); {
	case math.IsNaN(f):
		return append(dst, "nan"...)
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	case a != 0 && a < 1e-4 || a >= 1e17:
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	default:
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
}
