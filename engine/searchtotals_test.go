package engine

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	"github.com/isobath/isobath/engine/vectorindex"
	"github.com/isobath/isobath/filter"
	"github.com/stretchr/testify/require"
)

// What single searches report adds up to the totals, passes of one search included.
func TestSearchTotals(t *testing.T) {
	ctx := context.Background()
	db, err := newDisk().open()
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	c := testCollection(t, db, "c")
	search := func(req SearchRequest) SearchStats {
		t.Helper()
		res, err := c.Search(ctx, req)
		require.NoError(t, err)
		return res.Stats
	}
	require.Equal(t, vectorindex.PlanEmpty, search(SearchRequest{Query: testVector(1, 0), K: 3}).Plan)
	var points []Point
	for id := range uint64(60) {
		points = append(points, Point{NumID(id), Vectors{"": testVector(id, 0)}, fmt.Appendf(nil, `{"n":%d}`, id)})
	}
	_, err = c.Upsert(ctx, points, UpsertOptions{})
	require.NoError(t, err)
	db.work(ctx)

	last := filter.Match{Field: "n", Value: filter.IntValue(59)} // no index: found in the last of several passes
	passes := search(SearchRequest{Query: testVector(0, 0), K: 1, Filter: last})
	one := search(SearchRequest{Query: testVector(0, 0), K: 1})
	exact := search(SearchRequest{Query: testVector(0, 0), K: 1, Exact: true})
	require.Greater(t, passes.Evaluated, 59)
	require.Greater(t, passes.RowsRead, one.RowsRead, "several passes")
	require.Equal(t, vectorindex.PlanExact, exact.Plan)
	require.LessOrEqual(t, passes.Walk+passes.Rescore, passes.Index)

	got := db.Stats().Searches
	sum := func(f func(s SearchStats) int) uint64 { return uint64(f(passes) + f(one) + f(exact)) }
	require.Equal(t, sum(func(s SearchStats) int { return s.Visited }), got.Visited)
	require.Equal(t, sum(func(s SearchStats) int { return s.Hops }), got.Hops)
	require.Equal(t, sum(func(s SearchStats) int { return s.Distances }), got.Distances)
	require.Equal(t, sum(func(s SearchStats) int { return s.Scanned }), got.Scanned)
	require.Equal(t, sum(func(s SearchStats) int { return s.Rescored }), got.Rescored)
	require.Equal(t, sum(func(s SearchStats) int { return s.RowsRead }), got.RowsRead)
	require.Equal(t, sum(func(s SearchStats) int { return s.Evaluated }), got.Evaluated)
	require.Equal(t, passes.Walk+one.Walk+exact.Walk, got.Walk)
	require.Equal(t, uint64(1), got.Plans[vectorindex.PlanEmpty])
	require.Equal(t, uint64(1), got.Plans[vectorindex.PlanExact])
	require.Zero(t, got.Failed)
}

// Every counter of a search with several passes is a sum.
func TestPassesOfASearchAddUp(t *testing.T) {
	var pass vectorindex.Stats
	fields := reflect.ValueOf(&pass).Elem()
	for i := range fields.NumField() {
		if f := fields.Field(i); f.CanInt() {
			f.SetInt(int64(i + 1))
		}
	}
	var sum SearchStats
	sum.add(pass)
	require.Equal(t, pass, sum.Stats)
	sum.add(pass)
	for i := range fields.NumField() {
		f, name := reflect.ValueOf(sum.Stats).Field(i), fields.Type().Field(i).Name
		switch {
		case name == "Matches" || name == "Sources": // those of the newest pass
			require.EqualValues(t, i+1, f.Int(), name)
		case f.CanInt():
			require.EqualValues(t, 2*(i+1), f.Int(), name)
		}
	}
}

// So is every one of several searches for one answer.
func TestSearchesForOneAnswerAddUp(t *testing.T) {
	one := SearchStats{Stats: vectorindex.Stats{Hops: 3, Rescored: 5, Walk: 7}, Evaluated: 11, Filter: 13, Index: 17, Fetch: 19}
	sum := one
	sum.Add(one)
	require.Equal(t, SearchStats{Stats: vectorindex.Stats{Hops: 6, Rescored: 10, Walk: 14}, Evaluated: 22, Filter: 26, Index: 34, Fetch: 38}, sum)
	fields := reflect.TypeFor[SearchStats]()
	require.Equal(t, 5, fields.NumField(), "Add knows all of them")
}
