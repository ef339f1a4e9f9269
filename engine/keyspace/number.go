package keyspace

import (
	"bytes"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// parseInt reads a canonical signed decimal: no sign +, no leading zeros, no spaces.
func parseInt(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil || string(formatInt(n)) != string(b) {
		return 0, false
	}
	return n, true
}

func formatInt(n int64) []byte { return strconv.AppendInt(nil, n, 10) }

// addInt adds to an integer in text form; nil counts as 0.
func addInt(old []byte, by int64, bad error) (int64, error) {
	n := int64(0)
	if old != nil {
		var ok bool
		if n, ok = parseInt(old); !ok {
			return 0, bad
		}
	}
	if by > 0 && n > math.MaxInt64-by || by < 0 && n < math.MinInt64-by {
		return 0, ErrOverflow
	}
	return n + by, nil
}

// floatBits is the mantissa of the 80-bit numbers in which other servers add, so that sums read the same: 0.1 + 0.2 is 0.3.
const floatBits = 64

// maxFloatText and maxFloatExponent bound what a number may cost to parse and to print.
const (
	maxFloatText     = 5 << 10 // the largest sums have almost that many digits
	maxFloatExponent = 16384
)

func parseFloat(b []byte) (*big.Float, bool) {
	switch strings.ToLower(string(b[:min(len(b), len("-infinity"))])) {
	case "inf", "+inf", "infinity", "+infinity":
		return new(big.Float).SetInf(false), true
	case "-inf", "-infinity":
		return new(big.Float).SetInf(true), true
	}
	if len(b) == 0 || len(b) > maxFloatText || len(bytes.Trim(b, "0123456789+-.eE")) != 0 {
		return nil, false
	}
	if i := bytes.IndexAny(b, "eE"); i >= 0 && len(b)-i > 7 {
		return nil, false
	}
	f, _, err := big.ParseFloat(string(b), 10, floatBits, big.ToNearestEven)
	if err != nil || f.IsInf() || f.MantExp(nil) > maxFloatExponent {
		return nil, false
	}
	return f, true
}

// addFloat adds two numbers in text form; nil counts as 0.
func addFloat(old, by []byte, bad error) ([]byte, error) {
	sum := new(big.Float).SetPrec(floatBits)
	if old != nil {
		f, ok := parseFloat(old)
		if !ok {
			return nil, bad
		}
		sum = f
	}
	f, ok := parseFloat(by)
	if !ok {
		return nil, ErrNotFloat
	}
	if sum.IsInf() || f.IsInf() { // which Add must not see with opposite signs
		return nil, ErrNaN
	}
	if sum.Add(sum, f); sum.MantExp(nil) > maxFloatExponent {
		return nil, ErrNaN
	}
	return formatFloat(sum), nil
}

// formatFloat writes up to 17 decimals, without trailing zeros.
func formatFloat(f *big.Float) []byte {
	text := f.Append(nil, 'f', 17)
	text = bytes.TrimRight(text, "0")
	text = bytes.TrimSuffix(text, []byte("."))
	if string(text) == "-0" {
		return []byte("0")
	}
	return text
}
