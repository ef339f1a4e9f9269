package resp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// appendCommand is the client's side: an array of bulk strings.
func appendCommand(dst []byte, args [][]byte) []byte {
	dst = fmt.Appendf(dst, "*%d\r\n", len(args))
	for _, a := range args {
		dst = fmt.Appendf(dst, "$%d\r\n", len(a))
		dst = append(append(dst, a...), '\r', '\n')
	}
	return dst
}

func words(args [][]byte) []string {
	var out []string
	for _, a := range args {
		out = append(out, string(a))
	}
	return out
}

func TestReadCommandForms(t *testing.T) {
	for in, want := range map[string][]string{
		"*1\r\n$4\r\nPING\r\n":                     {"PING"},
		"*2\r\n$4\r\nECHO\r\n$3\r\na\r\n\r\n":      {"ECHO", "a\r\n"},
		"*2\r\n$3\r\nGET\r\n$0\r\n\r\n":            {"GET", ""},
		"*0\r\n\r\n*1\r\n$1\r\nA\r\n":              {"A"},
		"PING\r\n":                                 {"PING"},
		"\r\n \n set  k\t v \n":                    {"set", "k", "v"},
		`set "a b\x41\n" 'it\'s \n' c"d"` + "\r\n": {"set", "a bA\n", `it's \n`, "cd"},
		`get ""` + "\n":                            {"get", ""},
	} {
		for _, slow := range []bool{false, true} {
			var src io.Reader = strings.NewReader(in)
			if slow {
				src = iotest.OneByteReader(src)
			}
			r := NewReader(src, Limits{})
			args, err := r.ReadCommand()
			require.NoError(t, err, "%q", in)
			require.Equal(t, want, words(args), "%q", in)
			_, err = r.ReadCommand()
			require.ErrorIs(t, err, io.EOF)
		}
	}
}

func TestElementsOwnTheirMemory(t *testing.T) {
	in := appendCommand(nil, [][]byte{[]byte("SET"), []byte("k"), []byte("first")})
	in = appendCommand(in, [][]byte{[]byte("SET"), []byte("k"), []byte("other")})
	r := NewReader(bytes.NewReader(in), Limits{})
	first, err := r.ReadCommand()
	require.NoError(t, err)
	_ = append(first[0], "XXXX"...)
	_, err = r.ReadCommand()
	require.NoError(t, err)
	require.Equal(t, []string{"SET", "k", "first"}, words(first))
}

func TestLongElementsArriveWhole(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{keepBytes - 1, keepBytes, keepBytes + 1, 1 << 20, 3<<20 + 7} {
		value := make([]byte, n)
		for i := range value {
			value[i] = byte(rng.Uint32())
		}
		args := [][]byte{[]byte("SET"), []byte("k"), value, []byte("tail")}
		r := NewReader(bytes.NewReader(appendCommand(nil, args)), Limits{})
		got, err := r.ReadCommand()
		require.NoError(t, err)
		require.Equal(t, args, got)
	}
	many := make([][]byte, 300_000)
	for i := range many {
		many[i] = fmt.Append(nil, i)
	}
	got, err := NewReader(bytes.NewReader(appendCommand(nil, many)), Limits{}).ReadCommand()
	require.NoError(t, err)
	require.Equal(t, many, got)
}

// Rows 1 to 5 of the audit list: what must be refused.
func TestBadInputIsAProtocolError(t *testing.T) {
	for in, text := range map[string]string{
		"*2147483647\r\n":                  "invalid multibulk length",
		"*1048577\r\n":                     "invalid multibulk length",
		"*-1\r\n":                          "invalid multibulk length",
		"*\r\n":                            "invalid multibulk length",
		"*abc\r\n":                         "invalid multibulk length",
		"*1 \r\n":                          "invalid multibulk length",
		"*1\rX":                            "invalid multibulk length",
		"*1\n":                             "invalid multibulk length",
		"*99999999999999999999\r\n":        "invalid multibulk length",
		"*1\r\n$536870912\r\n":             "invalid bulk length",
		"*1\r\n$67108865\r\n":              "invalid bulk length",
		"*1\r\n$-1\r\n":                    "invalid bulk length",
		"*1\r\n$\r\n":                      "invalid bulk length",
		"*1\r\n$9223372036854775808\r\n":   "invalid bulk length",
		"*1\r\n:4\r\nPING\r\n":             "expected '$', got ':'",
		"*1\r\n$4\r\nPINGxx":               "expected CRLF after a bulk",
		"*1\r\n$4\r\nPING\n\n":             "expected CRLF after a bulk",
		strings.Repeat("a", 64<<10+1):      "too big inline request",
		"get \"a\r\n":                      "unbalanced quotes in request",
		"get \"a\"b\r\n":                   "unbalanced quotes in request",
		"\x16\x03\x01\x02\x00\x01\x00":     "unexpected byte 0x16",
		"$4\r\nPING\r\n":                   "unexpected byte 0x24",
		"GE\x00T":                          "unexpected byte 0x00",
		"GET / HTTP/1.1\r\n":               "this port speaks RESP, not HTTP",
		"POST /collections HTTP/1.1\r\n":   "this port speaks RESP, not HTTP",
		"Host: example.org\r\n":            "this port speaks RESP, not HTTP",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": "this port speaks RESP, not HTTP",
	} {
		_, err := NewReader(strings.NewReader(in), Limits{}).ReadCommand()
		var bad *ProtocolError
		require.ErrorAs(t, err, &bad, "%.40q", in)
		require.Equal(t, text, bad.Msg, "%.40q", in)
	}
}

