package querylang

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/filter"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// testSchema declares the fields the golden queries use.
type testSchema struct{}

var testFields = []Field{
	{Name: "genre", Source: "g", Type: Tag},
	{Name: "tag", Source: "tag", Type: Tag},
	{Name: "t", Source: "t", Type: Tag},
	{Name: "tags", Source: "$.tags[*]", Type: Tag, IndexEmpty: true},
	{Name: "cs", Source: "cs", Type: Tag, CaseSensitive: true, IndexMissing: true},
	{Name: "year", Source: "year", Type: Numeric},
	{Name: "n", Source: "$.n", Type: Numeric},
	{Name: "numeric-field", Source: "numeric-field", Type: Numeric},
	{Name: "a b", Source: "a b", Type: Numeric},
	{Name: "title", Source: "title", Type: Text},
	{Name: "vec", Source: "vec", Type: Vector, VectorBytes: 8, IndexMissing: true},
	{Name: "vec2", Source: "vec2", Type: Vector, VectorBytes: 8},
}

func (testSchema) Field(name []byte) (Field, bool) {
	for _, f := range testFields {
		if f.Name == string(name) {
			return f, true
		}
	}
	for _, f := range testFields {
		if f.Source == string(name) {
			return f, true
		}
	}
	return Field{}, false
}

var testParams = Params{
	"q": []byte("12345678"), "q2": []byte("abcdefgh"), "bad": []byte("1234567"),
	"k": []byte("7"), "ef": []byte("99"), "r": []byte("0.5"), "lo": []byte("-3.5"), "inf": []byte("inf"),
	"name": []byte("dist"), "tag": []byte(" Sci-Fi|x* "), "none": []byte(""), "word": []byte("word"),
}

// TestGolden reads lines "> query" (or ">q" and a Go string), each followed by what it parses to.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			want, err := os.ReadFile(name)
			require.NoError(t, err)
			var got bytes.Buffer
			for line := range strings.Lines(string(want)) {
				if q, ok := goldenQuery(t, line); ok {
					got.WriteString(line)
					got.WriteString("    " + describe(Parse(q, testSchema{}, testParams, Options{})) + "\n")
				} else if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
					got.WriteString(line)
				}
			}
			if *update {
				require.NoError(t, os.WriteFile(name, got.Bytes(), 0o644))
				return
			}
			require.Equal(t, string(want), got.String())
		})
	}
}

func goldenQuery(t testing.TB, line string) ([]byte, bool) {
	t.Helper()
	if q, ok := strings.CutPrefix(line, "> "); ok {
		return []byte(strings.TrimSuffix(q, "\n")), true
	}
	if q, ok := strings.CutPrefix(line, ">q "); ok {
		s, err := strconv.Unquote(strings.TrimSpace(q))
		require.NoError(t, err)
		return []byte(s), true
	}
	return nil, false
}

func describe(q Query, err error) string {
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return "UNTYPED ERROR " + err.Error()
		}
		return fmt.Sprintf("error at %d: %q", e.Offset, e.Msg)
	}
	s := expression(q.Filter)
	if k := q.KNN; k != nil {
		s += fmt.Sprintf(" knn(%d %s %q as %q", k.K, k.Field, k.Vector, k.As)
		if k.EfRuntime != 0 {
			s += fmt.Sprintf(" ef %d", k.EfRuntime)
		}
		if k.AdHoc {
			s += " adhoc"
		}
		if k.BatchSize != 0 {
			s += fmt.Sprintf(" batch %d", k.BatchSize)
		}
		if k.Epsilon != 0 {
			s += fmt.Sprintf(" epsilon %g", k.Epsilon)
		}
		s += ")"
	}
	return s
}

// expression writes an expression the way the golden files show it.
func expression(e filter.Expr) string {
	switch e := e.(type) {
	case filter.All:
		return "all"
	case filter.And:
		return list("and", e.Exprs)
	case filter.Or:
		return list("or", e.Exprs)
	case filter.Not:
		return "not(" + expression(e.Expr) + ")"
	case filter.Match:
		return fmt.Sprintf("%s=%s", e.Field, value(e.Value))
	case filter.MatchAny:
		var vs []string
		for _, v := range e.Values {
			vs = append(vs, value(v))
		}
		return fmt.Sprintf("%s=any[%s]", e.Field, strings.Join(vs, " "))
	case filter.Prefix:
		return fmt.Sprintf("%s=%q*", e.Field, e.Prefix)
	case filter.IsEmpty:
		return fmt.Sprintf("empty(%s)", e.Field)
	case filter.HasVector:
		return fmt.Sprintf("hasvector(%s)", e.Name)
	case filter.Range:
		s := e.Field
		for _, b := range []struct {
			op string
			v  *float64
		}{{">", e.Gt}, {">=", e.Gte}, {"<", e.Lt}, {"<=", e.Lte}} {
			if b.v != nil {
				s += fmt.Sprintf("%s%g", b.op, *b.v)
			}
		}
		return s
	}
	return fmt.Sprintf("UNEXPECTED %T", e)
}

func list(name string, es []filter.Expr) string {
	var parts []string
	for _, e := range es {
		parts = append(parts, expression(e))
	}
	return name + "(" + strings.Join(parts, " ") + ")"
}
func value(v filter.Value) string { return strconv.Quote(v.Str()) }
