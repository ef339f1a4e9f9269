package engine

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWritesStopBeforeTheDiskIsFull(t *testing.T) {
	d := newDisk()
	db, err := d.open()
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	free := func(bytes int64) {
		db.seq.mu.Lock()
		defer db.seq.mu.Unlock()
		db.room = room{ask: func() (int64, int64, error) { return bytes, 1 << 40, nil }}
	}
	ctx := t.Context()
	require.NoError(t, db.CreateCollection(ctx, "c", Schema{Vectors: map[string]VectorParams{"": {Size: 1, Distance: Dot}}}))
	c, err := db.Collection("c")
	require.NoError(t, err)
	points := []Point{{ID: NumID(1), Vectors: Vectors{"": {1}}}, {ID: NumID(2), Vectors: Vectors{"": {1}}}}
	put := func(tx *KeyTx) error { return tx.Put(0, []byte("k"), Document{Kind: KindString, Body: []byte("v")}) }
	write := func() error {
		if _, err := c.Upsert(ctx, points, UpsertOptions{}); err != nil {
			return err
		}
		_, err := db.Update(put)
		return err
	}
	require.NoError(t, write())

	free(roomBytes - 1)
	require.ErrorIs(t, write(), syscall.ENOSPC)
	_, err = db.Update(put)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorIs(t, db.CreateCollection(ctx, "d", Schema{}), syscall.ENOSPC)
	n, err := c.Count(ctx, nil, nil)
	require.NoError(t, err, "reads go on")
	require.Equal(t, 2, n)
	_, err = c.Delete(ctx, Selector{IDs: []PointID{NumID(1)}}, WriteOptions{})
	require.NoError(t, err, "deletes stay possible")
	require.NoError(t, db.Failed())

	free(roomBytes/deleteShare - 1)
	_, err = c.Delete(ctx, Selector{IDs: []PointID{NumID(2)}}, WriteOptions{})
	require.ErrorIs(t, err, syscall.ENOSPC)

	free(roomBytes + 1<<20)
	require.NoError(t, write(), "writes go on when there is room again")
}

func TestSmallDiskKeepsWhatIsNeeded(t *testing.T) {
	const mb = 1 << 20
	put, drop := opCollectionCreate{}, opCollectionDrop{}
	for _, row := range []struct {
		free, total, need, queued int64
		o                         op
		ok                        bool
	}{
		{16 * mb, 64 * mb, 0, 0, put, true},
		{15 * mb, 64 * mb, 0, 0, put, false},
		{16 * mb, 64 * mb, 20 * mb, 0, put, false},
		{25 * mb, 64 * mb, 20 * mb, 0, put, true},
		{25 * mb, 64 * mb, 20 * mb, mb, put, false},
		{10 * mb, 64 * mb, 20 * mb, 0, drop, true},
		{9 * mb, 64 * mb, 20 * mb, 0, drop, false},
		{20 * mb, 64 * mb, 60 * mb, 0, drop, false},
		{256 * mb, 1 << 40, 500 * mb, 0, put, true},
		{255 * mb, 1 << 40, 0, 0, put, false},
		{128 * mb, 1 << 40, 500 * mb, 0, drop, true},
		{500 * mb, 1 << 40, 0, 100 * mb, put, false},
	} {
		r := room{ask: func() (int64, int64, error) { return row.free, row.total, nil }}
		err := r.check(row.o, row.queued, func() (int64, int64) { return row.need, row.need / 2 })
		require.Equal(t, row.ok, err == nil, "%+v: %v", row, err)
	}
}

// closingStore notes that it was closed.
type closingStore struct {
	kvStore
	closed bool
}

func (s *closingStore) Close() error {
	s.closed = true
	return s.kvStore.Close()
}

// TestFullDiskLeavesBadgerAlone: somebody else filled the disk, and badger would end the process
// that lets it write.
func TestFullDiskLeavesBadgerAlone(t *testing.T) {
	d := newDisk()
	kv := &closingStore{kvStore: d.kv}
	free := int64(1 << 30)
	open := func() (*DB, error) {
		return openStores("data", Options{Workers: -1, CheckpointAfter: time.Hour}, stores{
			fs: d.files(), tune: smallSegments,
			kv:   func() (kvStore, error) { return kv, nil },
			room: func() (int64, int64, error) { return free, 1 << 30, nil },
			need: func() (int64, error) { return 50 << 20, nil },
		})
	}
	ctx := t.Context()
	db, err := open()
	require.NoError(t, err)
	require.NoError(t, db.CreateCollection(ctx, "a", testSchema()))
	c, err := db.Collection("a")
	require.NoError(t, err)
	upsertOne(t, c, 1, 0, `{"a":1}`, UpsertOptions{})
	want := dumpDB(t, db)

	free = 49 << 20
	require.ErrorIs(t, db.Checkpoint(ctx), syscall.ENOSPC)
	require.NoError(t, db.Failed(), "that is a state, not a failure")
	require.ErrorIs(t, db.Close(), syscall.ENOSPC)
	require.False(t, kv.closed)
	_, err = open()
	require.ErrorIs(t, err, syscall.ENOSPC)

	free = 1 << 30
	db, err = open()
	require.NoError(t, err)
	require.Equal(t, want, dumpDB(t, db))
	require.NoError(t, db.Close())
}

func TestNextStepOfRowsIsNeededWhenTheLastIsNearlyFull(t *testing.T) {
	db, err := newDisk().open()
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	c := testCollection(t, db, "a")
	rows := c.vectors[""].rows
	upsertOne(t, c, 0, 0, "", UpsertOptions{})
	puts, deletes := db.need()
	require.Equal(t, deletes, puts)
	first := rows.Bytes()
	for id := uint64(1); id < uint64(rows.Slots()) && rows.Bytes() == first; id++ {
		upsertOne(t, c, id, 0, "", UpsertOptions{})
	}
	puts, deletes = db.need()
	require.Equal(t, deletes+rows.StepBytes(), puts)
}