func TestCutCommandIsUnexpectedEOF(t *testing.T) {
	whole := appendCommand(nil, [][]byte{[]byte("SET"), []byte("k"), []byte("value")})
	for n := 1; n < len(whole); n++ {
		_, err := NewReader(bytes.NewReader(whole[:n]), Limits{}).ReadCommand()
		require.Equal(t, io.ErrUnexpectedEOF, err, "%d", n)
	}
	_, err := NewReader(strings.NewReader("PING"), Limits{}).ReadCommand()
	require.Equal(t, io.ErrUnexpectedEOF, err)
}

func TestLimitsOfOneCommand(t *testing.T) {
	args := func(n, size int) []byte {
		all := make([][]byte, n)
		for i := range all {
			all[i] = make([]byte, size)
		}
		return appendCommand(nil, all)
	}
	l := Limits{Args: 10, BulkBytes: 100, CommandBytes: 200, InlineBytes: 50}
	for in, ok := range map[string]bool{
		string(args(10, 20)):            true,
		string(args(11, 1)):             false,
		string(args(2, 100)):            true,
		string(args(1, 101)):            false,
		string(args(3, 67)):             false,
		strings.Repeat("a", 50) + "\n":  true,
		strings.Repeat("a", 51) + "\n":  false,
		strings.Repeat("a ", 11) + "\n": false,
	} {
		r := NewReader(strings.NewReader(in), Limits{})
		r.SetLimits(l)
		_, err := r.ReadCommand()
		require.Equal(t, ok, err == nil, "%.30q: %v", in, err)
	}
}

// An announced length costs nothing: memory follows the bytes that arrive.
func TestMemoryGrowsOnlyWithReceivedBytes(t *testing.T) {
	stop := errors.New("silence")
	for _, in := range []string{
		"*1048576\r\n",
		"*1\r\n$67108864\r\n",
		"*1048576\r\n$67108864\r\n" + strings.Repeat("x", 100_000),
		"*3\r\n" + strings.Repeat("$0\r\n\r\n", 2) + "$67108864\r\nabc",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		src := io.MultiReader(strings.NewReader(in), iotest.ErrReader(stop))
		r := NewReader(src, Limits{})
		_, err := r.ReadCommand()
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, stop)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), "%.30q", in)
		require.True(t, r.Partial())
	}
}

func FuzzReadCommand(f *testing.F) {
	f.Add([]byte("*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING \"a\\x41\" 'b'\r\n*0\r\n"))
	f.Add([]byte("*2147483647\r\n$-1\r\n"))
	f.Add([]byte("*1\r\n$536870912\r\nabc"))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	f.Add([]byte{0x16, 3, 1, 0, 0xff})
	f.Add([]byte("A\n\"\"\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		limits := Limits{Args: 64, BulkBytes: 1 << 12, CommandBytes: 1 << 14, InlineBytes: 1 << 10}
		r := NewReader(bytes.NewReader(in), limits)
		total := 0
		for {
			args, err := r.ReadCommand()
			if err != nil {
				break
			}
			require.NotEmpty(t, args)
			for _, a := range args {
				total += len(a)
			}
			again, err := NewReader(bytes.NewReader(appendCommand(nil, args)), Limits{}).ReadCommand()
			require.NoError(t, err)
			require.Equal(t, args, again)
		}
		require.LessOrEqual(t, total, len(in))
		require.LessOrEqual(t, cap(r.body), 4*len(in)+growBytes)
	})
}

func BenchmarkReadCommand(b *testing.B) {
	one := appendCommand(nil, [][]byte{[]byte("HSET"), []byte("doc:1"), []byte("v"), make([]byte, 3072)})
	src := bytes.NewReader(nil)
	r := NewReader(src, Limits{})
	b.SetBytes(int64(len(one)))
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(one)
		if _, err := r.ReadCommand(); err != nil {
			b.Fatal(err)
		}
	}
}
