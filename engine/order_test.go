package engine

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/filter"
)

// TestOrderOfManyPointsAtOneValue: where a field has few values most points are at one.
func TestOrderOfManyPointsAtOneValue(t *testing.T) {
	db, err := newDisk().open()
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	ctx := t.Context()
	c := testCollection(t, db, "a")
	_, err = c.CreateField(ctx, filter.FieldDef{Name: "n", Kind: filter.Integer}, nil, WriteOptions{})
	require.NoError(t, err)
	db.work(ctx)
	const count, step = 10 * leastBatch, 10
	for part := range slices.Chunk(rand.New(rand.NewPCG(1, 2)).Perm(count), 1000) {
		points := make([]Point, len(part))
		for i, id := range part {
			points[i] = Point{ID: NumID(uint64(id)), Payload: fmt.Appendf(nil, `{"n":%d,"rest":%d}`, id/(count-100), id%step)}
		}
		_, err := c.Upsert(ctx, points, UpsertOptions{})
		require.NoError(t, err)
	}
	// The last ids have a value of their own; a condition without an index refuses most points.
	for _, row := range []struct {
		every, limit, offset int
	}{
		{1, 10, 0}, {1, 0, 0}, {1, 3 * leastBatch, 5}, {1, 10, leastBatch - 5}, {1, count, 0},
		{step, 10, 0}, {step, 500, leastBatch - 100}, {step, count, 0},
	} {
		for _, descending := range []bool{false, true} {
			req := OrderedRequest{Order: filter.Order{Field: "n", Descending: descending}, Limit: row.limit, Offset: row.offset}
			if row.every > 1 {
				req.Filter = filter.Match{Field: "rest", Value: filter.IntValue(0)}
			}
			hits, err := c.ScrollOrdered(ctx, req)
			require.NoError(t, err)
			all := count / row.every
			require.Len(t, hits, min(row.limit, all-row.offset))
			for i, h := range hits {
				id := (row.offset + i) * row.every
				if descending {
					id = (all - 1 - row.offset - i) * row.every
				}
				require.Equal(t, NumID(uint64(id)), h.ID, "%+v, hit %d", row, i)
			}
		}
	}

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = c.ScrollOrdered(ctx, OrderedRequest{Order: filter.Order{Field: "n", Descending: true, Start: new(filter.IntValue(0))}, Limit: 10})
	require.NoError(t, err)
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(count*32), "a page needs few of the ids")
}
