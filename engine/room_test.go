package engine

import (
	"syscall"
	"testing"

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
	n, err := c.Count(ctx, nil)
	require.NoError(t, err, "reads go on")
	require.Equal(t, 2, n)
	_, err = c.Delete(ctx, Selector{IDs: []PointID{NumID(1)}}, WriteOptions{})
	require.NoError(t, err, "deletes stay possible")
	require.NoError(t, db.Failed())

	free(roomBytes/deleteShare - 1)
	_, err = c.Delete(ctx, Selector{IDs: []PointID{NumID(2)}}, WriteOptions{})
	require.ErrorIs(t, err, syscall.ENOSPC)

	free(roomBytes)
	require.NoError(t, write(), "writes go on when there is room again")
}
