package querylang

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLimits(t *testing.T) {
	parse := func(q string) error {
		_, err := Parse([]byte(q), testSchema{}, testParams, Options{})
		return err
	}
	nested := func(n int) string { return strings.Repeat("(", n) + "@n:[1 2]" + strings.Repeat(")", n) }
	require.NoError(t, parse(nested(999)))
	require.EqualError(t, parse(nested(1000)), "Query string is too complex")
	require.EqualError(t, parse(nested(100_000)), "Query string is too complex")
	require.EqualError(t, parse(strings.Repeat("-", 2000)+"*"), "Query string is too complex")
	require.NoError(t, parse(strings.Repeat("@n==1 ", 10_000)))
	require.EqualError(t, parse(strings.Repeat("@n==1 ", 10_001)), "Query string is too complex")
	require.EqualError(t, parse("@t:{"+strings.Repeat("a", 256<<10)+"}"), "Query string is too complex")
	require.NoError(t, parse("@t:{"+strings.Repeat("ab|", 20_000)+"a}"))

	_, err := Parse([]byte("@t:{ab*}"), testSchema{}, nil, Options{MinPrefix: 3})
	require.Error(t, err)
	_, err = Parse([]byte("*=>[KNN 11 @vec $q]"), testSchema{}, testParams, Options{MaxK: 10})
	require.EqualError(t, err, "KNN K parameter is too large")
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, name := range files {
		b, err := os.ReadFile(name)
		require.NoError(f, err)
		for line := range strings.Lines(string(b)) {
			if q, ok := goldenQuery(f, line); ok {
				f.Add(q)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := string(text)
		q, err := Parse(text, testSchema{}, testParams, Options{})
		require.Equal(t, before, string(text), "the query text is not to be changed")
		if err != nil {
			var e *Error
			require.True(t, errors.As(err, &e))
			require.LessOrEqual(t, e.Offset, len(text))
			require.NotEmpty(t, e.Msg)
			return
		}
		require.NotNil(t, q.Filter)
		_ = describe(q, nil)
	})
}
