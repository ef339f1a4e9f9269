package engine

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPacerSpreadsAnswers(t *testing.T) {
	var p pacer
	now := time.Unix(1000, 0)
	require.Equal(t, now.Add(time.Second), p.due(now, 1000, 1000))
	require.Equal(t, now.Add(1500*time.Millisecond), p.due(now, 500, 1000))
	require.Equal(t, now.Add(paceMost), p.due(now, 100_000, 1000), "clients have timeouts")
	later := now.Add(time.Minute)
	require.Equal(t, later.Add(time.Millisecond), p.due(later, 1, 1000), "what nobody used is no credit")
}

func TestOnlyWritersOfAPacedCollectionWait(t *testing.T) {
	ctx := context.Background()
	db, err := newDisk().open()
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	slow, quick := testCollection(t, db, "slow"), testCollection(t, db, "quick")
	require.NoError(t, db.CreateIndex(ctx, testIndexDef()))
	index, err := db.Collection(testIndexDef().Name)
	require.NoError(t, err)
	list := []paced{{slow, 1}, {index, 1}} // a row a second
	db.pacing.list.Store(&list)

	upsertOne(t, quick, 1, 0, "", UpsertOptions{})
	require.Zero(t, slow.pacer.next)
	put := func(key string) *Ticket {
		ticket, err := db.Update(func(tx *KeyTx) error { return tx.Put(0, []byte(key), Document{Kind: KindHash}) })
		require.NoError(t, err)
		require.NoError(t, db.published.wait(ctx, ticket.Seq()))
		return ticket
	}
	require.True(t, put("elsewhere").Done())
	ticket := put("doc:1")
	require.False(t, ticket.Done(), "visible and not answered")
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, ticket.Wait(canceled), context.Canceled)
	require.Zero(t, slow.pacer.next)

	r, err := slow.Upsert(canceled, []Point{{ID: NumID(1), Vectors: Vectors{"": testVector(1, 0)}}}, UpsertOptions{})
	require.NoError(t, err)
	require.False(t, r.Applied, "the client left before the answer")
	require.NotZero(t, slow.pacer.next)
	require.NoError(t, db.published.wait(ctx, db.seqLast()))
	hits, _, err := slow.Scroll(ctx, ScrollRequest{Limit: 1})
	require.NoError(t, err)
	require.Len(t, hits, 1, "the write completes")
}
