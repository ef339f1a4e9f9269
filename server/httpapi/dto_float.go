package httpapi

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"unsafe"
)

// parseFloats appends the numbers of a JSON array to dst, each the float32 nearest to its text.
// The error names the first element that is no finite float32.
func parseFloats(raw []byte, dst []float32) ([]float32, error) {
	i := skipSpace(raw, 0)
	if i >= len(raw) || raw[i] != '[' {
		return nil, fmt.Errorf("invalid type: expected a sequence of numbers")
	}
	i = skipSpace(raw, i+1)
	if i < len(raw) && raw[i] == ']' {
		return dst, nil
	}
	for n := 0; i < len(raw); n++ {
		f, next, err := parseFloat(raw, i)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", n, err)
		}
		dst = append(dst, f)
		i = skipSpace(raw, next)
		switch {
		case i >= len(raw):
		case raw[i] == ',':
			i = skipSpace(raw, i+1)
			continue
		case raw[i] == ']':
			return dst, nil
		}
		return nil, fmt.Errorf("[%d]: expected a comma or the end of the sequence", n)
	}
	return nil, fmt.Errorf("the sequence does not end")
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// powers are exact float64 values.
var powers = [23]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// parseFloat reads the number at b[i:] and returns the index after it. Numbers of up to 15
// digits without exponent take the quick way: an integer divided by an exact power of ten is a
// correctly rounded float64, and rounding that again is right unless it lies half way between
// two float32.
func parseFloat(b []byte, i int) (float32, int, error) {
	start := i
	negative := i < len(b) && b[i] == '-'
	if negative {
		i++
	}
	mantissa, digits, fraction := uint64(0), 0, 0
	for ; i < len(b) && isDigit(b[i]); i++ {
		mantissa = mantissa*10 + uint64(b[i]-'0')
		digits++
	}
	if i < len(b) && b[i] == '.' && digits > 0 {
		for i++; i < len(b) && isDigit(b[i]); i++ {
			mantissa = mantissa*10 + uint64(b[i]-'0')
			digits++
			fraction++
		}
	}
	if digits > 0 && digits <= 15 && (i >= len(b) || endsNumber(b[i])) {
		f := float64(mantissa) / powers[fraction]
		if math.Float64bits(f)&(1<<29-1) != 1<<28 {
			if negative {
				f = -f
			}
			return float32(f), i, nil
		}
	}
	for i < len(b) && !endsNumber(b[i]) {
		i++
	}
	return parseFloatSlow(b[start:i], i)
}

func parseFloatSlow(text []byte, next int) (float32, int, error) {
	if len(text) == 0 || text[0] != '-' && !isDigit(text[0]) || !isDigit(text[len(text)-1]) {
		return 0, 0, fmt.Errorf("invalid type: %s, expected a number", typeOf(text))
	}
	for i, c := range text { // no hexadecimal, no underscores, no names of infinity, a digit behind the point
		if !isDigit(c) && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' || c == '.' && !isDigit(text[i+1]) {
			return 0, 0, fmt.Errorf("invalid number")
		}
	}
	f, err := strconv.ParseFloat(unsafe.String(&text[0], len(text)), 32)
	if err != nil {
		return 0, 0, fmt.Errorf("number out of range of a 32-bit float, or not a number: %s", clip(string(text)))
	}
	return float32(f), next, nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func endsNumber(c byte) bool {
	return c == ',' || c == ']' || c == ' ' || c == '\n' || c == '\t' || c == '\r'
}

func typeOf(text []byte) string {
	if len(text) == 0 {
		return "nothing"
	}
	switch text[0] {
	case '"':
		return "string"
	case 'n':
		return "null"
	case 't', 'f':
		return "boolean"
	case '[':
		return "sequence"
	case '{':
		return "map"
	}
	return "no JSON"
}

// appendFloat32 appends the shortest decimal that reads back as f, always with a fraction or an
// exponent. f is finite.
func appendFloat32(dst []byte, f float32) []byte { return appendFloat(dst, f, 32, 1e13) }

// appendFloat64 does the same for a float64.
func appendFloat64(dst []byte, f float64) []byte { return appendFloat(dst, f, 64, 1e16) }

// appendFloat appends a float of so many bits; from large on with an exponent.
func appendFloat[F float32 | float64](dst []byte, f F, bits int, large F) []byte {
	abs := max(f, -f)
	if abs != 0 && (abs < 1e-5 || abs >= large) {
		return appendExponent(dst, float64(f), bits)
	}
	n := len(dst)
	dst = strconv.AppendFloat(dst, float64(f), 'f', -1, bits)
	for _, c := range dst[n:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, '.', '0')
}

// appendExponent appends 1e-7 and 1e13, not 1e-07 and 1e+13. The exponent is not 0.
func appendExponent(dst []byte, f float64, bits int) []byte {
	var buf [32]byte
	text := strconv.AppendFloat(buf[:0], f, 'e', -1, bits)
	at := bytes.IndexByte(text, 'e')
	dst = append(dst, text[:at+1]...)
	if text[at+1] == '-' {
		dst = append(dst, '-')
	}
	return append(dst, bytes.TrimLeft(text[at+2:], "0")...)
}

func appendFloats(dst []byte, v []float32) []byte {
	dst = append(dst, '[')
	for i, f := range v {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendFloat32(dst, f)
	}
	return append(dst, ']')
}
