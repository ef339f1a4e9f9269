package keyspace

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/engine"
)

func b(s string) []byte { return []byte(s) }

func pair(name, value string) Field { return Field{b(name), b(value)} }

func open(t testing.TB) *Space {
	t.Helper()
	db, err := engine.Open(t.TempDir(), engine.Options{})
	require.NoError(t, err)
	s := New(db, Options{})
	t.Cleanup(func() {
		s.Close()
		require.NoError(t, db.Close())
	})
	return s
}

// do runs one update and waits for it.
func do(t testing.TB, s *Space, fn func(tx *Tx) error) {
	t.Helper()
	ticket, err := s.Update(0, fn)
	require.NoError(t, err)
	require.NoError(t, ticket.Wait(context.Background()))
}

// fails runs one update that is refused.
func fails(t testing.TB, s *Space, want error, fn func(tx *Tx) error) {
	t.Helper()
	_, err := s.Update(0, fn)
	require.ErrorIs(t, err, want)
}

func view(t testing.TB, s *Space, fn func(v *View)) {
	t.Helper()
	v := s.View(0)
	defer v.Close()
	fn(v)
}

func set(t testing.TB, s *Space, key, value string) {
	t.Helper()
	do(t, s, func(tx *Tx) error {
		_, err := tx.Set(b(key), b(value), SetOptions{})
		return err
	})
}

func get(t testing.TB, s *Space, key string) (value string, ok bool) {
	t.Helper()
	view(t, s, func(v *View) {
		got, found, err := v.Get(b(key))
		require.NoError(t, err)
		value, ok = string(got), found
	})
	return value, ok
}

func want(t testing.TB, s *Space, key, value string) {
	t.Helper()
	got, ok := get(t, s, key)
	require.True(t, ok, key)
	require.Equal(t, value, got)
}

func gone(t testing.TB, s *Space, key string) {
	t.Helper()
	view(t, s, func(v *View) {
		ok, err := v.Exists(b(key))
		require.NoError(t, err)
		require.False(t, ok, key)
	})
}

func TestDeleteRenameCopy(t *testing.T) {
	s := open(t)
	set(t, s, "a", "1")
	set(t, s, "b", "2")
	do(t, s, func(tx *Tx) error {
		require.NoError(t, tx.Rename(b("a"), b("b")))
		ok, err := tx.Exists(b("a"))
		require.NoError(t, err)
		require.False(t, ok)
		ok, err = tx.RenameNX(b("b"), b("c"))
		require.NoError(t, err)
		require.True(t, ok)
		ok, err = tx.Copy(b("c"), b("c"), 3, false)
		require.NoError(t, err)
		require.True(t, ok)
		ok, err = tx.Copy(b("c"), b("c"), 3, false)
		require.NoError(t, err)
		require.False(t, ok, "there is one already")
		n, err := tx.Del(b("nosuch"), b("c"), b("c"))
		require.Equal(t, 1, n)
		return err
	})
	gone(t, s, "a")
	gone(t, s, "b")
	gone(t, s, "c")
	v := s.View(3)
	defer v.Close()
	got, ok, err := v.Get(b("c"))
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "1", string(got))
	fails(t, s, ErrNoKey, func(tx *Tx) error { return tx.Rename(b("nosuch"), b("x")) })
	fails(t, s, ErrNoKey, func(tx *Tx) error { _, err := tx.RenameNX(b("nosuch"), b("x")); return err })
}

func TestFailedUpdateWritesNothing(t *testing.T) {
	s := open(t)
	fails(t, s, ErrWrongType, func(tx *Tx) error {
		if _, err := tx.Set(b("a"), b("1"), SetOptions{}); err != nil {
			return err
		}
		_, err := tx.HSet(b("a"), pair("f", "v"))
		return err
	})
	gone(t, s, "a")
	_, err := s.Update(16, func(*Tx) error { return nil })
	require.ErrorIs(t, err, ErrDatabase)
	_, err = s.Update(-1, func(*Tx) error { return nil })
	require.ErrorIs(t, err, ErrDatabase)
}

