package engine

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/isobath/isobath/engine/slots"
	"github.com/isobath/isobath/engine/vectorindex"
	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/internal/invariant"
	"github.com/stretchr/testify/require"
)

// A point whose vector was deleted is not found by a search of that vector.
func TestSearchLeavesOutDeletedVectors(t *testing.T) {
	ctx := context.Background()
	for _, background := range []bool{false, true} {
		db, err := newDisk().open()
		require.NoError(t, err)
		c := testCollection(t, db, "a")
		for id := range uint64(50) {
			upsertOne(t, c, id, 0, "", UpsertOptions{})
		}
		if background {
			db.work(ctx)
		}
		_, err = c.DeleteVectors(ctx, Selector{IDs: []PointID{NumID(3)}}, []string{""}, WriteOptions{})
		require.NoError(t, err)
		for _, exact := range []bool{false, true} {
			res, err := c.Search(ctx, SearchRequest{Query: testVector(3, 0), K: 100, Exact: exact})
			require.NoError(t, err)
			require.Len(t, res.Hits, 49)
			for _, h := range res.Hits {
				require.NotEqual(t, NumID(3), h.ID)
			}
			res, err = c.Search(ctx, SearchRequest{Query: testVector(3, 0), K: 1, Exact: exact})
			require.NoError(t, err)
			require.NotEqual(t, NumID(3), res.Hits[0].ID)
		}
		require.NoError(t, db.Close())
	}
}

// A search copies its query to normalise it, into memory that the next one uses again.
func TestSearchDoesNotAllocateItsQuery(t *testing.T) {
	if invariant.Enabled {
		t.Skip("a sync.Pool drops things in race builds")
	}
	const dim, searches = 4096, 200
	db, err := newDisk().open()
	require.NoError(t, err)
	require.NoError(t, db.CreateCollection(t.Context(), "a", Schema{Vectors: map[string]VectorParams{"": {Size: dim, Distance: Cosine}}}))
	c, err := db.Collection("a")
	require.NoError(t, err)
	query := make([]float32, dim)
	query[0], query[1] = 3, 4
	_, err = c.Upsert(t.Context(), []Point{{ID: NumID(1), Vectors: Vectors{"": slices.Clone(query)}}}, UpsertOptions{})
	require.NoError(t, err)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range searches {
		res, err := c.Search(t.Context(), SearchRequest{Query: query, K: 1})
		require.NoError(t, err)
		require.Len(t, res.Hits, 1)
	}
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(searches*4*dim/2))
	require.Equal(t, []float32{3, 4}, query[:2], "the caller's stays as it is")
	require.NoError(t, db.Close())
}

// A search allocates what it pins (four views) and what it returns, with and without a filter, however many it looks at.
func TestSearchAllocatesItsViewAndItsAnswer(t *testing.T) {
	if invariant.Enabled {
		t.Skip("a sync.Pool drops things in race builds")
	}
	ctx := context.Background()
	db, err := newDisk().open()
	require.NoError(t, err)
	require.NoError(t, db.CreateCollection(ctx, "a", Schema{
		Vectors:        map[string]VectorParams{"": {Size: testDim, Distance: Cosine, M: 8, EfConstruct: 32, FullScanBytes: 1}},
		IndexFromBytes: 1,
	}))
	c, err := db.Collection("a")
	require.NoError(t, err)
	_, err = c.CreateField(ctx, keywordField("tag"), nil, WriteOptions{})
	require.NoError(t, err)
	var points []Point
	for id := range uint64(2000) {
		points = append(points, Point{ID: NumID(id), Vectors: Vectors{"": testVector(id, 0)}, Payload: fmt.Appendf(nil, `{"tag":"%d"}`, id%3)})
	}
	_, err = c.Upsert(ctx, points, UpsertOptions{})
	require.NoError(t, err)
	db.work(ctx)
	query := testVector(3, 0)
	for want, f := range map[Plan]filter.Expr{vectorindex.PlanWalk: nil, vectorindex.PlanFiltered: filter.Match{Field: "tag", Value: filter.StringValue("1")}} {
		for _, k := range []int{1, 10, 100} {
			var res *SearchResult
			allocs := testing.AllocsPerRun(100, func() { res, err = c.Search(ctx, SearchRequest{Query: query, K: k, Filter: f, Plan: want}) })
			require.NoError(t, err)
			require.Len(t, res.Hits, k)
			require.Equal(t, want, res.Stats.Plan)
			require.LessOrEqual(t, allocs, 6.0, "%s, k %d", want, k)
		}
	}
	require.NoError(t, db.Close())
}

// No number of a request is allocated or overflows.
func TestSearchWithHugeK(t *testing.T) {
	ctx := context.Background()
	db, err := newDisk().open()
	require.NoError(t, err)
	c := testCollection(t, db, "a")
	for id := range uint64(20) {
		upsertOne(t, c, id, 0, `{"tag":"x"}`, UpsertOptions{})
	}
	for _, k := range []int{1 << 30, 1<<62 + 1, 1<<63 - 1} {
		for _, f := range []filter.Expr{nil, filter.Match{Field: "tag", Value: filter.StringValue("x")}} {
			res, err := c.Search(ctx, SearchRequest{Query: testVector(3, 0), K: k, Filter: f, Exclude: []PointID{NumID(3)}, Ef: k})
			require.NoError(t, err)
			require.Len(t, res.Hits, 19)
		}
	}
	require.NoError(t, db.Close())
}

