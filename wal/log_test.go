package wal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/vfs"
)

const testDir = "db/wal"

func open(t testing.TB, fsys vfs.FS) *Log {
	t.Helper()
	l, err := Open(Options{FS: fsys, Dir: testDir, FileBytes: 16 << 10})
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// data is what record seq of a test holds: its length differs, some span frames and files.
func data(seq uint64) []byte {
	rng := rand.New(rand.NewPCG(seq, 1))
	n := rng.IntN(700)
	switch {
	case seq%37 == 0:
		n = framePayload + rng.IntN(2000)
	case seq%11 == 0:
		n = 10<<10 + rng.IntN(9<<10)
	case seq%5 == 0:
		n = 0
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func record(seq uint64) Record {
	return Record{Seq: seq, Term: seq / 7, Kind: uint8(seq), Data: data(seq)}
}

func appendTo(t testing.TB, l *Log, upTo uint64) {
	t.Helper()
	for seq := l.Last() + 1; seq <= upTo; seq++ {
		require.NoError(t, l.Append(record(seq)))
	}
}

func appendSynced(t testing.TB, l *Log, upTo uint64) {
	t.Helper()
	appendTo(t, l, upTo)
	durable, err := l.Sync()
	require.NoError(t, err)
	require.Equal(t, upTo, durable)
}

// requireRecords replays and wants exactly the records from first to last.
func requireRecords(t testing.TB, l *Log, first, last uint64) {
	t.Helper()
	next := first
	require.NoError(t, l.Replay(first, func(r Record) error {
		want := record(next)
		require.Equal(t, want.Seq, r.Seq)
		require.Equal(t, want.Term, r.Term)
		require.Equal(t, want.Kind, r.Kind)
		require.True(t, bytes.Equal(want.Data, r.Data), "data of record %d", r.Seq)
		next++
		return nil
	}))
	require.Equal(t, last+1, next)
}

func TestAppendReopenReplay(t *testing.T) {
	for name, fsys := range map[string]vfs.FS{"mem": vfs.NewMem(), "os": vfs.OS} {
		t.Run(name, func(t *testing.T) {
			o := Options{FS: fsys, Dir: filepath.ToSlash(t.TempDir()) + "/wal", FileBytes: 16 << 10}
			l, err := Open(o)
			require.NoError(t, err)
			require.EqualValues(t, 0, l.Last())
			require.EqualValues(t, 1, l.First())
			for last := uint64(20); last <= 100; last += 20 {
				appendSynced(t, l, last)
				requireRecords(t, l, 1, last)
				requireRecords(t, l, last-7, last)
				require.NoError(t, l.Close())
				require.NoError(t, l.Close())
				l, err = Open(o)
				require.NoError(t, err)
				require.Nil(t, l.Damage())
				require.Equal(t, last, l.Last())
				require.Equal(t, last, l.Durable())
				requireRecords(t, l, 1, last)
			}
			require.Positive(t, l.Bytes())
			require.NoError(t, l.Close())
			rep, err := Check(fsys, o.Dir)
			require.NoError(t, err)
			require.Empty(t, rep.Problems)
			require.EqualValues(t, 1, rep.First)
			require.EqualValues(t, 100, rep.Last)
			require.Greater(t, rep.Files, 3)
		})
	}
}

func TestCleanCloseGoesOnInTheSameFile(t *testing.T) {
	m := vfs.NewMem()
	for last := uint64(1); last < 10; last++ {
		l := open(t, m)
		appendSynced(t, l, last)
		require.NoError(t, l.Close())
	}
	names, err := m.List(testDir)
	require.NoError(t, err)
	require.Len(t, names, 1)
}

func TestAppendRefusesHoles(t *testing.T) {
	l := open(t, vfs.NewMem())
	require.ErrorIs(t, l.Append(Record{}), ErrOrder)
	require.NoError(t, l.Append(Record{Seq: 41}))
	require.ErrorIs(t, l.Append(Record{Seq: 41}), ErrOrder)
	require.ErrorIs(t, l.Append(Record{Seq: 43}), ErrOrder)
	require.NoError(t, l.Append(Record{Seq: 42}))
	require.EqualValues(t, 41, l.First())
	require.EqualValues(t, 0, l.Durable())
	durable, err := l.Sync()
	require.NoError(t, err)
	require.EqualValues(t, 42, durable)
	require.ErrorIs(t, l.SetStart(50), ErrNotEmpty)
}

func TestSetStart(t *testing.T) {
	m := vfs.NewMem()
	l := open(t, m)
	require.NoError(t, l.SetStart(7))
	require.NoError(t, l.SetStart(30))
	require.NoError(t, l.SetStart(5))
	l = open(t, m.Crash(1, 0))
	require.EqualValues(t, 4, l.Last())
	require.EqualValues(t, 5, l.First())
	require.ErrorIs(t, l.Append(Record{Seq: 6}), ErrOrder)
	require.NoError(t, l.Append(record(5)))
	require.ErrorIs(t, l.SetStart(0), ErrOrder)
}

func TestTruncatePrefix(t *testing.T) {
	m := vfs.NewMem()
	l := open(t, m)
	appendSynced(t, l, 120)
	before := l.Bytes()
	require.NoError(t, l.TruncatePrefix(60))
	first := l.First()
	require.Greater(t, first, uint64(1))
	require.LessOrEqual(t, first, uint64(61))
	require.Less(t, l.Bytes(), before)
	requireRecords(t, l, first, 120)
	l = open(t, m.Crash(1, 0))
	require.Equal(t, first, l.First())
	requireRecords(t, l, first, 120)
	require.NoError(t, l.TruncatePrefix(1000))
	require.EqualValues(t, 120, l.Last())
	appendSynced(t, l, 130)
	requireRecords(t, l, l.First(), 130)
}

func TestTruncatePrefixOfAllLeavesASmallFile(t *testing.T) {
	m := vfs.NewMem()
	l, err := Open(Options{FS: m, Dir: testDir, FileBytes: 64 << 10, first: minFileSize})
	require.NoError(t, err)
	appendSynced(t, l, 300)
	require.True(t, l.Shrinks())
	appendTo(t, l, 301)
	require.NoError(t, l.TruncatePrefix(300)) // one that is not synced: nothing is begun for it
	require.True(t, l.Shrinks())
	appendSynced(t, l, 302)
	require.NoError(t, l.TruncatePrefix(302))
	require.False(t, l.Shrinks())
	require.EqualValues(t, 303, l.First())
	require.EqualValues(t, 302, l.Last())
	require.EqualValues(t, minFileSize, l.current().size)
	m = m.Crash(1, 0)
	l = open(t, m)
	require.EqualValues(t, 303, l.First())
	appendSynced(t, l, 310)
	l = open(t, m.Crash(2, 0))
	requireRecords(t, l, 303, 310)
}

func TestTruncateSuffix(t *testing.T) {
	for _, after := range []uint64{0, 1, 30, 59, 60, 80} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			m := vfs.NewMem()
			l := open(t, m)
			appendSynced(t, l, 50)
			appendTo(t, l, 60)
			require.NoError(t, l.TruncateSuffix(after))
			last := min(after, 60)
			require.Equal(t, last, l.Last())
			requireRecords(t, l, 1, last)
			m = m.Crash(1, 0)
			l = open(t, m)
			require.Equal(t, last, l.Last())
			appendSynced(t, l, 90)
			requireRecords(t, l, 1, 90)
			l = open(t, m.Crash(1, 0))
			requireRecords(t, l, 1, 90)
		})
	}
	l := open(t, vfs.NewMem())
	require.NoError(t, l.SetStart(10))
	appendSynced(t, l, 20)
	require.ErrorIs(t, l.TruncateSuffix(8), ErrRange)
	require.NoError(t, l.TruncateSuffix(9))
	require.EqualValues(t, 9, l.Last())
	require.EqualValues(t, 10, l.First())
}

