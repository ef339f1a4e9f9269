package engine

import (
	"bytes"
	"context"
	"testing"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/stretchr/testify/require"
)

// damagedStore answers reads of one key with damage.
type damagedStore struct {
	kvStore
	key []byte
}

func (s *damagedStore) Get(seq uint64, key, dst []byte) ([]byte, error) {
	if bytes.Equal(key, s.key) {
		return nil, binfmt.Corrupt("badger", 0, "damaged on purpose")
	}
	return s.kvStore.Get(seq, key, dst)
}

// A write that meets a damaged value makes the database read-only. Its record is in the log, but
// the next starts must not fail at it: everything before is served.
func TestDamagedValueDoesNotPreventOpening(t *testing.T) {
	ctx := context.Background()
	d := newDisk()
	kv := &damagedStore{kvStore: d.kv}
	open := func() *DB {
		db, err := openStores("data", Options{Workers: -1}, stores{
			fs: d.fs, kv: func() (kvStore, error) { return kv, nil }, tune: smallSegments,
		})
		require.NoError(t, err)
		return db
	}
	db := open()
	a, b := testCollection(t, db, "a"), testCollection(t, db, "b")
	for id := range uint64(10) {
		upsertOne(t, a, id, 0, `{"a":1}`, UpsertOptions{})
		upsertOne(t, b, id, 0, `{"a":1}`, UpsertOptions{})
	}
	require.NoError(t, db.Close())

	db = open()
	a, err := db.Collection("a")
	require.NoError(t, err)
	upsertOne(t, a, 100, 0, "", UpsertOptions{})
	kv.key = storeIDKey(nil, prefixSlot, a.num, NumID(3))
	_, err = a.Upsert(ctx, []Point{{ID: NumID(3), Vectors: Vectors{"": testVector(3, 1)}}}, UpsertOptions{})
	require.ErrorIs(t, err, ErrReadOnly)
	_ = db.Close() // it reports the failure again

	for range 2 {
		db = open()
		require.ErrorIs(t, db.Failed(), ErrReadOnly)
		for _, name := range []string{"a", "b"} {
			c, err := db.Collection(name)
			require.NoError(t, err)
			hits, err := c.Get(ctx, []PointID{NumID(1), NumID(7)}, Fetch{Vectors: true, Payload: true})
			require.NoError(t, err)
			require.Len(t, hits, 2)
			n, err := c.Count(ctx, nil, nil)
			require.NoError(t, err)
			require.GreaterOrEqual(t, n, 10)
			res, err := c.Search(ctx, SearchRequest{Query: testVector(7, 0), K: 1})
			require.NoError(t, err)
			require.Equal(t, NumID(7), res.Hits[0].ID)
		}
		require.NoError(t, db.Close())
	}

	kv.key = nil // the value was repaired: all that was logged is there
	db = open()
	require.NoError(t, db.Failed())
	a, err = db.Collection("a")
	require.NoError(t, err)
	hits, err := a.Get(ctx, []PointID{NumID(3), NumID(100)}, Fetch{Vectors: true})
	require.NoError(t, err)
	require.Len(t, hits, 2)
	require.Equal(t, testVector(3, 1), hits[0].Vectors[""])
	requireSound(t, db)
	require.NoError(t, db.Close())
}