func TestFlush(t *testing.T) {
	s := open(t)
	set(t, s, "a", "1")
	do(t, s, func(tx *Tx) error {
		require.NoError(t, tx.Use(1))
		_, err := tx.Set(b("a"), b("other"), SetOptions{})
		return err
	})
	do(t, s, func(tx *Tx) error {
		require.NoError(t, tx.FlushDB())
		require.Zero(t, tx.DBSize())
		_, err := tx.Set(b("after"), b("1"), SetOptions{})
		return err
	})
	gone(t, s, "a")
	want(t, s, "after", "1")
	do(t, s, func(tx *Tx) error {
		require.NoError(t, tx.Use(1))
		require.Equal(t, 1, tx.DBSize())
		tx.FlushAll()
		return nil
	})
	gone(t, s, "after")
}

func TestExpire(t *testing.T) {
	s := open(t)
	now := time.Now().UnixMilli()
	hour := now + 3600_000
	set(t, s, "a", "1")
	set(t, s, "b", "1")
	expire := func(key string, at int64, cond ExpireIf, want bool) {
		t.Helper()
		do(t, s, func(tx *Tx) error {
			ok, err := tx.Expire(b(key), at, cond)
			require.Equal(t, want, ok)
			return err
		})
	}
	expire("a", hour, ExpireXX, false)
	expire("a", hour, ExpireGT, false)
	expire("a", hour, ExpireNX, true)
	expire("a", hour, ExpireNX, false)
	expire("a", hour-1, ExpireGT, false)
	expire("a", hour+1, ExpireGT, true)
	expire("a", hour+2, ExpireLT, false)
	expire("a", hour, ExpireLT, true)
	expire("b", hour, ExpireLT, true)
	expire("nosuch", hour, 0, false)
	view(t, s, func(v *View) {
		at, ok, err := v.Expiry(b("a"))
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, hour, at)
		require.Equal(t, 2, v.Expires())
	})
	do(t, s, func(tx *Tx) error {
		ok, err := tx.Persist(b("a"))
		require.True(t, ok)
		require.NoError(t, err)
		ok, err = tx.Persist(b("a"))
		require.False(t, ok)
		return err
	})
	expire("b", now-1, 0, true)
	gone(t, s, "b")
	want(t, s, "a", "1")
}

// eventually polls, for what the sweeper does in its own time.
func eventually(t testing.TB, cond func() bool) {
	t.Helper()
	require.Eventually(t, cond, 10*time.Second, 10*time.Millisecond)
}

func size(s *Space) int {
	v := s.View(0)
	defer v.Close()
	return v.DBSize()
}

func TestExpiredKeysAreAbsentAndSwept(t *testing.T) {
	s := open(t)
	soon := time.Now().UnixMilli() + 150
	for i := range 600 {
		do(t, s, func(tx *Tx) error {
			_, err := tx.Set(fmt.Appendf(nil, "k%d", i), b("v"), SetOptions{Expire: max(soon, tx.Now().UnixMilli()+20)})
			return err
		})
	}
	set(t, s, "stays", "v")
	do(t, s, func(tx *Tx) error { // out of date in the queue: must not go
		if _, err := tx.Set(b("renewed"), b("v"), SetOptions{Expire: tx.Now().UnixMilli() + 50}); err != nil {
			return err
		}
		_, err := tx.Expire(b("renewed"), tx.Now().UnixMilli()+3600_000, 0)
		return err
	})
	eventually(t, func() bool { return size(s) == 2 })
	want(t, s, "stays", "v")
	want(t, s, "renewed", "v")
}