func TestReplayReturnsErrorOfFn(t *testing.T) {
	l := open(t, vfs.NewMem())
	appendSynced(t, l, 3)
	own := errors.New("own")
	require.ErrorIs(t, l.Replay(0, func(Record) error { return own }), own)
}

func TestOpenRefusesBadOptions(t *testing.T) {
	_, err := Open(Options{FileBytes: 1})
	require.ErrorContains(t, err, "no directory")
	require.ErrorContains(t, err, "file size")
}

// TestAppendDuringSync is the engine's use: one goroutine appends, one syncs in a loop.
func TestAppendDuringSync(t *testing.T) {
	m := vfs.NewMem()
	l, err := Open(Options{FS: m, Dir: testDir, FileBytes: 1 << 20})
	require.NoError(t, err)
	const last = 4000
	var wg sync.WaitGroup
	wg.Go(func() {
		for l.Durable() < last {
			if _, err := l.Sync(); err != nil {
				panic(err)
			}
			_ = l.Bytes()
		}
	})
	dropped := uint64(0)
	wg.Go(func() {
		for at := uint64(0); at < last/2; { // once more at the end, however late this goroutine runs
			at = l.Durable()
			if err := l.TruncatePrefix(at); err != nil {
				panic(err)
			}
		}
		dropped = l.First() - 1
	})
	big := make([]byte, 100<<10)
	for seq := uint64(1); seq <= last; seq++ {
		r := Record{Seq: seq, Data: big[:seq%64]}
		if seq%10 == 0 {
			r.Data = big // more than may be pending, in all
		}
		require.NoError(t, l.Append(r))
	}
	wg.Wait()
	n := 0
	require.NoError(t, l.Replay(1, func(Record) error { n++; return nil }))
	require.Positive(t, dropped)
	require.EqualValues(t, last-dropped, n)
	require.NoError(t, l.Close())
	require.ErrorIs(t, l.Append(Record{Seq: last + 1}), ErrClosed)
	_, err = l.Sync()
	require.ErrorIs(t, err, ErrClosed)
}
