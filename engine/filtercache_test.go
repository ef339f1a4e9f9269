package engine

import (
	"context"
	"strconv"
	"testing"

	"github.com/isobath/isobath/filter"
	"github.com/stretchr/testify/require"
)

// A filter asked again is answered from the cache, and from no older state.
func TestFiltersAreKeptUntilAWrite(t *testing.T) {
	ctx := context.Background()
	db, err := newDisk().open()
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	c := testCollection(t, db, "a")
	_, err = c.CreateField(ctx, filter.FieldDef{Name: "tag", Kind: filter.Keyword}, nil, WriteOptions{})
	require.NoError(t, err)
	db.work(ctx)
	for id := range uint64(20) {
		upsertOne(t, c, id, 0, `{"tag":"`+strconv.Itoa(int(id%10))+`"}`, UpsertOptions{})
	}
	tagged := func(tag string) filter.Expr { return filter.Match{Field: "tag", Value: filter.StringValue(tag)} }
	count := func(tag string) int {
		res, err := c.Search(ctx, SearchRequest{Query: testVector(3, 0), K: 100, Filter: tagged(tag)})
		require.NoError(t, err)
		return len(res.Hits)
	}
	for range 3 {
		require.Equal(t, 2, count("3"))
		require.Len(t, c.filters.entries, 1)
	}
	require.Equal(t, 2, count("4"), "another filter is another entry")
	require.Len(t, c.filters.entries, 2)
	upsertOne(t, c, 77, 0, `{"tag":"3"}`, UpsertOptions{})
	require.Equal(t, 3, count("3"))
	require.Len(t, c.filters.entries, 1, "a write drops what was kept")
	_, err = c.Delete(ctx, Selector{IDs: []PointID{NumID(77)}}, WriteOptions{})
	require.NoError(t, err)
	require.Equal(t, 2, count("3"))
	for tag := range 10 {
		require.Equal(t, 2, count(strconv.Itoa(tag)))
	}
	require.Len(t, c.filters.entries, cachedFilters)
}