func TestExpiredKeyWrittenAgainIsNew(t *testing.T) {
	s := open(t)
	number := func(tx *Tx) uint64 {
		d, ok, err := tx.Document(b("k"))
		require.NoError(t, err)
		require.True(t, ok)
		return d.Number
	}
	var first, second, third uint64
	do(t, s, func(tx *Tx) error {
		_, err := tx.HSet(b("k"), pair("f", "old"))
		require.NoError(t, err)
		first = number(tx)
		_, err = tx.HSet(b("k"), pair("f", "newer"))
		require.NoError(t, err)
		second = number(tx)
		_, err = tx.Expire(b("k"), tx.Now().UnixMilli()+1, 0)
		return err
	})
	require.Equal(t, first, second)
	time.Sleep(3 * time.Millisecond)
	do(t, s, func(tx *Tx) error {
		n, err := tx.HSet(b("k"), pair("g", "new"))
		require.NoError(t, err)
		require.Equal(t, 1, n)
		third = number(tx)
		all, err := tx.HGetAll(b("k"))
		require.Len(t, all, 1)
		return err
	})
	require.Greater(t, third, first)
	view(t, s, func(v *View) {
		at, ok, err := v.Expiry(b("k"))
		require.NoError(t, err)
		require.True(t, ok)
		require.Zero(t, at)
	})
}

func TestExpiriesAreFoundAtStart(t *testing.T) {
	db, err := engine.Open(t.TempDir(), engine.Options{})
	require.NoError(t, err)
	defer db.Close()
	s := New(db, Options{})
	do(t, s, func(tx *Tx) error {
		_, err := tx.Set(b("k"), b("v"), SetOptions{Expire: tx.Now().UnixMilli() + 60})
		return err
	})
	s.Close()
	s.Close()
	s = New(db, Options{})
	defer s.Close()
	eventually(t, func() bool { return size(s) == 0 })
}

func TestExpiryQueue(t *testing.T) {
	var q expiryQueue
	q.init()
	name := func(db int, k string) keyName { return keyName{db, k} }
	q.written([]write{{keyName: name(0, "c"), expire: 30}, {keyName: name(0, "a"), expire: 10}, {keyName: name(1, "b"), expire: 20}})
	q.written([]write{{keyName: name(0, "c"), expire: 5}})
	q.addOld(name(0, "c"), 99)
	q.addOld(name(0, "d"), 40)
	require.Len(t, q.due(5, 10), 1)
	q.written([]write{{keyName: name(0, "a")}})
	q.written([]write{{keyName: name(0, "zz")}})
	due := q.due(100, 10)
	require.Len(t, due, 2)
	require.Equal(t, "b", due[0].key)
	q.written([]write{{keyName: name(0, "x"), expire: 1}, {keyName: name(1, "y"), expire: 2}, {keyName: name(0, "z"), expire: 3}})
	q.written([]write{{keyName: keyName{database: 0}, flush: true}})
	due = q.due(100, 10)
	require.Len(t, due, 1)
	require.Equal(t, "y", due[0].key)
	require.Empty(t, q.byKey)
}

func TestIndexAliases(t *testing.T) {
	s := open(t)
	point := func(alias, index string) func(tx *Tx) error {
		return func(tx *Tx) error {
			return tx.EditIndexAliases(func(m map[string]string) (bool, error) { m[alias] = index; return true, nil })
		}
	}
	target := func(alias string) (index string) {
		view(t, s, func(v *View) {
			b, _, err := v.IndexAlias([]byte(alias))
			require.NoError(t, err)
			index = string(b)
		})
		return index
	}
	do(t, s, point("a", "x"))
	do(t, s, point("b", "x"))
	do(t, s, point("a", "y"))
	require.Equal(t, "y", target("a"))
	require.Empty(t, target("c"))
	view(t, s, func(v *View) {
		all, err := v.IndexAliases()
		require.NoError(t, err)
		require.Equal(t, []Field{pair("a", "y"), pair("b", "x")}, all)
		require.Zero(t, v.DBSize())
	})
	do(t, s, func(tx *Tx) error {
		return tx.EditIndexAliases(func(m map[string]string) (bool, error) { clear(m); return false, nil })
	})
	require.Equal(t, "y", target("a"), "no change was wanted")
	do(t, s, func(tx *Tx) error { return tx.In(1).FlushDB() })
	require.Equal(t, "y", target("a"))
	do(t, s, func(tx *Tx) error { return tx.FlushDB() })
	require.Empty(t, target("a"))
	do(t, s, point("a", "x"))
	do(t, s, func(tx *Tx) error { tx.FlushAll(); return nil })
	require.Empty(t, target("a"))
}
