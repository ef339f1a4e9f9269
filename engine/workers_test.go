package engine

import (
	"context"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWorkersYieldWhileWritesWait(t *testing.T) {
	db, err := Open(t.TempDir(), Options{Workers: -1})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	require.False(t, db.yields())

	queue := func(list []queued) {
		db.seq.mu.Lock()
		defer db.seq.mu.Unlock()
		db.seq.queue = list
	}
	queue([]queued{{seq: math.MaxUint64}}) // never durable, so never applied
	require.True(t, db.yields())
	queue(nil)
	require.False(t, db.yields())
}

// All collections together are warmed up to half of the memory limit, not each of them.
func TestWarmRowsOfManyCollections(t *testing.T) {
	ctx := context.Background()
	d := newDisk()
	db, err := d.open()
	require.NoError(t, err)
	var size int64
	for _, name := range []string{"a", "b", "c", "d"} {
		c := testCollection(t, db, name)
		upsertOne(t, c, 1, 0, "", UpsertOptions{})
		size = c.Info().Vectors[""].RowBytes
	}
	require.NoError(t, db.Close())
	require.Positive(t, size)

	db, err = d.openWith(Options{Workers: -1, MemoryLimit: 4*size + 2})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	for range 2 {
		db.work(ctx)
		warm := 0
		for _, c := range db.allCollections() {
			if c.vectors[""].warm < 0 {
				warm++
			}
		}
		require.Equal(t, 2, warm)
	}
}

// Vectors on disk are not warmed; a collection that is told to have them in memory is, without a start.
func TestRowsOnDiskAreNotWarmed(t *testing.T) {
	ctx := context.Background()
	d := newDisk()
	db, err := d.open()
	require.NoError(t, err)
	c := testCollection(t, db, "a")
	upsertOne(t, c, 1, 0, "", UpsertOptions{})
	place := func(onDisk bool) {
		require.NoError(t, db.UpdateCollection(ctx, "a", func(s Schema) (Schema, error) {
			p := s.Vectors[""]
			p.OnDisk = onDisk
			s.Vectors = map[string]VectorParams{"": p}
			return s, nil
		}))
	}
	place(true)
	require.NoError(t, db.Close())

	db, err = d.open()
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	c, err = db.Collection("a")
	require.NoError(t, err)
	require.True(t, c.Schema().Vectors[""].OnDisk)
	db.work(ctx)
	require.Zero(t, c.vectors[""].warm)
	place(false)
	db.work(ctx)
	require.Negative(t, c.vectors[""].warm)
}

// held opens a database with a collection that no worker gets to until its working is false, so that no graph takes rows.
func held(t *testing.T, limit int64) (*DB, *Collection) {
	db, err := newDisk().openWith(Options{Workers: 1, MemoryLimit: limit})
	require.NoError(t, err)
	db.patience = time.Hour
	c := testCollection(t, db, "a")
	require.Eventually(t, func() bool { return c.working.CompareAndSwap(false, true) }, time.Minute, time.Millisecond)
	t.Cleanup(func() {
		c.working.Store(false)
		require.NoError(t, db.Close())
	})
	return db, c
}

// upsertRows writes n points from a number on.
func upsertRows(c *Collection, from, n int) error {
	points := make([]Point, n)
	for i := range points {
		id := uint64(from + i)
		points[i] = Point{ID: NumID(id), Vectors: Vectors{"": stressVector(id, 0)}}
	}
	_, err := c.Upsert(context.Background(), points, UpsertOptions{})
	return err
}

// Nothing more is applied while tails hold more than their share of the memory limit and graphs take their rows, whatever
// the reason why these are slow; what else waits for the applier goes on.
func TestTailsAreBoundedByTheMemoryLimit(t *testing.T) {
	const rows, limit = 50, 160 << 10 // a tail of 20 KiB: about 240 rows
	db, c := held(t, limit)

	var written atomic.Int64
	done := make(chan error, 1)
	go func() {
		for written.Load() < 20*rows {
			if err := upsertRows(c, int(written.Load()), rows); err != nil {
				done <- err
				return
			}
			written.Add(rows)
		}
		done <- nil
	}()
	tail := func() int64 {
		all, merged := c.vectors[""].index.TailBytes()
		return all - merged
	}
	require.Eventually(t, func() bool { return tail() > limit/tailShare }, time.Minute, time.Millisecond)
	group := tail() / int64(c.Info().Points) * rows
	for range 20 { // the applier looks and waits
		time.Sleep(tailPause)
		require.NoError(t, db.onApplier(func() {}), "what must stand between groups is served")
	}
	require.LessOrEqual(t, tail(), int64(limit/tailShare)+group, "at most the group that went beyond")
	require.Less(t, written.Load(), int64(20*rows))

	c.working.Store(false)
	require.NoError(t, <-done)
	require.Equal(t, 20*rows, c.Info().Points)
}

// A worker that waits for the applier is not waited for by it.
func TestStepsOfWorkersPassTheBoundOfTails(t *testing.T) {
	const limit = 160 << 10
	ctx := context.Background()
	_, c := held(t, limit)
	require.NoError(t, upsertRows(c, 0, 10))
	_, err := c.CreateField(ctx, keywordField("g"), nil, WriteOptions{})
	require.NoError(t, err)
	require.NoError(t, upsertRows(c, 10, 400), "the group that goes beyond the bound")
	behind := make(chan error, 1)
	go func() { behind <- upsertRows(c, 410, 1) }()
	within(t, time.Minute, func() {
		did, err := c.nextFieldStep(ctx)
		require.NoError(t, err)
		require.True(t, did)
		require.NoError(t, <-behind)
	})
}
