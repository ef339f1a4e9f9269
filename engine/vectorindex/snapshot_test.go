package vectorindex

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// grow adds rows to a part, in steps, until its graph has them.
func (w *world) grow(rows, step int) {
	w.t.Helper()
	for range rows / step {
		w.add(step)
		w.work()
	}
}

func (w *world) segmentFiles() []string {
	w.t.Helper()
	names, err := w.o.FS.List(w.o.Dir)
	require.NoError(w.t, err)
	return names
}

func TestSnapshotsSpareRebuilding(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.SealRows, o.SnapshotRows = 4000, 500 })
	w.grow(1800, 200)
	p := w.ix.Pending()
	require.Zero(t, p.Segments, "searches go on in memory")
	require.Equal(t, 1800, p.Head)
	saved := w.ix.Saved()
	require.Len(t, saved.Segments, 1)
	require.GreaterOrEqual(t, saved.Segments[0].Rows, 1800-500)
	require.Equal(t, []string{saved.Segments[0].File}, w.segmentFiles(), "earlier snapshots are gone")
	require.NoError(t, Check(w.o.FS, w.o.Dir, saved))
	w.kill(3)

	require.Empty(t, w.reopen()) // without SealAll, as after a crash
	p = w.ix.Pending()
	require.Equal(t, 1, p.Segments)
	require.LessOrEqual(t, p.Tail, 500)
	w.wantComplete()
	w.search(Request{Query: w.vector(w.heart), K: 10})

	w.grow(4000, 400)
	saved = w.ix.Saved()
	var names []string
	for _, ref := range saved.Segments {
		names = append(names, ref.File)
	}
	require.ElementsMatch(t, names, w.segmentFiles(), "the snapshot of a part that was sealed is gone")
	require.NoError(t, Check(w.o.FS, w.o.Dir, saved))
	w.wantComplete()
}

func TestSealAllKeepsASnapshotOfAll(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.SealRows, o.SnapshotRows = 4000, 600 })
	w.grow(600, 200)
	before := w.ix.Saved()
	require.Len(t, before.Segments, 1)
	require.Equal(t, 600, before.Segments[0].Rows)
	require.NoError(t, w.ix.SealAll(context.Background()))
	require.Equal(t, before, w.ix.Saved(), "nothing is written twice")
	require.Empty(t, w.reopen())
	require.Zero(t, w.ix.Pending().Tail)
	w.wantComplete()
}

func TestAFailedSnapshotKeepsTheOneBefore(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.SealRows, o.SnapshotRows = 4000, 500 })
	w.grow(600, 200)
	before := w.ix.Saved()
	require.Len(t, before.Segments, 1)
	fails, asked := true, 0
	w.ix.o.Commit = func(s Saved) error {
		if asked++; fails {
			return errors.New("no room")
		}
		w.saved = s
		return nil
	}
	w.add(600)
	for range 100 {
		if did, err := w.ix.Work(context.Background()); err != nil || !did {
			break
		}
	}
	require.Positive(t, asked)
	require.Equal(t, before.Segments, w.ix.Saved().Segments)
	require.Contains(t, w.segmentFiles(), before.Segments[0].File)
	w.wantComplete()
	fails = false
	require.Empty(t, w.reopen())
	w.wantComplete()
}
