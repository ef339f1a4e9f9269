package keyspace

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/engine"
)

func fill(t testing.TB, s *Space, n int, prefix string) {
	t.Helper()
	do(t, s, func(tx *Tx) error {
		for i := range n {
			if _, err := tx.Set(fmt.Appendf(nil, "%s%03d", prefix, i), nil, SetOptions{}); err != nil {
				return err
			}
		}
		return nil
	})
}

// scanAll follows cursors to the end, under a new view each time.
func scanAll(t testing.TB, s *Space, o ScanOptions, between func()) []string {
	t.Helper()
	var out []string
	cursor := uint64(0)
	for {
		view(t, s, func(v *View) {
			next, keys, err := v.Scan(cursor, o)
			require.NoError(t, err)
			for _, k := range keys {
				out = append(out, string(k))
			}
			cursor = next
		})
		if cursor == 0 {
			return out
		}
		between()
	}
}

func TestScan(t *testing.T) {
	s := open(t)
	fill(t, s, 100, "doc:")
	fill(t, s, 30, "other:")
	do(t, s, func(tx *Tx) error { _, err := tx.HSet(b("doc:hash"), pair("f", "v")); return err })
	nothing := func() {}
	for _, count := range []int{0, 1, 7, 131, 1000} {
		require.Len(t, scanAll(t, s, ScanOptions{Count: count}, nothing), 131)
	}
	require.Len(t, scanAll(t, s, ScanOptions{Match: b("doc:*")}, nothing), 101)
	require.Len(t, scanAll(t, s, ScanOptions{Match: b("*:00?")}, nothing), 20)
	require.Equal(t, []string{"doc:hash"}, scanAll(t, s, ScanOptions{Kind: engine.KindHash}, nothing))
	require.Empty(t, scanAll(t, s, ScanOptions{Match: b("nosuch*")}, nothing))

	t.Run("cursors survive a restart", func(t *testing.T) {
		got := scanAll(t, s, ScanOptions{Count: 20}, s.cursors.init)
		require.Len(t, got, 131)
	})
	t.Run("keys that stay are returned while others come and go", func(t *testing.T) {
		n := 0
		got := scanAll(t, s, ScanOptions{Match: b("doc:*"), Count: 5}, func() {
			n++
			do(t, s, func(tx *Tx) error {
				if _, err := tx.Del(fmt.Appendf(nil, "other:%03d", n)); err != nil {
					return err
				}
				_, err := tx.Set(fmt.Appendf(nil, "new%d", n), nil, SetOptions{})
				return err
			})
		})
		slices.Sort(got)
		require.Len(t, slices.Compact(got), 101)
	})
	view(t, s, func(v *View) {
		_, _, err := v.Scan(12345, ScanOptions{})
		require.ErrorIs(t, err, ErrCursor)
		cursor, _, err := v.Scan(0, ScanOptions{Count: 50})
		require.NoError(t, err)
		_, keys, err := v.Scan(cursor, ScanOptions{Match: b("other:*"), Count: 1000})
		require.NoError(t, err)
		require.NotEmpty(t, keys)
		cursor, _, err = v.Scan(0, ScanOptions{Count: 120})
		require.NoError(t, err)
		next, keys, err := v.Scan(cursor, ScanOptions{Match: b("doc:*")})
		require.NoError(t, err)
		require.Zero(t, next)
		require.Empty(t, keys)
	})
}

func TestKeysAndRandomKey(t *testing.T) {
	s := open(t)
	view(t, s, func(v *View) {
		k, err := v.RandomKey()
		require.NoError(t, err)
		require.Nil(t, k)
	})
	fill(t, s, 20, "k")
	view(t, s, func(v *View) {
		keys, err := v.Keys(b("k01?"))
		require.NoError(t, err)
		require.Len(t, keys, 10)
		seen := map[string]bool{}
		for range 500 {
			k, err := v.RandomKey()
			require.NoError(t, err)
			require.NotEmpty(t, k)
			seen[string(k)] = true
		}
		require.Greater(t, len(seen), 10)
	})
}

func TestGlob(t *testing.T) {
	for _, tc := range []struct {
		pattern, s string
		want       bool
	}{
		{"*", "", true}, {"", "", true}, {"", "a", false}, {"a*", "abc", true}, {"*c", "abc", true}, {"a*c", "abbbc", true},
		{"a*d", "abc", false}, {"a?c", "abc", true}, {"a?c", "ac", false}, {"[a-c]x", "bx", true}, {"[a-c]x", "dx", false},
		{"[^a-c]x", "dx", true}, {"[^a]", "a", false}, {"[c-a]", "b", true}, {`[\]]`, "]", true}, {`\*`, "*", true}, {`\*`, "a", false},
		{"[abc", "b", true}, {"h[ae]llo", "hallo", true}, {"**a**", "xxaxx", true}, {"a\\", "a\\", true}, {"[]", "a", false},
		{"*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false}, {"?", "\xff", true}, {"[a-]", "-", true},
	} {
		require.Equal(t, tc.want, Glob(b(tc.pattern), b(tc.s)), "%q %q", tc.pattern, tc.s)
	}
	require.Equal(t, "doc:*", string(globPrefix(b(`doc:\**`))))
}

func FuzzGlob(f *testing.F) {
	f.Add(b("a*[b-d]?\\*"), b("abcd*"))
	f.Fuzz(func(t *testing.T, pattern, s []byte) {
		if Glob(pattern, s) {
			prefix := globPrefix(pattern)
			require.LessOrEqual(t, len(prefix), len(s))
			require.Equal(t, string(prefix), string(s[:len(prefix)]))
		}
	})
}
