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
	n, err := c.Count(ctx, filter.Match{Field: "tag", Value: filter.StringValue("x")}, nil)
	require.NoError(t, err)
	require.Equal(t, len(points), n)
	require.NoError(t, db.Close())
}

func TestFieldParamsSurviveARestart(t *testing.T) {
	ctx := t.Context()
	d := newDisk()
	db, err := d.open()
	require.NoError(t, err)
	c := testCollection(t, db, "a")
	params := map[string][]byte{"none": nil, "some": []byte(`{"type":"keyword"}`)}
	for name, words := range params {
		_, err := c.CreateField(ctx, keywordField(name), words, WriteOptions{})
		require.NoError(t, err)
	}
	check := func(db *DB, how string) {
		c, err := db.Collection("a")
		require.NoError(t, err)
		for name, words := range params {
			require.Equal(t, words, c.FieldParams(name), "%s, %s", name, how)
		}
	}
	check(db, "at once")
	replayed, err := d.crash(1, 0).open()
	require.NoError(t, err)
	check(replayed, "from the log")
	require.NoError(t, replayed.Close())
	require.NoError(t, db.Close())
	db, err = d.open()
	require.NoError(t, err)
	check(db, "from the manifest")
	require.NoError(t, db.Close())
}