// Points at one distance come by ascending id, and pages of them neither repeat nor skip any,
// whatever the order they were written in, with a scan of rows and with one of codes.
func TestTiesArePagedById(t *testing.T) {
	ctx := context.Background()
	for _, fullScanBytes := range []int64{1, 1 << 30} {
		db, err := newDisk().open()
		require.NoError(t, err)
		require.NoError(t, db.CreateCollection(ctx, "ties", Schema{
			Vectors:        map[string]VectorParams{"": {Size: testDim, Distance: Euclid, M: 4, EfConstruct: 16, FullScanBytes: fullScanBytes}},
			IndexFromBytes: -1,
		}))
		c, err := db.Collection("ties")
		require.NoError(t, err)
		const count = 300
		for i := range uint64(count) {
			id := i * 101 % count // no order that slots have
			_, err := c.Upsert(ctx, []Point{{ID: NumID(id), Vectors: Vectors{"": testVector(1, 1)}, Payload: []byte(`{"tag":"x"}`)}}, UpsertOptions{})
			require.NoError(t, err)
		}
		for _, f := range []filter.Expr{nil, filter.Match{Field: "tag", Value: filter.StringValue("x")}} {
			for _, k := range []int{1, 7, 40, count} {
				res, err := c.Search(ctx, SearchRequest{Query: testVector(2, 0), K: k, Filter: f})
				require.NoError(t, err)
				require.Len(t, res.Hits, k)
				for i, h := range res.Hits {
					require.Equal(t, NumID(uint64(i)), h.ID)
				}
			}
		}
		require.NoError(t, db.Close())
	}
}

// Documents are read for their expiry only while some key of the database has one.
func TestExpiryIsReadWhereThereIsOne(t *testing.T) {
	ctx := context.Background()
	d := newDisk()
	db, err := d.open()
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	require.NoError(t, db.CreateIndex(ctx, testIndexDef()))
	c, err := db.Collection(testIndexDef().Name)
	require.NoError(t, err)
	put := func(databaseNum int, key string, expire int64) {
		body := AppendHashField(nil, []byte("v"), []byte(blobOf(testVector(1, 0))))
		require.NoError(t, updateAndWait(ctx, db, func(tx *KeyTx) error {
			return tx.Put(databaseNum, []byte(key), Document{Kind: KindHash, Expire: expire, Body: body})
		}))
	}
	read := func() Document {
		res, err := c.Search(ctx, SearchRequest{Vector: "v", Query: testVector(1, 0), K: 1, Fetch: Fetch{Expiry: true}})
		require.NoError(t, err)
		require.Equal(t, "doc:1", string(res.Hits[0].Key))
		return res.Hits[0].Document
	}
	put(0, "doc:1", 0)
	require.Zero(t, read())
	put(1, "doc:1", 99)
	require.Zero(t, read(), "another database")
	put(0, "other", 99)
	require.Equal(t, KindHash, read().Kind)
	put(0, "other", 0)
	require.Zero(t, read())
	put(0, "doc:1", 99)
	require.EqualValues(t, 99, read().Expire)

	require.NoError(t, db.Close())
	db, err = d.open()
	require.NoError(t, err)
	c, err = db.Collection(testIndexDef().Name)
	require.NoError(t, err)
	require.EqualValues(t, 99, read().Expire, "counted in the checkpoint")
	require.NoError(t, updateAndWait(ctx, db, func(tx *KeyTx) error {
		_, err := tx.Delete(0, []byte("doc:1"))
		return err
	}))
	put(0, "doc:1", 0)
	require.Zero(t, read())
}

// What a view shows as dead is no result before the index knows of it either.
func TestDeathIsSeenBeforeTheIndexKnows(t *testing.T) {
	ctx := t.Context()
	db, err := newDisk().open()
	require.NoError(t, err)
	c := testCollection(t, db, "a")
	for id := range uint64(20) {
		upsertOne(t, c, id, 0, "", UpsertOptions{})
	}
	search := func() int {
		res, err := c.Search(ctx, SearchRequest{Query: testVector(5, 0), K: 20})
		require.NoError(t, err)
		return len(res.Hits)
	}
	require.Equal(t, 20, search())
	require.NoError(t, db.onApplier(func() { // as publish leaves it, before it tells the index
		c.slots.Kill(5, db.publishedSeq)
		c.killing.Store(true)
	}))
	require.Equal(t, 19, search())
	require.NoError(t, db.onApplier(func() {
		c.vectors[""].index.Kill([]uint32{5})
		c.killing.Store(false)
	}))
	require.Equal(t, 19, search())
	require.NoError(t, db.Close())
}

// What the index holds already is no result before it is published.
func TestBirthIsSeenWhenItIsPublished(t *testing.T) {
	ctx := t.Context()
	db, err := newDisk().open()
	require.NoError(t, err)
	c := testCollection(t, db, "a")
	for id := range uint64(20) {
		upsertOne(t, c, id, 0, "", UpsertOptions{})
	}
	require.NoError(t, db.onApplier(func() { // as commit leaves it, before its group is published
		slot, rows := []uint32{c.slots.Allocate()}, [][]float32{testVector(5, 0)}
		c.slots.Set(slot[0], slots.Row{ID: NumID(99), Birth: db.publishedSeq + 1})
		require.NoError(t, c.vectors[""].rows.Write(slot, rows))
		require.NoError(t, c.vectors[""].index.Append(slot, rows))
	}))
	res, err := c.Search(ctx, SearchRequest{Query: testVector(5, 0), K: 30})
	require.NoError(t, err)
	require.Len(t, res.Hits, 20)
	for _, h := range res.Hits {
		require.NotEqual(t, NumID(99), h.ID)
	}
	require.NoError(t, db.Close())
}
