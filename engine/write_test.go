package engine

import (
	"context"
	"testing"

	"github.com/isobath/isobath/payload"
	"github.com/stretchr/testify/require"
)

// Deleting vectors of a point that is not there must not make the sequencer believe in it.
func TestDeleteVectorsOfAbsentPoint(t *testing.T) {
	ctx := context.Background()
	db, kv := openHooked(t, newDisk())
	c := testCollection(t, db, "a")
	hold := make(chan struct{})
	blocked := make(chan struct{}, 16)
	kv.hook(func([]payload.Op) error { blocked <- struct{}{}; <-hold; return nil })
	noWait := WriteOptions{NoWait: true}
	upsertOne(t, c, 1, 0, "", UpsertOptions{WriteOptions: noWait})
	<-blocked
	_, err := c.DeleteVectors(ctx, Selector{IDs: []PointID{NumID(7)}}, []string{""}, noWait)
	require.NoError(t, err)
	upsertOne(t, c, 7, 0, "", UpsertOptions{WriteOptions: noWait, Mode: InsertOnly})
	_, err = c.ChangePayload(ctx, Selector{IDs: []PointID{NumID(8)}}, PayloadChange{Op: SetPayload, Payload: []byte(`{}`)}, noWait)
	var missing *NotFoundError
	require.ErrorAs(t, err, &missing)
	close(hold)
	require.NoError(t, db.Barrier().Wait(ctx))
	hits, err := c.Get(ctx, []PointID{NumID(7)}, Fetch{})
	require.NoError(t, err)
	require.Len(t, hits, 1)
	require.NoError(t, db.Close())
}
