package keyspace

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/engine"
)

func TestSet(t *testing.T) {
	s := open(t)
	setWith := func(key, value string, o SetOptions) (r SetResult) {
		t.Helper()
		do(t, s, func(tx *Tx) error {
			var err error
			r, err = tx.Set(b(key), b(value), o)
			return err
		})
		return r
	}
	require.False(t, setWith("k", "1", SetOptions{XX: true}).Done)
	require.True(t, setWith("k", "1", SetOptions{NX: true}).Done)
	require.False(t, setWith("k", "2", SetOptions{NX: true}).Done)
	r := setWith("k", "3", SetOptions{XX: true, Get: true})
	require.Equal(t, "1", string(r.Old))
	require.True(t, r.Existed && r.Done)
	setWith("k", "4", SetOptions{Expire: 1 << 50})
	setWith("k", "5", SetOptions{KeepTTL: true})
	view(t, s, func(v *View) {
		at, _, _ := v.Expiry(b("k"))
		require.Equal(t, int64(1<<50), at)
	})
	setWith("k", "6", SetOptions{})
	view(t, s, func(v *View) {
		at, _, _ := v.Expiry(b("k"))
		require.Zero(t, at)
	})
	setWith("k", "7", SetOptions{Expire: 1})
	gone(t, s, "k")
	setWith("empty", "", SetOptions{})
	want(t, s, "empty", "")

	do(t, s, func(tx *Tx) error { _, err := tx.HSet(b("h"), pair("f", "v")); return err })
	fails(t, s, ErrWrongType, func(tx *Tx) error { _, err := tx.Set(b("h"), nil, SetOptions{Get: true}); return err })
	setWith("h", "now a string", SetOptions{})
	want(t, s, "h", "now a string")
}

func TestStringsAreCopied(t *testing.T) {
	s := open(t)
	key, value := b("key"), b("value")
	do(t, s, func(tx *Tx) error { _, err := tx.Set(key, value, SetOptions{}); return err })
	copy(key, "xxx")
	copy(value, "xxxxx")
	want(t, s, "key", "value")
}

func TestStrings(t *testing.T) {
	s := open(t)
	do(t, s, func(tx *Tx) error {
		n, err := tx.Append(b("k"), b("hello"))
		require.NoError(t, err)
		require.Equal(t, 5, n)
		n, err = tx.Append(b("k"), b(" you"))
		require.NoError(t, err)
		require.Equal(t, 9, n)
		n, err = tx.SetRange(b("k"), 11, b("!"))
		require.NoError(t, err)
		require.Equal(t, 12, n)
		n, err = tx.SetRange(b("nosuch"), 5, nil)
		require.Zero(t, n)
		return err
	})
	want(t, s, "k", "hello you\x00\x00!")
	gone(t, s, "nosuch")
	do(t, s, func(tx *Tx) error {
		v, ok, err := tx.GetDel(b("k"))
		require.True(t, ok)
		require.Len(t, v, 12)
		require.NoError(t, err)
		_, ok, err = tx.GetDel(b("k"))
		require.False(t, ok)
		require.NoError(t, err)
		require.NoError(t, tx.MSet(pair("a", "1"), pair("b", "2"), pair("a", "3")))
		ok, err = tx.MSetNX(pair("c", "1"), pair("a", "9"))
		require.False(t, ok)
		require.NoError(t, err)
		ok, err = tx.MSetNX(pair("d", "1"))
		require.True(t, ok)
		require.NoError(t, err)
		_, ok, err = tx.GetEx(b("a"), 1<<50)
		require.True(t, ok)
		return err
	})
	want(t, s, "a", "3")
	gone(t, s, "c")
	fails(t, s, ErrOffset, func(tx *Tx) error { _, err := tx.SetRange(b("a"), -1, b("x")); return err })
	fails(t, s, ErrTooLong, func(tx *Tx) error { _, err := tx.SetRange(b("a"), maxBody, b("x")); return err })
}

