package engine

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// crashWriter writes points and keys of its own while others do the same. It knows what was
// acknowledged, and what the operation in flight would have made of that.
type crashWriter struct {
	num         uint64
	acked, next *model
}

const (
	crashWriters = 4
	crashRounds  = 40
	crashIDs     = 12 // points and keys of each writer
)

func newCrashWriter(num uint64) *crashWriter {
	m := newModel()
	m.collections["a"] = map[uint64]modelPoint{}
	return &crashWriter{num, m, m}
}

// run does operations until the disk stops.
func (w *crashWriter) run(db *DB) {
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(w.num, 5))
	c, err := db.Collection("a")
	if err != nil {
		return
	}
	for round := range crashRounds {
		w.next = w.acked.clone()
		if err := w.step(ctx, db, c, rng, round); err != nil {
			return
		}
		w.acked = w.next
	}
}

func (w *crashWriter) step(ctx context.Context, db *DB, c *Collection, rng *rand.Rand, round int) error {
	points := w.next.collections["a"]
	o := WriteOptions{NoWait: rng.IntN(3) == 0}
	ids := []uint64{100*w.num + rng.Uint64N(crashIDs), 100*w.num + crashIDs + rng.Uint64N(crashIDs)}
	sel := Selector{IDs: []PointID{NumID(ids[0]), NumID(ids[1])}}
	switch k := rng.IntN(10); {
	case k < 4:
		var batch []Point
		for _, id := range ids {
			p := modelPoint{stressVector(id, round), fmt.Sprintf(`{"round":%d,"tag":"w%d"}`, round, w.num)}
			points[id] = p
			batch = append(batch, Point{NumID(id), Vectors{"": stressVector(id, round)}, []byte(p.payload)})
		}
		_, err := c.Upsert(ctx, batch, UpsertOptions{WriteOptions: o})
		return err
	case k < 6:
		maps.DeleteFunc(points, func(id uint64, _ modelPoint) bool { return id == ids[0] || id == ids[1] })
		_, err := c.Delete(ctx, sel, o)
		return err
	case k < 7:
		for _, id := range ids {
			if p, ok := points[id]; ok {
				p.payload = "{}"
				points[id] = p
			}
		}
		_, err := c.ChangePayload(ctx, sel, PayloadChange{Op: ClearPayload}, o)
		return err
	}
	return updateAndWait(ctx, db, func(tx *KeyTx) error {
		for _, id := range ids {
			key := fmt.Sprintf("doc:%d", id)
			if round%4 == 0 {
				delete(w.next.keys, key)
				if _, err := tx.Delete(0, []byte(key)); err != nil {
					return err
				}
				continue
			}
			set := map[string]string{"v": blobOf(stressVector(id, round)), "g": fmt.Sprint(round)}
			w.next.keys[key] = set
			if err := putHash(tx, key, set); err != nil {
				return err
			}
		}
		return nil
	})
}

// mine prints what the database holds of a writer's, in the form of model.dump.
func (w *crashWriter) mine(t *testing.T, db *DB) string {
	t.Helper()
	m := newCrashWriter(w.num).acked
	if c, err := db.Collection("a"); err == nil {
		require.NoError(t, c.Each(context.Background(), ScrollRequest{Fetch: Fetch{Payload: true, Vectors: true}}, func(h *Hit) error {
			if h.ID.Num()/100 == w.num {
				m.collections["a"][h.ID.Num()] = modelPoint{h.Vectors[""], string(h.Payload)}
			}
			return nil
		}))
	}
	view := db.Keys()
	defer view.Close()
	require.NoError(t, view.Scan(0, KeyScan{Prefix: fmt.Appendf(nil, "doc:%d", w.num)}, func(key []byte, d Document) (bool, error) {
		fields := map[string]string{}
		for f, v := range HashFields(d.Body) {
			fields[string(f)] = string(v)
		}
		m.keys[string(key)] = fields
		return true, nil
	}))
	return m.dump()
}

