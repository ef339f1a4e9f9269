package engine

import (
	"context"
	"testing"

	"github.com/isobath/isobath/engine/vectorindex"
	"github.com/isobath/isobath/internal/vfs"
	"github.com/stretchr/testify/require"
)

// TestOpenReadsNoPoints: what Open reads after a clean stop does not grow with the points by more than what
// the sets of slots and the checksums of their pages take.
func TestOpenReadsNoPoints(t *testing.T) {
	const few, many = 2000, 12000
	read := func(points int) int64 {
		d := newDisk()
		open := func() *DB {
			db, err := openStores("data", Options{Workers: -1}, stores{
				fs: d.files(), kv: func() (kvStore, error) { return d.kv, nil },
				tune: func(o *vectorindex.Options) {
					o.SealRows, o.IndexFromBytes, o.FullScanBytes, o.SealIdle = 1000, -1, -1, -1
				},
			})
			require.NoError(t, err)
			return db
		}
		ctx := context.Background()
		db := open()
		c := testCollection(t, db, "a")
		batch := make([]Point, 500)
		for from := 0; from < points; from += len(batch) {
			for i := range batch {
				n := uint64(from + i)
				batch[i] = Point{ID: NumID(n), Vectors: Vectors{"": stressVector(n, 0)}}
			}
			_, err := c.Upsert(ctx, batch, UpsertOptions{})
			require.NoError(t, err)
			db.work(ctx)
		}
		require.NoError(t, db.Close())

		d.failing = vfs.NewFailing(d.fs)
		db = open()
		defer func() { require.NoError(t, db.Close()) }()
		bytes := d.failing.BytesRead()
		require.Zero(t, db.Stats().Open.Replayed)
		require.LessOrEqual(t, db.Stats().LogBytes, int64(4096), "a clean stop leaves a log without records")
		c, err := db.Collection("a")
		require.NoError(t, err)
		require.Zero(t, c.Info().Vectors[""].Tail, "all rows are in segments")
		res, err := c.Search(ctx, SearchRequest{Query: stressVector(7, 0), K: 1})
		require.NoError(t, err)
		require.Len(t, res.Hits, 1)
		require.Zero(t, res.Hits[0].Distance)
		return bytes
	}
	grown := read(many) - read(few)
	require.Less(t, float64(grown)/(many-few), 0.5, "bytes a point")
}
