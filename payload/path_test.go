package payload

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func mustPath(t testing.TB, s string) Path {
	t.Helper()
	p, err := ParsePath(s)
	require.NoError(t, err, s)
	return p
}

func TestParsePath(t *testing.T) {
	for in, want := range map[string]string{
		"a": "a", "a.b": "a.b", "a[].b": "a[].b", "a[0]": "a[0]", "a[0][].c-d_e": "a[0][].c-d_e",
		`"a b".c`: `"a b".c`, `"a".b`: "a.b", `"a.b"[1]`: `"a.b"[1]`, "größe": "größe", "日本": "日本", "1": "1", "-": "-",
		`a."".b`: `a."".b`, "a[007]": "a[7]",
	} {
		p := mustPath(t, in)
		require.Equal(t, want, p.String())
		require.Equal(t, p, mustPath(t, p.String()))
	}
	for _, in := range []string{"", ".", "a.", ".a", "a..b", "[]", "[0].a", "a[", "a[]]", "a[x]", "a[-1]", "a[99999999999]",
		"a b", `"a`, `a"b"`, `"a"b`, "a$", "a.[0]", "a[]b", "a/b", "a*", strings.Repeat("a.", 1001) + "a", "\"\xff\""} {
		_, err := ParsePath(in)
		require.ErrorIs(t, err, ErrPath, in)
	}
	require.True(t, mustPath(t, "a.b[]").EndsInEach())
	require.Equal(t, mustPath(t, "a.b[]"), mustPath(t, "a.b").WithEach())
}

func selected(t testing.TB, path, doc string) []string {
	t.Helper()
	out := []string{}
	mustPath(t, path).Each([]byte(doc), func(v Value) bool {
		out = append(out, string(v.Raw))
		return true
	})
	return out
}

func TestEach(t *testing.T) {
	doc := ` { "a" : 1.0 , "b":{"c":[ {"d":1},{"d":[2,3]},{"e":4}, 5 ]}, "\u0066":"x", "n":null, "g":[[1,2],[3]], "":7,
		"long":"` + strings.Repeat("y", 100) + `\"}", "t":true}`
	for path, want := range map[string][]string{
		"a": {"1.0"}, "b.c[].d": {"1", "[2,3]"}, "b.c[].d[]": {"2", "3"}, "b.c[3]": {"5"}, "b.c[4]": {}, "b.c.d": {},
		"f": {`"x"`}, "n": {"null"}, "n.x": {}, "g[]": {"[1,2]", "[3]"}, "g[][]": {"1", "2", "3"}, "g[][0]": {"1", "3"},
		"g[1][0]": {"3"}, `""`: {"7"}, "t": {"true"}, "zz": {}, "a[]": {}, "a[0]": {}, "b[0]": {},
	} {
		require.Equal(t, want, selected(t, path, doc), path)
	}
	seen := 0
	mustPath(t, "b.c[].d").Each([]byte(doc), func(Value) bool { seen++; return false })
	require.Equal(t, 1, seen)
	mustPath(t, "a").Each(nil, func(Value) bool { t.Fatal("nothing to see"); return false })
}

func TestValueAccessors(t *testing.T) {
	for raw, kind := range map[string]Kind{"1": Int, "-0": Int, "1e2": Float, "1.0": Float, "null": Null, "true": Bool,
		"false": Bool, `"s"`: String, "[]": Array, "{}": Object, "nul": Invalid, "": Invalid, "}": Invalid} {
		require.Equal(t, kind, Parse([]byte(raw)).Kind, raw)
	}
	n, ok := Parse([]byte("9223372036854775807")).Int64()
	require.True(t, ok)
	require.EqualValues(t, 1<<63-1, n)
	_, ok = Parse([]byte("9223372036854775808")).Int64()
	require.False(t, ok)
	u, ok := Parse([]byte("18446744073709551615")).Uint64()
	require.True(t, ok)
	require.EqualValues(t, uint64(1<<64-1), u)
	_, ok = Parse([]byte("5.0")).Int64()
	require.False(t, ok)
	require.Equal(t, 5.0, Parse([]byte("5.0")).Float64())
	require.Equal(t, 1e25, Parse([]byte("10000000000000000000000000")).Float64())
	require.True(t, Parse([]byte("true")).Bool())
	require.False(t, Parse([]byte("1")).Bool())
	require.Equal(t, "aé\n\"\U0001F600/", Parse([]byte(`"a\u00e9\n\"\ud83d\ude00\/"`)).Str())
	require.Equal(t, "\ufffdx", Parse([]byte(`"\ud83dx"`)).Str())
	require.Equal(t, "pre-x", string(Parse([]byte(`"x"`)).appendStr([]byte("pre-"))))
	long := strings.Repeat(`ab\n`, 5000)
	require.Equal(t, strings.Repeat("ab\n", 5000), Parse([]byte(`"`+long+`"`)).Str())
}

var benchDoc = []byte(`{"title":"The quick brown fox","section":"games","size":123456,"price":12.5,"tags":["role::program","use::gameplaying","interface::x11"],"nested":{"a":{"b":1}},"available":true,"city":"Berlin"}`)

func BenchmarkEach(b *testing.B) {
	for _, path := range []string{"city", "tags[]", "nested.a.b"} {
		p := mustPath(b, path)
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				p.Each(benchDoc, func(Value) bool { n++; return true })
			}
		})
	}
}

func BenchmarkValidate(b *testing.B) {
	b.SetBytes(int64(len(benchDoc)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Validate(benchDoc); err != nil {
			b.Fatal(err)
		}
	}
}
