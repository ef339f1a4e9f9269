package engine

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/isobath/isobath/engine/vectorindex"
	"github.com/isobath/isobath/internal/vfs"
	"github.com/stretchr/testify/require"
)

// TestOpenReadsNoPoints: what Open reads does not grow with the points by more than what the sets of slots and the checksums
// of their pages take, however the database ended after its last checkpoint. No row is read.
func TestOpenReadsNoPoints(t *testing.T) {
	const few, many, rest, part = 2000, 12000, 500, 1000
	tests := map[string]struct {
		change func(*Schema)
		crash  bool
		tail   int // after the start
	}{
		"clean stop":                         {},
		"clean stop without graphs":          {change: func(s *Schema) { s.IndexFromBytes = -1 }, tail: rest},
		"clean stop without background work": {change: func(s *Schema) { s.NoBackground = true }, tail: rest},
		"crash":                              {crash: true, tail: rest},
		"crash without graphs":               {change: func(s *Schema) { s.IndexFromBytes = -1 }, crash: true, tail: rest},
		"crash without background work":      {change: func(s *Schema) { s.NoBackground = true }, crash: true, tail: rest},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			read := func(points int) int64 {
				d := newDisk()
				open := func() *DB {
					db, err := openStores("data", Options{Workers: -1}, stores{
						fs: d.files(), kv: func() (kvStore, error) { return d.kv, nil },
						tune: func(o *vectorindex.Options) {
							if o.IndexFromBytes != math.MaxInt64 {
								o.IndexFromBytes = -1
							}
							o.SealRows, o.FullScanBytes, o.SealIdle = part, -1, time.Hour
						},
					})
					require.NoError(t, err)
					return db
				}
				ctx := context.Background()
				db := open()
				schema := testSchema()
				if test.change != nil {
					test.change(&schema)
				}
				require.NoError(t, db.CreateCollection(ctx, "a", schema))
				c, err := db.Collection("a")
				require.NoError(t, err)
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
				require.NoError(t, db.checkpoint(true))
				if test.crash {
					d = d.crash(1, 50)
					left := db
					defer func() { require.NoError(t, left.Close()) }()
				} else {
					require.NoError(t, db.Close())
				}

				d.failing = vfs.NewFailing(d.fs)
				db = open()
				defer func() { require.NoError(t, db.Close()) }()
				bytes := d.failing.BytesRead()
				st := db.Stats()
				require.Zero(t, st.RowsResident+st.RowsFromFiles, "rows read")
				require.Zero(t, db.Stats().Open.Replayed)
				c, err = db.Collection("a")
				require.NoError(t, err)
				require.Equal(t, test.tail, c.Info().Vectors[""].Tail, "all other rows are in segments")
				for range 2 { // before and after the rest is encoded
					res, err := c.Search(ctx, SearchRequest{Query: stressVector(uint64(points)-7, 0), K: 1})
					require.NoError(t, err)
					require.Len(t, res.Hits, 1)
					require.Zero(t, res.Hits[0].Distance)
					db.work(ctx)
				}
				return bytes
			}
			grown := read(many+rest) - read(few+rest)
			require.Less(t, float64(grown)/(many-few), 0.5, "bytes a point")
		})
	}
}