// runCrashWriters lets writers, definitions, checkpoints and background work loose on d.
func runCrashWriters(d *disk) (writers []*crashWriter, created, finished bool) {
	ctx := context.Background()
	for w := range uint64(crashWriters) {
		writers = append(writers, newCrashWriter(w+1))
	}
	db, err := d.openWith(Options{Workers: 2})
	if err != nil {
		return writers, false, false
	}
	defer func() { _ = db.Close() }() // the disk may be dead
	if db.CreateCollection(ctx, "a", testSchema()) != nil {
		return writers, false, false
	}
	if db.CreateIndex(ctx, testIndexDef()) != nil {
		return writers, true, false
	}
	var group, others sync.WaitGroup
	stop := make(chan struct{})
	repeat := func(fn func(round int) error) {
		others.Go(func() {
			for round := 0; ; round++ {
				select {
				case <-stop:
					return
				default:
				}
				if fn(round) != nil {
					return
				}
			}
		})
	}
	repeat(func(int) error { return db.checkpoint(true) })
	repeat(func(round int) error {
		if err := db.CreateCollection(ctx, "b", testSchema()); err != nil {
			return err
		}
		_, err := db.DropCollection(ctx, "b")
		return err
	})
	repeat(func(round int) error {
		c, err := db.Collection("a")
		if err == nil && round%2 == 0 {
			_, err = c.CreateField(ctx, keywordField("tag"), nil, WriteOptions{})
		} else if err == nil {
			_, err = c.DropField(ctx, "tag", WriteOptions{})
		}
		return err
	})
	for _, w := range writers {
		group.Go(func() { w.run(db) })
	}
	group.Wait()
	close(stop)
	others.Wait()
	return writers, true, db.Failed() == nil
}

// TestCrashUnderConcurrentWriters cuts the power while several writers, definitions, checkpoints
// and background work are under way. Each writer finds all that was acknowledged to it, and the
// operation in flight whole or not at all.
func TestCrashUnderConcurrentWriters(t *testing.T) {
	d := newDisk()
	_, _, finished := runCrashWriters(d)
	require.True(t, finished, "the workload must pass without a crash")
	total := d.fs.Ops()
	rng := rand.New(rand.NewPCG(uint64(total), 3))
	for range max(12, crashPoints(t)/5) {
		at := 1 + rng.IntN(total)
		d := newDisk()
		d.fs.StopAt(at)
		writers, created, _ := runCrashWriters(d)
		percent := rng.IntN(101)
		after := d.crash(rng.Int64(), percent)
		msg := fmt.Sprintf("stopped at write %d of about %d, %d%% of the unsynced kept", at, total, percent)
		requireWritersKept(t, after, writers, created, msg)
	}
}

func requireWritersKept(t *testing.T, d *disk, writers []*crashWriter, created bool, msg string) {
	t.Helper()
	db, err := d.open()
	require.NoError(t, err, msg)
	if created {
		_, err := db.Collection("a")
		require.NoError(t, err, msg)
	}
	if ft, err := db.Index(0, "ft"); err == nil && ft.Info().Index.State != BackfillCompleted {
		db.work(context.Background()) // the backfill goes on where it was
	}
	for _, w := range writers {
		got := w.mine(t, db)
		if got != w.acked.dump() && got != w.next.dump() {
			require.Equal(t, w.acked.dump(), got, "%s: writer %d", msg, w.num)
		}
	}
	requireSound(t, db)
	want := dumpDB(t, db)
	db.work(context.Background())
	requireSound(t, db)
	require.NoError(t, db.Close(), msg)
	db, err = d.open()
	require.NoError(t, err, msg)
	require.Zero(t, db.opened.Replayed, msg)
	require.Equal(t, want, dumpDB(t, db), msg)
	requireSound(t, db)
	require.NoError(t, db.Close(), msg)
}
