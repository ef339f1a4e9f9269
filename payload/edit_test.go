package payload

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
)

func TestValidate(t *testing.T) {
	deep := func(n int) string {
		return `{"a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + "}"
	}
	many := `{"k0":0,"k1":1,"k2":2,"k3":3,"k4":4,"k5":5,"k6":6,"k7":7,"k8":8,"k9":9`
	for _, ok := range []string{"{}", " {\n} ", `{"a":1}`, `{"a":[1,-2.5e+10,"x\u00e9\ud83d\ude00",null,true,false,{}]}`, `{"":0,"é":1}`,
		deep(1000), many + "}", `{"a":{"x":1},"b":{"x":1}}`} {
		require.NoError(t, Validate([]byte(ok)), ok)
	}
	for _, bad := range []string{"", " ", "[]", "1", "{", `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{"a":1}x`, `{"a":1}{}`, `{a:1}`, `{"a":01}`,
		`{"a":+1}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`, `{"a":-}`, `{"a":NaN}`, `{"a":tru}`, `{"a":"` + "\n" + `"}`, `{"a":"\x"}`, `{"a":"\u12"}`,
		`{"a":"\ud800"}`, `{"a":"\udc00\ud800"}`, "{\"a\":\"\xff\"}", `{"a":[1 2]}`, `{"a":[1,]}`, deep(1001), `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`,
		`{"x":{"a":1,"a":2}}`, many + `,"k0":1}`, many + `,"k9":1}`, `{"a":1 "b":2}`, `{"a":'x'}`, "{\"a\":1}\x00"} {
		require.ErrorIs(t, Validate([]byte(bad)), ErrJSON, bad)
	}
	require.NoError(t, validateValue([]byte(" [1] ")))
}

func TestMerge(t *testing.T) {
	for _, c := range []struct{ doc, patch, want string }{
		{`{"a":1.0,"b":[1, 2]}`, `{"a":2,"c":3}`, `{"a":2,"b":[1, 2],"c":3}`},
		{`{"a":1,"b":2}`, `{"a":null,"z":null}`, `{"b":2}`},
		{``, `{"a":12345678901234567890}`, `{"a":12345678901234567890}`},
		{`{"a":{"x":1}}`, `{"a":{"y":2}}`, `{"a":{"y":2}}`},
		{`{"\u0061":1}`, `{"a":2}`, `{"\u0061":2}`},
		{`{"a":1}`, `{}`, `{"a":1}`},
		{`{"l":0}`, `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"l":1}`, `{"l":1,"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1}`},
	} {
		got, err := Merge([]byte(c.doc), []byte(c.patch))
		require.NoError(t, err)
		require.Equal(t, c.want, string(got))
	}
	for _, c := range [][2]string{{"[]", "{}"}, {"{}", "1"}, {"{} x", "{}"}} {
		_, err := Merge([]byte(c[0]), []byte(c[1]))
		require.ErrorIs(t, err, ErrJSON)
	}
}

func TestMergeAt(t *testing.T) {
	for _, c := range []struct{ doc, at, patch, want string }{
		{`{"a":{"x":1}}`, "a", `{"y":2}`, `{"a":{"x":1,"y":2}}`},
		{`{"a":{"x":1}}`, "a", `{"x":null}`, `{"a":{}}`},
		{`{}`, "a.b", `{"y":2}`, `{"a":{"b":{"y":2}}}`},
		{`{"a":5}`, "a.b", `{"y":2}`, `{"a":{"b":{"y":2}}}`},
		{`{"a":[{"x":1},{"x":2},3]}`, "a[0]", `{"y":2}`, `{"a":[{"x":1,"y":2},{"x":2},3]}`},
		{`{"a":[{"x":1},{"x":2}]}`, "a[]", `{"y":2}`, `{"a":[{"x":1,"y":2},{"x":2,"y":2}]}`},
		{`{"a":[{"x":1}]}`, "a[5]", `{"y":2}`, `{"a":[{"x":1}]}`},
		{`{"a":[{"x":{"z":0}}]}`, "a[].x", `{"y":2}`, `{"a":[{"x":{"z":0,"y":2}}]}`},
		{`{"b":1}`, "a[]", `{"y":2}`, `{"b":1,"a":[]}`},
		{`{}`, `"q\\x"`, `{"y":2}`, `{"q\\\\x":{"y":2}}`},
	} {
		got, err := MergeAt([]byte(c.doc), mustPath(t, c.at), []byte(c.patch))
		require.NoError(t, err)
		require.Equal(t, c.want, string(got), c.at)
	}
	_, err := MergeAt([]byte("{}"), mustPath(t, strings.Repeat("a.", 600)+"a"), []byte(`{"a":`+strings.Repeat("[", 600)+strings.Repeat("]", 600)+"}"))
	require.ErrorIs(t, err, ErrJSON)
}

