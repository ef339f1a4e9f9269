package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/isobath/isobath/engine/vectorindex"
	"github.com/isobath/isobath/mmapvec"
	"github.com/isobath/isobath/payload"
	"github.com/stretchr/testify/require"
)

// TestCloseWhileBusy closes the database under readers and writers: every call returns, none
// crashes, and what was acknowledged is there afterwards.
func TestCloseWhileBusy(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	db, err := openReal(dir)
	require.NoError(t, err)
	c := testCollection(t, db, "a")
	require.NoError(t, db.CreateIndex(ctx, testIndexDef()))
	var group sync.WaitGroup
	var acked [4]atomic.Uint64
	busy := func(fn func(i uint64) error) {
		group.Go(func() {
			for i := uint64(0); ; i++ {
				err := fn(i)
				for _, closed := range []error{ErrClosed, payload.ErrClosed, vectorindex.ErrClosed, mmapvec.ErrClosed} {
					if errors.Is(err, closed) {
						return
					}
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for w := range acked {
		busy(func(i uint64) error {
			id := NumID(uint64(w)<<32 + i)
			_, err := c.Upsert(ctx, []Point{{id, Vectors{"": stressVector(i, w)}, nil}}, UpsertOptions{WriteOptions: WriteOptions{NoWait: w%2 == 0}})
			if err == nil {
				acked[w].Store(i + 1)
			}
			return err
		})
	}
	busy(func(uint64) error {
		_, err := c.Search(ctx, SearchRequest{Query: stressVector(1, 1), K: 3, Fetch: Fetch{Vectors: true, Payload: true}})
		return err
	})
	busy(func(uint64) error { _, err := c.Count(ctx, nil, nil); return err })
	busy(func(i uint64) error {
		return updateAndWait(ctx, db, func(tx *KeyTx) error {
			return tx.Put(0, fmt.Appendf(nil, "doc:%d", i%50), Document{Kind: KindHash, Body: AppendHashField(nil, []byte("g"), []byte("x"))})
		})
	})
	busy(func(uint64) error {
		v := db.Keys()
		defer v.Close()
		return v.Scan(0, KeyScan{}, func([]byte, Document) (bool, error) { return true, nil })
	})
	busy(func(uint64) error { db.Stats(); c.Info(); return db.Checkpoint(ctx) })
	busy(func(uint64) error {
		if err := db.CreateCollection(ctx, "b", testSchema()); err != nil {
			return err
		}
		_, err := db.DropCollection(ctx, "b")
		return err
	})
	time.Sleep(300 * time.Millisecond)
	within(t, 30*time.Second, func() {
		require.NoError(t, db.Close())
		group.Wait()
	})
	require.NoError(t, db.Close())

	db, err = openReal(dir)
	require.NoError(t, err)
	require.Zero(t, db.opened.Replayed)
	c, err = db.Collection("a")
	require.NoError(t, err)
	for w := range acked {
		for i := range acked[w].Load() {
			hits, err := c.Get(ctx, []PointID{NumID(uint64(w)<<32 + i)}, Fetch{})
			require.NoError(t, err)
			require.Len(t, hits, 1, "point %d of writer %d", i, w)
		}
	}
	requireSound(t, db)
	require.NoError(t, db.Close())
}
