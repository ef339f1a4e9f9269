package engine

import (
	"context"
	"fmt"
	"testing"

	"github.com/isobath/isobath/internal/vfs"
	"github.com/stretchr/testify/require"
)

// TestEveryCallFailsOnce fails each call to the file system once, of every kind. Whatever the
// operation in flight answered, every operation acknowledged before is there after a restart,
// and the one in flight is there whole or not at all.
func TestEveryCallFailsOnce(t *testing.T) {
	steps := crashWorkload()
	d := newDisk()
	d.failing = vfs.NewFailing(d.fs)
	_, _, finished := runUntilStop(t, d, steps)
	require.True(t, finished)
	total := d.failing.Calls(vfs.OpAny)
	stride := max(1, total/crashPoints(t))
	t.Logf("%d calls, one failure at every %d", total, stride)
	for nth := 1; nth <= total; nth += stride {
		d := newDisk()
		d.failing = vfs.NewFailing(d.fs, vfs.Fault{Op: vfs.OpAny, Nth: nth})
		acked, next, _ := runUntilStop(t, d, steps)
		d.failing = nil
		requireRecovered(t, d, acked, next, fmt.Sprintf("call %d of %d failed", nth, total))
	}
}

// TestEveryKindFailsForGood makes every call of one kind fail from some moment on, as a full or
// dying disk does. What was acknowledged is there after a restart on a sound one.
func TestEveryKindFailsForGood(t *testing.T) {
	steps := crashWorkload()
	for _, kind := range []vfs.Op{vfs.OpCreate, vfs.OpOpen, vfs.OpRename, vfs.OpRemove, vfs.OpSyncDir, vfs.OpWrite, vfs.OpAllocate, vfs.OpSync, vfs.OpRead} {
		d := newDisk()
		d.failing = vfs.NewFailing(d.fs)
		_, _, finished := runUntilStop(t, d, steps)
		require.True(t, finished)
		total := d.failing.Calls(kind)
		stride := max(1, total*9/crashPoints(t))
		for nth := 1; nth <= total; nth += stride {
			d := newDisk()
			d.failing = vfs.NewFailing(d.fs, vfs.Fault{Op: kind, Nth: nth, Sticky: true})
			acked, next, _ := runUntilStop(t, d, steps)
			d.failing = nil
			requireRecovered(t, d, acked, next, fmt.Sprintf("calls %d and later of %d of kind %d failed", nth, total, kind))
		}
	}
}

// TestFailedSyncRefusesWrites makes the log's disk fail: nothing is acknowledged any more,
// reads go on, and the next start has all that was acknowledged.
func TestFailedSyncRefusesWrites(t *testing.T) {
	ctx := context.Background()
	d := newDisk()
	d.failing = vfs.NewFailing(d.fs)
	db, err := d.open()
	require.NoError(t, err)
	require.NoError(t, db.CreateCollection(ctx, "a", testSchema()))
	c, err := db.Collection("a")
	require.NoError(t, err)
	put := func(id uint64) error {
		_, err := c.Upsert(ctx, []Point{{NumID(id), Vectors{"": testVector(id, 0)}, nil}}, UpsertOptions{})
		return err
	}
	require.NoError(t, put(1))
	d.failing.Inject(vfs.Fault{Op: vfs.OpSync, Nth: 1})
	require.ErrorIs(t, put(2), ErrReadOnly)
	require.ErrorIs(t, put(3), ErrReadOnly)
	require.Error(t, db.Failed())
	require.Equal(t, Red, c.Info().Status)
	hits, err := c.Get(ctx, []PointID{NumID(1), NumID(2)}, Fetch{Vectors: true})
	require.NoError(t, err)
	require.Len(t, hits, 1, "the write that failed is not visible")
	require.Error(t, db.Checkpoint(ctx))
	_ = db.Close() // its log is dead

	d.failing = nil
	db, err = d.open()
	require.NoError(t, err)
	c, err = db.Collection("a")
	require.NoError(t, err)
	require.NoError(t, put(3))
	n, err := c.Count(ctx, nil, nil)
	require.NoError(t, err)
	require.GreaterOrEqual(t, n, 2)
	require.NoError(t, db.Close())
}