func TestRemove(t *testing.T) {
	for _, c := range []struct{ doc, path, want string }{
		{`{"a":1,"b":2}`, "a", `{"b":2}`},
		{`{"a":1,"b":2}`, "c", `{"a":1,"b":2}`},
		{`{"a":{"b":1,"c":2.0}}`, "a.b", `{"a":{"c":2.0}}`},
		{`{"a":[1,2]}`, "a[]", `{"a":[]}`},
		{`{"a":[1,2]}`, "a[0]", `{"a":[1,2]}`},
		{`{"a":[{"b":1,"c":2},3]}`, "a[0].b", `{"a":[{"c":2},3]}`},
		{`{"a":[{"b":1,"c":2},{"b":3}]}`, "a[].b", `{"a":[{"c":2},{}]}`},
		{`{"a":5}`, "a.b", `{"a":5}`},
		{`{"a":5}`, "a[]", `{"a":5}`},
		{``, "a", `{}`},
	} {
		got, err := Remove([]byte(c.doc), mustPath(t, c.path))
		require.NoError(t, err)
		require.Equal(t, c.want, string(got), c.path)
	}
}

func TestProject(t *testing.T) {
	doc := `{"a":1,"b":{"c":2.0,"d":{"e":3}},"f":[{"g":1,"h":2},{"h":3},4],"i":[1,2]}`
	for _, c := range []struct{ include, exclude, want string }{
		{"a", "", `{"a":1}`},
		{"b.c", "", `{"b":{"c":2.0}}`},
		{"b.d.e a", "", `{"a":1,"b":{"d":{"e":3}}}`},
		{"b b.c", "", `{"b":{"c":2.0,"d":{"e":3}}}`},
		{"f[].g", "", `{"f":[{"g":1},{},4]}`},
		{"f.g", "", `{"f":[]}`},
		{"a.x", "", `{"a":1}`},
		{"none", "", `{}`},
		{"i", "", `{"i":[1,2]}`},
		{"", "a f i", `{"b":{"c":2.0,"d":{"e":3}}}`},
		{"", "b.d f[].h i[]", `{"a":1,"b":{"c":2.0},"f":[{"g":1},{},4],"i":[]}`},
		{"", "b.d.e.x", doc},
		{"b", "b.c", `{"b":{"d":{"e":3}}}`},
	} {
		parse := func(s string) (out []Path) {
			for _, f := range strings.Fields(s) {
				out = append(out, mustPath(t, f))
			}
			return out
		}
		got, err := Project([]byte(doc), parse(c.include), parse(c.exclude))
		require.NoError(t, err)
		require.Equal(t, c.want, string(got), c.include+"|"+c.exclude)
	}
	got, err := Project([]byte(doc), []Path{}, nil)
	require.NoError(t, err)
	require.Equal(t, "{}", string(got))
}

// FuzzJSON holds Validate to an independent reader and checks that editing a valid document gives a
// valid one; what is invalid must only not panic.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":[{"c":"\u00e9"}]}`), []byte(`{"a":null,"d":2}`), "b[].c")
	f.Add([]byte(`{"a":{"b":{}}}`), []byte(`{"":"\ud800\udc00"}`), "a.b")
	f.Add([]byte(`{"a":[[],[1]],"a\\":1e5}`), []byte(`{"x":[}`), `a[0][]."q"`)
	f.Fuzz(func(t *testing.T, doc, patch []byte, path string) {
		valid := Validate(doc) == nil
		if len(doc) < 900 { // beyond that the other reader allows more depth
			want := jsontext.Value(doc).IsValid() && jsontext.Value(doc).Kind() == '{'
			require.Equal(t, want, valid, "%q", doc)
		}
		p, err := ParsePath(path)
		if err != nil {
			p = Path{}
		} else {
			again, err := ParsePath(p.String())
			require.NoError(t, err)
			require.Equal(t, p, again)
		}
		p.Each(doc, func(v Value) bool {
			if valid {
				require.NoError(t, validateValue(v.Raw))
			}
			_, _, _, _ = v.Str(), v.Float64(), v.Bool(), v.Kind
			v.EachElem(func(Value) bool { return true })
			return true
		})
		valid = valid && Validate(patch) == nil
		check := func(out []byte, err error) {
			if valid && err == nil {
				require.NoError(t, Validate(out), "%q", out)
			}
		}
		check(Merge(doc, patch))
		check(MergeAt(doc, p, patch))
		check(Remove(doc, p))
		check(Project(doc, []Path{p}, nil))
		check(Project(doc, nil, []Path{p}))
	})
}