func TestIncrements(t *testing.T) {
	s := open(t)
	for _, tc := range []struct {
		old  string
		by   int64
		want string
		err  error
	}{
		{"5", 3, "8", nil}, {"-5", 3, "-2", nil}, {"0", -1, "-1", nil},
		{"9223372036854775806", 1, "9223372036854775807", nil},
		{"9223372036854775807", 1, "", ErrOverflow}, {"-9223372036854775808", -1, "", ErrOverflow},
		{"", 1, "", ErrNotInteger}, {"01", 1, "", ErrNotInteger}, {"+1", 1, "", ErrNotInteger}, {" 1", 1, "", ErrNotInteger},
		{"1.0", 1, "", ErrNotInteger}, {"x", 1, "", ErrNotInteger}, {"9223372036854775808", 1, "", ErrNotInteger},
	} {
		set(t, s, "n", tc.old)
		incr := func(tx *Tx) error { _, err := tx.IncrBy(b("n"), tc.by); return err }
		if tc.err != nil {
			fails(t, s, tc.err, incr)
			continue
		}
		do(t, s, incr)
		want(t, s, "n", tc.want)
	}
	for _, tc := range []struct {
		old, by, want string
		err           error
	}{
		{"10.50", "0.1", "10.6", nil}, {"5.0e3", "2.0e2", "5200", nil}, {"0.1", "0.2", "0.3", nil}, {"3", "-3", "0", nil},
		{"-1", "-0.5", "-1.5", nil}, {"1e-20", "0", "0", nil}, {"1000000000000000000000", "1", "1000000000000000000001"[:22], nil},
		{"x", "1", "", ErrNotFloat}, {"1", "x", "", ErrNotFloat}, {"1", "nan", "", ErrNotFloat}, {"1", "inf", "", ErrNaN}, {"-Infinity", "inf", "", ErrNaN},
		{"1", "1e999999999", "", ErrNotFloat}, {"1", strings.Repeat("1", 6000), "", ErrNotFloat}, {"1" + strings.Repeat("0", 400), "1", "1" + strings.Repeat("0", 400), nil}, {"1", "0x10", "", ErrNotFloat},
	} {
		set(t, s, "n", tc.old)
		incr := func(tx *Tx) error { _, err := tx.IncrByFloat(b("n"), b(tc.by)); return err }
		if tc.err != nil {
			fails(t, s, tc.err, incr)
			continue
		}
		do(t, s, incr)
		if len(tc.want) < 20 {
			want(t, s, "n", tc.want)
		}
	}
	do(t, s, func(tx *Tx) error {
		n, err := tx.HIncrBy(b("h"), b("f"), 7)
		require.Equal(t, int64(7), n)
		require.NoError(t, err)
		text, err := tx.HIncrByFloat(b("h"), b("f"), b("0.5"))
		require.Equal(t, "7.5", string(text))
		return err
	})
	fails(t, s, ErrHashNotInteger, func(tx *Tx) error { _, err := tx.HIncrBy(b("h"), b("f"), 1); return err })
	do(t, s, func(tx *Tx) error { _, err := tx.HSet(b("h"), pair("f", "x")); return err })
	fails(t, s, ErrHashNotFloat, func(tx *Tx) error { _, err := tx.HIncrByFloat(b("h"), b("f"), b("1")); return err })
	fails(t, s, ErrInfinite, func(tx *Tx) error { _, err := tx.HIncrByFloat(b("h"), b("f"), b("-inf")); return err })
	fails(t, s, ErrNotFloat, func(tx *Tx) error { _, err := tx.HIncrByFloat(b("n"), b("f"), b("x")); return err }) // before the type
}

func TestHashes(t *testing.T) {
	for _, n := range []int{3, 200} { // below and above the number from which a map is used
		t.Run(fmt.Sprint(n), func(t *testing.T) { testHash(t, n) })
	}
}

