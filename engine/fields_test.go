package engine

import (
	"context"
	"testing"

	"github.com/isobath/isobath/filter"
	"github.com/stretchr/testify/require"
)

// A step of a payload index that was dropped meanwhile must not count for its successor.
func TestFieldStepOfDroppedIndex(t *testing.T) {
	ctx := context.Background()
	db, err := newDisk().open()
	require.NoError(t, err)
	c := testCollection(t, db, "a")
	var points []Point
	for id := range uint64(2*stepRows + 10) {
		points = append(points, Point{NumID(id), nil, []byte(`{"tag":"x"}`)})
	}
	_, err = c.Upsert(ctx, points, UpsertOptions{})
	require.NoError(t, err)
	create := func() {
		_, err := c.CreateField(ctx, keywordField("tag"), nil, WriteOptions{})
		require.NoError(t, err)
	}
	create()
	_, err = c.nextFieldStep(ctx)
	require.NoError(t, err)
	f := c.published().fields["tag"]
	require.False(t, f.ready)
	to, err := db.stepEnd(db.published.load(), prefixPayload, c.num, f.cursor)
	require.NoError(t, err)
	_, err = c.DropField(ctx, "tag", WriteOptions{})
	require.NoError(t, err)
	create()
	ticket, err := db.sequence(func() (op, error) { return opFieldStep{c.num, "tag", f.cursor, to}, nil })
	require.NoError(t, err)
	require.NoError(t, ticket.Wait(ctx))
	db.work(ctx)
	require.True(t, c.published().fields["tag"].ready)
	n, err := c.Count(ctx, filter.Match{Field: "tag", Value: filter.StringValue("x")})
	require.NoError(t, err)
	require.Equal(t, len(points), n)
	require.NoError(t, db.Close())
}
