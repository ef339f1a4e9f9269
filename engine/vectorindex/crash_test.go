package vectorindex

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/vfs"
)

// script writes three segments and merges them, with kills in between; it stops at the first error.
func (w *world) script() error {
	run := func() error {
		for range 10_000 {
			did, err := w.ix.Work(context.Background())
			if err != nil || !did {
				return err
			}
		}
		return nil
	}
	for range 2 {
		w.add(120)
		if err := run(); err != nil {
			return err
		}
		w.kill(9)
	}
	w.add(60)
	w.ix.o.SealIdle = -1
	if err := run(); err != nil {
		return err
	}
	w.kill(3)
	return run()
}

func crashWorld(t *testing.T, fsys vfs.FS, mem *vfs.Mem, manifest func(Saved) error) *world {
	w := newWorld(t, func(o *Options) {
		o.SealRows, o.SnapshotRows, o.Dim = 120, 40, 8
		o.EfConstruct = 16
	})
	require.NoError(t, w.ix.Close())
	w.o.FS = fsys
	w.o.Commit = manifest
	ix, _, err := Open(w.o, Saved{}, w.live)
	require.NoError(t, err)
	w.ix = ix
	return w
}

// The rows and the manifest lie on other disks here: what is tested is the order of writes of segments and commits. A
// commit that fails may have become durable or not.
func TestPowerCutAtEveryWriteLosesNothing(t *testing.T) {
	total := 0
	for stop := 0; stop == 0 || stop <= total; stop++ {
		mem := vfs.NewMem()
		var saved Saved
		w := crashWorld(t, mem, mem, func(s Saved) error { saved = s; return nil })
		before := mem.Ops()
		if stop > 0 {
			mem.StopAt(before + stop)
		}
		err := w.script()
		if stop == 0 {
			require.NoError(t, err)
			total = mem.Ops() - before
			require.NotEmpty(t, saved.Segments)
			t.Logf("%d writes", total)
			continue
		}
		w.wantComplete() // an error in the background costs nothing
		w.search(Request{Query: w.vector(w.heart), K: 10})
		for seed := range int64(3) {
			after := mem.Crash(seed, 50*int(seed))
			w.reopenAt(after, saved)
		}
	}
}

// reopenAt opens the index as after a crash, with an empty problem list wanted, and finds everything.
func (w *world) reopenAt(disk *vfs.Mem, saved Saved) {
	w.t.Helper()
	old := w.ix
	defer func() { w.ix = old }()
	o := w.o
	o.FS = disk
	o.SealIdle = -1
	o.Commit = func(s Saved) error { saved = s; return nil }
	ix, problems, err := Open(o, saved, w.live)
	require.NoError(w.t, err)
	require.Empty(w.t, problems, "a segment that the manifest names is whole")
	defer ix.Close()
	w.ix = ix
	require.NoError(w.t, Check(disk, o.Dir, saved))
	w.wantComplete()
	w.search(Request{Query: w.vector(w.heart), K: 10})
	w.work()
	require.NoError(w.t, Check(disk, o.Dir, saved))
	w.wantComplete()
	w.search(Request{Query: w.vector(w.heart), K: 10})
}

func TestAFailedCommitKeepsBothLists(t *testing.T) {
	for nth := 1; nth <= 4; nth++ {
		mem := vfs.NewMem()
		var before, after Saved
		n := 0
		w := crashWorld(t, mem, mem, func(s Saved) error {
			if n++; n == nth {
				after = s
				return vfs.ErrStopped
			}
			before = s
			return nil
		})
		require.ErrorIs(t, w.script(), vfs.ErrStopped)
		did, err := w.ix.Work(t.Context())
		require.NoError(t, err)
		require.False(t, did, "nothing is written any more")
		require.ErrorIs(t, w.ix.Problems()[0], vfs.ErrStopped)
		w.wantComplete()
		for _, saved := range []Saved{before, after} {
			w.reopenAt(mem.Crash(1, 0), saved)
		}

		w.ix.pausedTill = time.Time{} // the pause is over: the list in use is committed, and work goes on
		did, err = w.ix.Work(t.Context())
		require.NoError(t, err)
		require.True(t, did)
		require.Equal(t, w.ix.Saved(), before)
		w.ix.pausedTill = time.Time{}
		w.work()
		require.NoError(t, w.ix.broken)
		w.wantComplete()
		w.reopenAt(mem.Crash(1, 0), before)
	}
}
