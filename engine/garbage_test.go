package engine

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/isobath/isobath/payload"
	"github.com/stretchr/testify/require"
)

// Two checkpoints may pass before the record of the first one's free slots is applied.
func TestSlotsAreFreedOnce(t *testing.T) {
	ctx := context.Background()
	d := newDisk()
	db, err := d.open()
	require.NoError(t, err)
	require.NoError(t, db.CreateCollection(ctx, "a", Schema{Vectors: map[string]VectorParams{}}))
	c, err := db.Collection("a")
	require.NoError(t, err)
	put := func(o WriteOptions, ids ...uint64) {
		var points []Point
		for _, id := range ids {
			points = append(points, Point{ID: NumID(id)})
		}
		_, err := c.Upsert(ctx, points, UpsertOptions{WriteOptions: o})
		require.NoError(t, err)
	}
	put(WriteOptions{}, 1, 2, 3)
	_, err = c.Delete(ctx, Selector{IDs: []PointID{NumID(1), NumID(2)}}, WriteOptions{})
	require.NoError(t, err)

	require.NoError(t, db.checkpoint(false))
	seq := db.published.load()
	db.durable.mu.Lock() // nothing becomes durable, and is applied, meanwhile
	require.NoError(t, db.freeSlots(seq))
	before := db.seqLast()
	written := make(chan struct{})
	go func() { defer close(written); put(WriteOptions{}, 10, 11) }()
	require.Eventually(t, func() bool { return db.seqLast() > before }, 5*time.Second, time.Millisecond)
	require.NoError(t, db.freeSlots(seq))
	db.durable.mu.Unlock()
	<-written
	put(WriteOptions{}, 20, 21)
	require.NoError(t, db.Barrier().Wait(ctx))
	requireSound(t, db)
	n, err := c.Count(ctx, nil, nil)
	require.NoError(t, err)
	require.Equal(t, 5, n)
	require.NoError(t, db.Close())
}

func TestQuietDatabaseShrinksItsLogAndFreesSlots(t *testing.T) {
	ctx := context.Background()
	db, err := newDisk().open()
	require.NoError(t, err)
	require.NoError(t, db.CreateCollection(ctx, "a", Schema{Vectors: map[string]VectorParams{}}))
	c, err := db.Collection("a")
	require.NoError(t, err)
	big := []byte(`{"text":"` + strings.Repeat("x", 1<<20) + `"}`)
	for id := range uint64(4) {
		_, err := c.Upsert(ctx, []Point{{ID: NumID(id), Payload: big}}, UpsertOptions{})
		require.NoError(t, err)
	}
	require.True(t, db.wal.Shrinks())
	_, err = c.Delete(ctx, Selector{IDs: []PointID{NumID(1), NumID(2)}}, WriteOptions{})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return !db.wal.Shrinks() }, 20*time.Second, 10*time.Millisecond)

	// A merge after that, which names dead slots no longer, frees them without another checkpoint.
	_, err = c.Delete(ctx, Selector{IDs: []PointID{NumID(3)}}, WriteOptions{})
	require.NoError(t, err)
	require.NoError(t, db.checkpoint(false))
	seq := db.check.seq.Load()
	db.check.merged.Store(1)
	require.Eventually(t, func() bool { return db.published.load() > seq }, 20*time.Second, 10*time.Millisecond)
	require.Equal(t, seq, db.check.seq.Load())
	require.NoError(t, db.Barrier().Wait(ctx))
	requireSound(t, db)
	require.NoError(t, db.Close())
}

// The keys of a dropped collection are deleted in the end, also when a crash comes between the
// removal of its files and the next checkpoint.
func TestDroppedKeysAreCollectedAfterCrash(t *testing.T) {
	ctx := context.Background()
	d := newDisk()
	db, err := d.open()
	require.NoError(t, err)
	c := testCollection(t, db, "a")
	upsertOne(t, c, 1, 0, `{"a":1}`, UpsertOptions{})
	require.NoError(t, db.Checkpoint(ctx))
	_, err = db.DropCollection(ctx, "a")
	require.NoError(t, err)
	require.Eventually(t, func() bool { _, err := d.fs.Stat("data/collections/1"); return err != nil }, 5*time.Second, time.Millisecond)
	after := d.crash(1, 0)
	_ = db.Close()

	db, err = after.open()
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		keys := 0
		for _, p := range []byte{prefixSlot, prefixPayload} {
			require.NoError(t, after.kv.Scan(latest, payload.ScanOptions{Prefix: storeKey(nil, p, 1, nil)}, func(_, _ []byte) (bool, error) {
				keys++
				return true, nil
			}))
		}
		return keys == 0
	}, 5*time.Second, 10*time.Millisecond)
	require.NoError(t, db.Close())
}

// A view from before a flush sees its keys, also while the flush is published but nobody was told.
func TestCollectedKeysStayInOlderViews(t *testing.T) {
	ctx := context.Background()
	db, err := newDisk().open()
	require.NoError(t, err)
	require.NoError(t, updateAndWait(ctx, db, func(tx *KeyTx) error { return tx.Put(0, []byte("k"), Document{Kind: KindString, Body: []byte("v")}) }))
	v := db.Keys()
	generation := v.databases[0].generation
	require.NoError(t, updateAndWait(ctx, db, func(tx *KeyTx) error { tx.Flush(0); return nil }))
	told := db.published.load()
	db.published.mu.Lock()
	db.published.value = v.Seq()
	db.published.mu.Unlock()
	_, err = db.collect(garbagePrefix{prefixDocument, generation}, nil)
	require.NoError(t, err)
	db.published.advance(told)
	_, ok, err := v.Get(0, []byte("k"))
	require.NoError(t, err)
	require.True(t, ok)
	v.Close()
	require.NoError(t, db.Close())
}
