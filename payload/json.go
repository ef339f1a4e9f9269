package payload

import (
	"bytes"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// Kind is the type of a JSON value.
type Kind uint8

// The kinds of values. A number is Int when its text has neither fraction nor exponent, whatever
// its size, and Float otherwise.
const (
	Invalid Kind = iota
	Null
	Bool
	Int
	Float
	String
	Array
	Object
)

// Value is one JSON value inside a document. Raw is its text, borrowed from the document; numbers
// keep the digits they were sent with.
type Value struct {
	Kind Kind
	Raw  []byte
}

// Parse returns the value that doc holds; Kind is Invalid when doc does not begin like one. It
// looks only as deep as needed to find the end of the value: use Validate for input from outside.
func Parse(doc []byte) Value {
	v, _, _ := valueAt(doc, 0)
	return v
}

// Str returns the decoded text of a String, "" for other kinds.
func (v Value) Str() string {
	if b, ok := v.plain(); ok {
		return string(b)
	}
	return string(v.appendStr(nil))
}

// appendStr appends the decoded text of a String to dst.
func (v Value) appendStr(dst []byte) []byte {
	if v.Kind != String || len(v.Raw) < 2 {
		return dst
	}
	return unescape(dst, v.Raw[1:len(v.Raw)-1])
}

// plain returns the text of a String that contains no escapes, without copying it.
func (v Value) plain() ([]byte, bool) {
	if v.Kind != String || len(v.Raw) < 2 {
		return nil, false
	}
	b := v.Raw[1 : len(v.Raw)-1]
	return b, bytes.IndexByte(b, '\\') < 0
}

// Int64 returns an Int that fits.
func (v Value) Int64() (int64, bool) {
	if v.Kind != Int {
		return 0, false
	}
	n, err := strconv.ParseInt(borrow(v.Raw), 10, 64)
	return n, err == nil
}

// Uint64 returns an Int that fits.
func (v Value) Uint64() (uint64, bool) {
	if v.Kind != Int {
		return 0, false
	}
	n, err := strconv.ParseUint(borrow(v.Raw), 10, 64)
	return n, err == nil
}

// Float64 returns the float64 nearest to an Int or Float (an infinity beyond its range) and NaN
// for other kinds.
func (v Value) Float64() float64 {
	if v.Kind != Int && v.Kind != Float {
		return math.NaN()
	}
	f, err := strconv.ParseFloat(borrow(v.Raw), 64)
	if err != nil && !math.IsInf(f, 0) {
		return math.NaN()
	}
	return f
}

// Bool returns the value of a Bool, false for other kinds.
func (v Value) Bool() bool { return v.Kind == Bool && v.Raw[0] == 't' }

// EachElem calls fn for every element of an Array until fn returns false.
func (v Value) EachElem(fn func(e Value) bool) {
	if v.Kind != Array {
		return
	}
	b, i := v.Raw, skipSpace(v.Raw, 1)
	for i < len(b) && b[i] != ']' {
		e, next, ok := valueAt(b, i)
		if !ok || !fn(e) {
			return
		}
		if i = skipSpace(b, next); i < len(b) && b[i] == ',' {
			i++
		}
	}
}

// eachMember calls fn for every member of an Object until fn returns false. The key is the raw
// JSON string with its quotes.
func (v Value) eachMember(fn func(key, val Value) bool) {
	if v.Kind != Object {
		return
	}
	b, i := v.Raw, skipSpace(v.Raw, 1)
	for i < len(b) && b[i] != '}' {
		key, next, ok := valueAt(b, i)
		if !ok || key.Kind != String {
			return
		}
		if i = skipSpace(b, next); i >= len(b) || b[i] != ':' {
			return
		}
		val, next, ok := valueAt(b, i+1)
		if !ok || !fn(key, val) {
			return
		}
		if i = skipSpace(b, next); i < len(b) && b[i] == ',' {
			i = skipSpace(b, i+1)
		}
	}
}

// member finds a member by its decoded name. It is eachMember by hand: this loop is what a filter
// without an index spends its time in.
func (v Value) member(name string) (Value, bool) {
	b, i := v.Raw, skipSpace(v.Raw, 1)
	for i < len(b) && b[i] == '"' {
		end := skipString(b, i)
		if end < 0 {
			return Value{}, false
		}
		hit := keyIs(b[i+1:end-1], name)
		if i = skipSpace(b, end); i >= len(b) || b[i] != ':' {
			return Value{}, false
		}
		if hit {
			val, _, ok := valueAt(b, i+1)
			return val, ok
		}
		if end = skipValue(b, skipSpace(b, i+1)); end < 0 {
			return Value{}, false
		}
		if i = skipSpace(b, end); i < len(b) && b[i] == ',' {
			i = skipSpace(b, i+1)
		}
	}
	return Value{}, false
}

// keyIs compares the inside of a raw JSON string with decoded text.
func keyIs(raw []byte, name string) bool {
	if string(raw) == name {
		return bytes.IndexByte(raw, '\\') < 0
	}
	return bytes.IndexByte(raw, '\\') >= 0 && string(unescape(nil, raw)) == name
}

func borrow(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// unescape appends the text of raw, the inside of a JSON string, to dst. What is no escape of JSON
// becomes U+FFFD.
func unescape(dst, raw []byte) []byte {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return append(dst, raw...)
		}
		dst = append(dst, raw[:i]...)
		if i+1 >= len(raw) {
			return utf8.AppendRune(dst, utf8.RuneError)
		}
		c := raw[i+1]
		raw = raw[i+2:]
		switch c {
		case '"', '\\', '/':
			dst = append(dst, c)
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hex4(raw)
			if r < 0 {
				dst = utf8.AppendRune(dst, utf8.RuneError)
				continue
			}
			raw = raw[4:]
			if utf16.IsSurrogate(r) {
				r2 := rune(-1)
				if len(raw) >= 6 && raw[0] == '\\' && raw[1] == 'u' {
					r2 = hex4(raw[2:])
				}
				if r = utf16.DecodeRune(r, r2); r != utf8.RuneError {
					raw = raw[6:]
				}
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = utf8.AppendRune(dst, utf8.RuneError)
		}
	}
}

// hex4 reads four hex digits; -1 when they are not there.
func hex4(b []byte) rune {
	if len(b) < 4 {
		return -1
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return -1
		}
	}
	return r
}
