package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// step is one acknowledged operation of a crash workload and its effect on the model.
type step struct {
	name string
	do   func(ctx context.Context, db *DB) error
	then func(m *model)
}

// crashWorkload touches everything that writes: collections, points, payload indexes, keys,
// an FT index with its backfill, checkpoints, seals, merges, slot reuse, drops and flushes.
func crashWorkload() []step {
	var steps []step
	add := func(name string, do func(context.Context, *DB) error, then func(*model)) {
		steps = append(steps, step{name, do, then})
	}
	quiet := func(*model) {}
	create := func(name string) {
		add("create "+name, func(ctx context.Context, db *DB) error { return db.CreateCollection(ctx, name, testSchema()) },
			func(m *model) { m.collections[name], m.schemas[name] = map[uint64]modelPoint{}, testSchema() })
	}
	update := func(name string, i int) {
		add("update "+name, func(ctx context.Context, db *DB) error { return updateTo(ctx, db, name, changedSchema(i)) },
			func(m *model) { m.schemas[name] = changedSchema(i) })
	}
	upsert := func(name string, from, to uint64, round int) {
		add(fmt.Sprintf("upsert %s %d-%d", name, from, to), func(ctx context.Context, db *DB) error {
			c, err := db.Collection(name)
			if err != nil {
				return err
			}
			var points []Point
			for id := from; id < to; id++ {
				points = append(points, Point{NumID(id), Vectors{"": testVector(id, round)}, fmt.Appendf(nil, `{"tag":"t%d"}`, id%3)})
			}
			_, err = c.Upsert(ctx, points, UpsertOptions{})
			return err
		}, func(m *model) {
			for id := from; id < to; id++ {
				m.collections[name][id] = modelPoint{testVector(id, round), fmt.Sprintf(`{"tag":"t%d"}`, id%3)}
			}
		})
	}
	remove := func(name string, ids ...uint64) {
		add("delete", func(ctx context.Context, db *DB) error {
			c, err := db.Collection(name)
			if err != nil {
				return err
			}
			var sel Selector
			for _, id := range ids {
				sel.IDs = append(sel.IDs, NumID(id))
			}
			_, err = c.Delete(ctx, sel, WriteOptions{})
			return err
		}, func(m *model) {
			for _, id := range ids {
				delete(m.collections[name], id)
			}
		})
	}
	hset := func(from, to int, round int) {
		add(fmt.Sprintf("hset %d-%d", from, to), func(ctx context.Context, db *DB) error {
			t, err := db.Update(func(tx *KeyTx) error {
				for i := from; i < to; i++ {
					if err := putHash(tx, "doc:"+strconv.Itoa(i), map[string]string{"v": blobOf(testVector(uint64(i), round)), "g": "x"}); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			return t.Wait(ctx)
		}, func(m *model) {
			for i := from; i < to; i++ {
				m.keys["doc:"+strconv.Itoa(i)] = map[string]string{"v": blobOf(testVector(uint64(i), round)), "g": "x"}
			}
		})
	}
	checkpoint := func() {
		add("checkpoint", func(ctx context.Context, db *DB) error {
			if err := db.Barrier().Wait(ctx); err != nil {
				return err
			}
			return db.checkpoint(true)
		}, quiet)
	}
	work := func() {
		add("work", func(ctx context.Context, db *DB) error { db.work(ctx); return db.Failed() }, quiet)
	}

	create("a")
	upsert("a", 0, 20, 0)
	work()
	hset(0, 10, 0)
	add("create index", func(ctx context.Context, db *DB) error { return db.CreateIndex(ctx, testIndexDef()) }, func(m *model) { m.indexed = true })
	work()
	hset(5, 15, 1)
	checkpoint()
	upsert("a", 10, 40, 1)
	remove("a", 3, 4, 5, 39)
	update("a", 1)
	add("field", func(ctx context.Context, db *DB) error {
		c, err := db.Collection("a")
		if err != nil {
			return err
		}
		_, err = c.CreateField(ctx, keywordField("tag"), nil, WriteOptions{})
		return err
	}, quiet)
	work()
	update("a", 2)
	checkpoint()
	update("a", 4)
	work()
	add("set payload", func(ctx context.Context, db *DB) error {
		c, err := db.Collection("a")
		if err != nil {
			return err
		}
		_, err = c.ChangePayload(ctx, Selector{IDs: []PointID{NumID(7)}}, PayloadChange{Op: SetPayload, Payload: []byte(`{"tag":"new"}`)}, WriteOptions{})
		return err
	}, func(m *model) {
		p := m.collections["a"][7]
		p.payload = `{"tag":"new"}`
		m.collections["a"][7] = p
	})
	upsert("a", 100, 110, 2)
	create("b")
	upsert("b", 0, 5, 0)
	checkpoint()
	add("delete keys", func(ctx context.Context, db *DB) error {
		t, err := db.Update(func(tx *KeyTx) error {
			for i := range 4 {
				if _, err := tx.Delete(0, []byte("doc:"+strconv.Itoa(i))); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		return t.Wait(ctx)
	}, func(m *model) {
		for i := range 4 {
			delete(m.keys, "doc:"+strconv.Itoa(i))
		}
	})
	upsert("a", 0, 30, 3)
	work()
	add("drop b", func(ctx context.Context, db *DB) error { _, err := db.DropCollection(ctx, "b"); return err },
		func(m *model) { delete(m.collections, "b") })
	checkpoint()
	upsert("a", 30, 60, 4)
	work()
	checkpoint()
	upsert("a", 50, 70, 5)
	add("flush", func(ctx context.Context, db *DB) error {
		t, err := db.Update(func(tx *KeyTx) error { tx.Flush(0); return nil })
		if err != nil {
			return err
		}
		return t.Wait(ctx)
	}, func(m *model) { m.keys, m.indexed = map[string]map[string]string{}, false })
	hset(20, 24, 6)
	checkpoint()
	return steps
}

// runUntilStop runs the workload and returns the model after the last acknowledged step, and
// the one that the step in flight would have made.
func runUntilStop(t testing.TB, d *disk, steps []step) (acked, next *model, finished bool) {
	ctx := context.Background()
	acked = newModel()
	db, err := d.open()
	if err != nil {
		return acked, acked, false
	}
	defer func() { _ = db.Close() }() // the disk is dead
	for _, s := range steps {
		next = acked.clone()
		s.then(next)
		if err := s.do(ctx, db); err != nil {
			return acked, next, false
		}
		acked = next
	}
	return acked, acked, true
}

// TestCrashAtEveryWrite cuts the power at every write of every file, keeps what was synced and
// a part of the rest, and wants every acknowledged operation, whole, and nothing else.
func TestCrashAtEveryWrite(t *testing.T) {
	steps := crashWorkload()
	d := newDisk()
	_, _, finished := runUntilStop(t, d, steps)
	require.True(t, finished, "the workload must pass without a crash")
	total := d.fs.Ops()
	stride := max(1, total/crashPoints(t))
	t.Logf("%d writes, one crash at every %d", total, stride)
	for at := 1; at <= total; at += stride {
		d := newDisk()
		d.fs.StopAt(at)
		acked, next, _ := runUntilStop(t, d, steps)
		for seed := range int64(3) {
			percent := []int{0, 50, at * 31 % 101}[seed]
			after := d.crash(int64(at)*10+seed, percent)
			requireRecovered(t, after, acked, next, fmt.Sprintf("stopped at write %d of %d, %d%% of the unsynced kept", at, total, percent))
		}
	}
}

// crashPoints is the number of places at which TestCrashAtEveryWrite stops; ISOBATH_CRASH_POINTS
// raises it (a large number means every write).
func crashPoints(t testing.TB) int {
	if s := os.Getenv("ISOBATH_CRASH_POINTS"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err)
		return n
	}
	return 60
}

func requireRecovered(t testing.TB, d *disk, acked, next *model, msg string) {
	t.Helper()
	db, err := d.open()
	require.NoError(t, err, msg)
	require.NoError(t, db.Failed(), msg)
	if ft, err := db.Index(0, "ft"); err == nil && ft.Info().Index.State != BackfillCompleted {
		db.work(context.Background()) // the backfill goes on where it was
	}
	got := dumpDB(t, db)
	if got != acked.dump() && got != next.dump() {
		require.Equal(t, acked.dump(), got, msg)
	}
	requireSound(t, db)
	db.work(context.Background())
	require.Equal(t, got, dumpDB(t, db), msg)
	requireSound(t, db)
	require.NoError(t, errors.Join(db.Failed(), db.Close()), msg)
	db, err = d.open()
	require.NoError(t, err, msg)
	require.Zero(t, db.opened.Replayed, msg)
	require.Equal(t, got, dumpDB(t, db), msg)
	require.NoError(t, db.Close(), msg)
}