func testHash(t *testing.T, n int) {
	s := open(t)
	key := b("h")
	do(t, s, func(tx *Tx) error {
		for i := range n {
			added, err := tx.HSet(key, pair(fmt.Sprint("f", i), "old"), pair(fmt.Sprint("f", i), fmt.Sprint(i)))
			require.NoError(t, err)
			require.Equal(t, 1, added)
		}
		added, err := tx.HSet(key, pair("f1", "one"), pair("bin\x00\xff", "\x00\xfe"), pair("", ""))
		require.Equal(t, 2, added)
		require.NoError(t, err)
		ok, err := tx.HSetNX(key, pair("f1", "no"))
		require.False(t, ok)
		require.NoError(t, err)
		ok, err = tx.HSetNX(key, pair("nx", "yes"))
		require.True(t, ok)
		return err
	})
	view(t, s, func(v *View) {
		count, err := v.HLen(key)
		require.NoError(t, err)
		require.Equal(t, n+3, count)
		all, err := v.HGetAll(key)
		require.NoError(t, err)
		require.Equal(t, "f0", string(all[0].Name), "insertion order")
		require.Equal(t, "one", string(all[1].Value))
		values, err := v.HMGet(key, b("f2"), b("nosuch"), b(""), b("bin\x00\xff"))
		require.NoError(t, err)
		require.Equal(t, [][]byte{b("2"), nil, {}, b("\x00\xfe")}, values)
		value, ok, err := v.HGet(key, b(""))
		require.NoError(t, err)
		require.True(t, ok)
		require.NotNil(t, value)
		length, err := v.HStrLen(key, b("f1"))
		require.NoError(t, err)
		require.Equal(t, 3, length)
		some, err := v.HRandField(key, 2)
		require.NoError(t, err)
		require.Len(t, some, 2)
		some, err = v.HRandField(key, -1000)
		require.NoError(t, err)
		require.Len(t, some, 1000)
		kind, err := v.Type(key)
		require.NoError(t, err)
		require.Equal(t, "hash", TypeName(kind))
		_, _, err = v.Get(key)
		require.ErrorIs(t, err, ErrWrongType)
		require.Equal(t, engine.KindHash, kind)
	})
	do(t, s, func(tx *Tx) error {
		deleted, err := tx.HDel(key, b("f0"), b("f0"), b("nosuch"), b("nx"))
		require.Equal(t, 2, deleted)
		require.NoError(t, err)
		values, err := tx.HGetDel(key, b("f1"), b("nosuch"))
		require.Equal(t, [][]byte{b("one"), nil}, values)
		return err
	})
	view(t, s, func(v *View) {
		all, err := v.HGetAll(key)
		require.NoError(t, err)
		require.Len(t, all, n-2+2)
	})
	do(t, s, func(tx *Tx) error {
		all, err := tx.HGetAll(key)
		require.NoError(t, err)
		for _, f := range all {
			_, err := tx.HDel(key, f.Name)
			require.NoError(t, err)
		}
		return nil
	})
	gone(t, s, "h")
	set(t, s, "str", "x")
	fails(t, s, ErrWrongType, func(tx *Tx) error { _, err := tx.HSet(b("str"), pair("f", "v")); return err })
	view(t, s, func(v *View) {
		values, err := v.HMGet(b("nosuch"), b("f"))
		require.NoError(t, err)
		require.Equal(t, [][]byte{nil}, values)
	})
}

func TestEncoding(t *testing.T) {
	s := open(t)
	set(t, s, "int", "123")
	set(t, s, "short", "abc")
	set(t, s, "long", strings.Repeat("x", 45))
	do(t, s, func(tx *Tx) error {
		_, err := tx.HSet(b("small"), pair("f", "v"))
		require.NoError(t, err)
		_, err = tx.HSet(b("large"), pair("f", strings.Repeat("x", 65)))
		return err
	})
	view(t, s, func(v *View) {
		for key, want := range map[string]string{"int": "int", "short": "embstr", "long": "raw", "small": "listpack", "large": "hashtable"} {
			got, ok, err := v.Encoding(b(key))
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, want, got, key)
		}
	})
}
