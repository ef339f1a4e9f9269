package resp

import (
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRepliesInBothVersions(t *testing.T) {
	for _, c := range []struct {
		name       string
		write      func(w *Writer)
		two, three string
	}{
		{"status", func(w *Writer) { w.SimpleString("OK") }, "+OK\r\n", "+OK\r\n"},
		{"error without line ends", func(w *Writer) { w.Error("ERR a\r\nb") }, "-ERR a  b\r\n", "-ERR a  b\r\n"},
		{"integer", func(w *Writer) { w.Int(-7) }, ":-7\r\n", ":-7\r\n"},
		{"bulk", func(w *Writer) { w.Bulk([]byte("a\r\n")) }, "$3\r\na\r\n\r\n", "$3\r\na\r\n\r\n"},
		{"bulk string", func(w *Writer) { w.BulkString("") }, "$0\r\n\r\n", "$0\r\n\r\n"},
		{"null", func(w *Writer) { w.Null() }, "$-1\r\n", "_\r\n"},
		{"null array", func(w *Writer) { w.NullArray() }, "*-1\r\n", "_\r\n"},
		{"array", func(w *Writer) { w.Array(2); w.Int(1); w.Int(2) }, "*2\r\n:1\r\n:2\r\n", "*2\r\n:1\r\n:2\r\n"},
		{"map", func(w *Writer) { w.Map(1); w.Int(1); w.Int(2) }, "*2\r\n:1\r\n:2\r\n", "%1\r\n:1\r\n:2\r\n"},
		{"set", func(w *Writer) { w.Set(1); w.Int(1) }, "*1\r\n:1\r\n", "~1\r\n:1\r\n"},
		{"push", func(w *Writer) { w.Push(1); w.Int(1) }, "*1\r\n:1\r\n", ">1\r\n:1\r\n"},
		{"double", func(w *Writer) { w.Double(1.5) }, "$3\r\n1.5\r\n", ",1.5\r\n"},
		{"bool", func(w *Writer) { w.Bool(true); w.Bool(false) }, ":1\r\n:0\r\n", "#t\r\n#f\r\n"},
		{"verbatim", func(w *Writer) { w.Verbatim("txt", "ab") }, "$2\r\nab\r\n", "=6\r\ntxt:ab\r\n"},
		{"raw", func(w *Writer) { w.Raw([]byte("+X\r\n")) }, "+X\r\n", "+X\r\n"},
	} {
		w := NewWriter()
		c.write(w)
		require.Equal(t, c.two, string(w.Bytes()), c.name)
		w.Reset(1 << 10)
		w.SetProtocol(3)
		c.write(w)
		require.Equal(t, c.three, string(w.Bytes()), c.name)
	}
}

func TestTruncateDropsAReply(t *testing.T) {
	w := NewWriter()
	w.Int(1)
	n := w.Len()
	w.Array(3)
	w.Truncate(n)
	w.Error("ERR no")
	require.Equal(t, ":1\r\n-ERR no\r\n", string(w.Bytes()))
}

func TestAppendDouble(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0", 1: "1", -2.5: "-2.5", 0.1: "0.1", 1e16: "10000000000000000", 1e17: "1e+17",
		1e-4: "0.0001", 1e-5: "1e-05", 123456789: "123456789", math.Inf(1): "inf",
		math.Inf(-1): "-inf", 1.0 / 3: "0.3333333333333333", math.MaxFloat64: "1.7976931348623157e+308",
	} {
		require.Equal(t, want, string(AppendDouble(nil, f)))
		back, err := strconv.ParseFloat(want, 64)
		require.NoError(t, err)
		require.Equal(t, f, back)
	}
	require.Equal(t, "nan", string(AppendDouble(nil, math.NaN())))
}
