package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/isobath/isobath/payload"
	"github.com/stretchr/testify/require"
)

// The log's writer waits for a sync while the sequencer is locked; the syncer must never wait
// for the applier, which may need the sequencer.
func TestFullLogDoesNotLockUp(t *testing.T) {
	db, err := newDisk().open()
	require.NoError(t, err)
	c := testCollection(t, db, "a")
	hold, held := make(chan struct{}), make(chan struct{})
	go func() { _ = db.onApplier(func() { close(held); <-hold }) }()
	<-held
	var tickets []*Ticket
	put := func(bytes int) {
		ticket, err := db.Update(func(tx *KeyTx) error {
			return tx.Put(0, []byte("k"), Document{Kind: KindString, Body: make([]byte, bytes)})
		})
		require.NoError(t, err)
		tickets = append(tickets, ticket)
	}
	for range 3 {
		put(1)
		require.NoError(t, tickets[len(tickets)-1].waitDurable(context.Background()))
	}
	filled := make(chan struct{})
	go func() {
		defer close(filled)
		for range 3 {
			put(40 << 20)
		}
	}()
	time.Sleep(200 * time.Millisecond)
	close(hold)
	within(t, 20*time.Second, func() {
		<-filled
		for _, ticket := range tickets {
			require.NoError(t, ticket.Wait(context.Background()))
		}
		upsertOne(t, c, 1, 0, "", UpsertOptions{})
		require.NoError(t, db.Close())
	})
}

// A checkpoint that begins while a group fails must not record the group as applied.
func TestNoCheckpointAfterFailedApply(t *testing.T) {
	ctx := context.Background()
	d := newDisk()
	db, kv := openHooked(t, d)
	c := testCollection(t, db, "a")
	upsertOne(t, c, 1, 0, "", UpsertOptions{})
	checkpoint := make(chan error, 1)
	kv.hook(func([]payload.Op) error {
		go func() { checkpoint <- db.checkpoint(true) }()
		time.Sleep(50 * time.Millisecond) // it waits for the applier now
		return errors.New("no space")
	})
	upsertOne(t, c, 2, 0, "", UpsertOptions{WriteOptions: WriteOptions{NoWait: true}})
	require.Error(t, db.Barrier().Wait(ctx))
	require.Error(t, <-checkpoint)
	n, err := c.Count(ctx, nil, nil)
	require.NoError(t, err)
	require.Equal(t, 1, n, "what failed is not visible")
	_ = db.Close()

	db, err = d.open()
	require.NoError(t, err)
	c, err = db.Collection("a")
	require.NoError(t, err)
	n, err = c.Count(ctx, nil, nil)
	require.NoError(t, err)
	require.Equal(t, 2, n, "what was acknowledged as durable is there")
	requireSound(t, db)
	require.NoError(t, db.Close())
}

// Whoever writes without waiting must not fill the memory with small records, nor make the
// others wait for a long queue.
func TestQueueIsBounded(t *testing.T) {
	db, err := newDisk().open()
	require.NoError(t, err)
	hold, held := make(chan struct{}), make(chan struct{})
	go func() { _ = db.onApplier(func() { close(held); <-hold }) }()
	<-held
	flooded := make(chan struct{})
	go func() {
		defer close(flooded)
		for range 2 * maxQueuedRecords {
			_, err := db.Update(func(tx *KeyTx) error { return tx.Put(0, []byte("k"), Document{Kind: KindString}) })
			if err != nil {
				t.Error(err)
				return
			}
		}
	}()
	require.Eventually(t, func() bool { return db.seq.queueLen() > maxQueuedRecords }, 20*time.Second, time.Millisecond)
	time.Sleep(20 * time.Millisecond)
	require.Equal(t, maxQueuedRecords+1, db.seq.queueLen())
	close(hold)
	within(t, 20*time.Second, func() { <-flooded })
	require.NoError(t, db.Close())
}
