package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// digest prints the state that replay must bring about again: every slot, dead ones included.
func digest(t *testing.T, db *DB) string {
	t.Helper()
	require.NoError(t, db.Barrier().Wait(context.Background()))
	var b strings.Builder
	require.NoError(t, db.onApplier(func() {
		for _, c := range db.allCollections() {
			st := &c.applied
			fmt.Fprintf(&b, "collection %d %q, operation %d, high %d, free %v, dead %v, live %v\n", c.num, c.name, st.operation,
				c.slots.High(), c.slots.FreeSet().ToArray(), c.dead.ToArray(), st.filter.All().ToArray())
			for _, name := range c.names {
				fmt.Fprintf(&b, "  vector %q %v\n", name, st.filter.Has(name).ToArray())
			}
			for slot := range c.slots.High() {
				row, ok := c.slots.Get(slot)
				fmt.Fprintf(&b, "  slot %d: %v %v\n", slot, row, ok)
			}
		}
		fmt.Fprintln(&b, db.ap.databases, db.ap.keyNum, db.ap.nums)
	}))
	return b.String()
}

// TestReplayGivesTheSameSlots writes from several goroutines, over checkpoints that free slots,
// and replays the log: whatever groups the operations came in, each point is in the same slot.
func TestReplayGivesTheSameSlots(t *testing.T) {
	ctx := context.Background()
	for seed := range int64(4) {
		d := newDisk()
		db, err := d.openWith(Options{Workers: 2})
		require.NoError(t, err)
		testCollection(t, db, "a")
		require.NoError(t, db.CreateIndex(ctx, testIndexDef()))
		var group sync.WaitGroup
		stop := make(chan struct{})
		writers := make([]*crashWriter, crashWriters)
		for w := range writers {
			writers[w] = newCrashWriter(uint64(w + 1))
			group.Go(func() { writers[w].run(db) })
		}
		checkpoints := make(chan error)
		go func() {
			defer close(checkpoints)
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := db.checkpoint(true); err != nil {
					t.Error(err)
					return
				}
			}
		}()
		group.Wait()
		close(stop)
		<-checkpoints
		for _, w := range writers { // once more, after the last checkpoint
			w.run(db)
		}
		want := digest(t, db)
		after := d.crash(seed, int(seed)*33)
		require.NoError(t, db.Close())
		db, err = after.open()
		require.NoError(t, err)
		require.NotZero(t, db.opened.Replayed)
		require.Equal(t, want, digest(t, db))
		requireSound(t, db)
		require.NoError(t, db.Close())
	}
}

// TestCrashDuringRecovery cuts the power, and again while the database recovers or works on.
func TestCrashDuringRecovery(t *testing.T) {
	steps := crashWorkload()
	d := newDisk()
	_, _, finished := runUntilStop(t, d, steps)
	require.True(t, finished)
	total := d.fs.Ops()
	rng := rand.New(rand.NewPCG(1, uint64(total)))
	for range crashPoints(t) {
		at := 1 + rng.IntN(total)
		d := newDisk()
		d.fs.StopAt(at)
		acked, next, _ := runUntilStop(t, d, steps)
		msg := fmt.Sprintf("stopped at write %d of %d", at, total)
		for range 1 + rng.IntN(3) {
			percent := rng.IntN(101)
			d = d.crash(rng.Int64(), percent)
			second := 1 + rng.IntN(slices.Max([]int{2, rng.IntN(60)}))
			d.fs.StopAt(d.fs.Ops() + second)
			msg += fmt.Sprintf(", %d%% kept, again after %d writes", percent, second)
			if db, err := d.open(); err == nil {
				db.work(context.Background())
				_ = db.Close() // the disk is dead
			}
		}
		requireRecovered(t, d.crash(rng.Int64(), rng.IntN(101)), acked, next, msg)
	}
}

// What a start replayed counts for when the next checkpoint is due: or a process that is killed again and again before it
// has written much would replay more each time.
func TestReplayCountsForTheNextCheckpoint(t *testing.T) {
	d := newDisk()
	db, err := d.open()
	require.NoError(t, err)
	upsertOne(t, testCollection(t, db, "a"), 1, 0, "", UpsertOptions{})
	after := d.crash(1, 0)
	require.NoError(t, db.Close())
	db, err = after.open()
	require.NoError(t, err)
	require.Positive(t, db.Stats().Open.Replayed)
	require.Positive(t, db.check.replay.Load())
	require.NoError(t, db.Close())

	db, err = after.open()
	require.NoError(t, err)
	require.Zero(t, db.Stats().Open.Replayed)
	require.Zero(t, db.check.replay.Load())
	require.NoError(t, db.Close())
}
