package keyspace

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func watch(t testing.TB, s *Space, w *Watch, keys ...string) {
	t.Helper()
	var names [][]byte
	for _, k := range keys {
		names = append(names, b(k))
	}
	ticket, err := s.Watch(w, 0, names...)
	require.NoError(t, err)
	require.NoError(t, ticket.Wait(context.Background()))
}

func broken(t testing.TB, s *Space, w *Watch) (out bool) {
	t.Helper()
	do(t, s, func(tx *Tx) error {
		var err error
		out, err = tx.Broken(w)
		return err
	})
	return out
}

func TestWatch(t *testing.T) {
	s := open(t)
	for name, tc := range map[string]struct {
		change func(tx *Tx) error
		want   bool
	}{
		"another key":          {func(tx *Tx) error { _, err := tx.Set(b("other"), b("x"), SetOptions{}); return err }, false},
		"the key":              {func(tx *Tx) error { _, err := tx.Set(b("k"), b("x"), SetOptions{}); return err }, true},
		"deleted":              {func(tx *Tx) error { _, err := tx.Del(b("k")); return err }, true},
		"renamed away":         {func(tx *Tx) error { return tx.Rename(b("k"), b("other")) }, true},
		"renamed over":         {func(tx *Tx) error { return tx.Rename(b("src"), b("k")) }, true},
		"flushed":              {func(tx *Tx) error { return tx.FlushDB() }, true},
		"all flushed":          {func(tx *Tx) error { tx.FlushAll(); return nil }, true},
		"other flushed":        {func(tx *Tx) error { _ = tx.Use(1); return tx.FlushDB() }, false},
		"expiry set":           {func(tx *Tx) error { _, err := tx.Expire(b("k"), 1<<50, 0); return err }, true},
		"condition not met":    {func(tx *Tx) error { _, err := tx.Set(b("k"), b("x"), SetOptions{NX: true}); return err }, false},
		"same name, other one": {func(tx *Tx) error { _ = tx.Use(2); _, err := tx.Set(b("k"), nil, SetOptions{}); return err }, false},
		"nothing":              {func(tx *Tx) error { return nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			set(t, s, "k", "1")
			set(t, s, "src", "1")
			var w Watch
			watch(t, s, &w, "k", "nosuch", "k")
			require.False(t, broken(t, s, &w))
			do(t, s, tc.change)
			require.Equal(t, tc.want, w.Dirty())
			require.Equal(t, tc.want, broken(t, s, &w))
			w.Clear()
			require.False(t, w.Dirty())
			require.Empty(t, s.watches.byKey)
			require.Zero(t, s.watches.used.Load())
		})
	}
}

func TestFlushIsNoChangeOfAnAbsentKey(t *testing.T) {
	s := open(t)
	var w Watch
	defer w.Clear()
	watch(t, s, &w, "absent")
	do(t, s, func(tx *Tx) error { return tx.FlushDB() })
	do(t, s, func(tx *Tx) error { tx.FlushAll(); return nil })
	require.False(t, broken(t, s, &w))
	do(t, s, func(tx *Tx) error { _, err := tx.Set(b("absent"), b("x"), SetOptions{}); return err })
	do(t, s, func(tx *Tx) error { return tx.FlushDB() })
	require.True(t, broken(t, s, &w))
}

func TestWatchOfAnUpdateThatFails(t *testing.T) {
	s := open(t)
	set(t, s, "k", "1")
	var w Watch
	defer w.Clear()
	watch(t, s, &w, "k")
	fails(t, s, ErrWrongType, func(tx *Tx) error {
		_, _ = tx.Set(b("k"), b("2"), SetOptions{})
		_, err := tx.HSet(b("k"), pair("f", "v"))
		return err
	})
	require.False(t, w.Dirty())
}

func TestWatchAndExpiry(t *testing.T) {
	s := open(t)
	do(t, s, func(tx *Tx) error {
		_, err := tx.Set(b("k"), b("v"), SetOptions{Expire: tx.Now().UnixMilli() + 200})
		return err
	})
	var before, after Watch
	defer before.Clear()
	defer after.Clear()
	watch(t, s, &before, "k")
	time.Sleep(205 * time.Millisecond)
	require.True(t, broken(t, s, &before), "expired since, swept or not")
	watch(t, s, &after, "k")
	eventually(t, func() bool { return size(s) == 0 })
	require.False(t, broken(t, s, &after), "it was gone when the watch began")
}
