package engine

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRandomOperationsAgainstModel does random operations on the database and on a map, over
// checkpoints, background work, clean restarts and power cuts, and compares all of it.
func TestRandomOperationsAgainstModel(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { randomOperations(t, seed, 400) })
	}
}

func randomOperations(t *testing.T, seed uint64, n int) {
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(seed, 1))
	d, m := newDisk(), newModel()
	db, err := d.open()
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	require.NoError(t, db.CreateCollection(ctx, "c", testSchema()))
	m.collections["c"], m.schemas["c"] = map[uint64]modelPoint{}, testSchema()
	require.NoError(t, db.CreateIndex(ctx, testIndexDef()))
	m.indexed = true
	points := m.collections["c"]
	for i := range n {
		c, err := db.Collection("c")
		require.NoError(t, err)
		kind := rng.IntN(13)
		if rng.IntN(40) == 0 { // what begins anew is worth more when something was there
			kind = 13 + rng.IntN(2)
		}
		switch kind {
		case 0, 1, 2:
			var batch []Point
			for range 1 + rng.IntN(30) {
				id := rng.Uint64N(80)
				p, doc := modelPoint{vector: testVector(id, i)}, []byte(nil)
				if rng.IntN(3) > 0 {
					p.payload = fmt.Sprintf(`{"tag":"t%d"}`, rng.IntN(5))
					doc = []byte(p.payload)
				}
				points[id] = p
				batch = append(batch, Point{NumID(id), Vectors{"": slices.Clone(p.vector)}, doc})
			}
			_, err = c.Upsert(ctx, batch, UpsertOptions{})
		case 3:
			id := rng.Uint64N(80)
			delete(points, id)
			_, err = c.Delete(ctx, Selector{IDs: []PointID{NumID(id)}}, WriteOptions{})
		case 4:
			id := rng.Uint64N(80)
			if p, ok := points[id]; ok {
				p.payload = fmt.Sprintf(`{"tag":"u%d"}`, i)
				points[id] = p
				_, err = c.ChangePayload(ctx, Selector{IDs: []PointID{NumID(id)}}, PayloadChange{Op: OverwritePayload, Payload: []byte(p.payload)}, WriteOptions{})
			}
		case 5:
			id := rng.Uint64N(80)
			if p, ok := points[id]; ok {
				p.vector = nil
				points[id] = p
				_, err = c.DeleteVectors(ctx, Selector{IDs: []PointID{NumID(id)}}, []string{""}, WriteOptions{})
			}
		case 6, 7:
			key := "doc:" + strconv.Itoa(rng.IntN(40))
			set := map[string]string{"v": blobOf(testVector(uint64(i), 0)), "n": strconv.Itoa(i)}
			if m.keys[key] == nil {
				m.keys[key] = map[string]string{}
			}
			maps.Copy(m.keys[key], set)
			err = updateAndWait(ctx, db, func(tx *KeyTx) error { return putHash(tx, key, set) })
		case 8:
			key := "doc:" + strconv.Itoa(rng.IntN(40))
			delete(m.keys, key)
			var again map[string]string // written anew by the same record
			if rng.IntN(2) == 0 {
				again = map[string]string{"v": blobOf(testVector(uint64(i), 1))}
				m.keys[key] = again
			}
			err = updateAndWait(ctx, db, func(tx *KeyTx) error {
				if _, err := tx.Delete(0, []byte(key)); err != nil || again == nil {
					return err
				}
				return putHash(tx, key, again)
			})
		case 9:
			db.work(ctx)
		case 10:
			require.NoError(t, db.Barrier().Wait(ctx))
			err = db.checkpoint(true)
		case 11:
			db, d = restart(t, db, d, rng)
		case 12:
			m.schemas["c"] = changedSchema(i)
			err = updateTo(ctx, db, "c", changedSchema(i))
		case 13: // old points must not come back under the old ids
			_, err = db.DropCollection(ctx, "c")
			require.NoError(t, err)
			clear(points)
			m.schemas["c"] = testSchema()
			err = db.CreateCollection(ctx, "c", testSchema())
		case 14:
			clear(m.keys)
			require.NoError(t, updateAndWait(ctx, db, func(tx *KeyTx) error { tx.FlushAll(); return nil }))
			if _, gone := db.Index(0, "ft"); gone != nil { // nothing is flushed where nothing was written
				err = db.CreateIndex(ctx, testIndexDef())
			}
		}
		require.NoError(t, err)
		if i%20 == 0 {
			require.Equal(t, m.dump(), dumpDB(t, db), "after operation %d", i)
			requireNoStrays(t, db)
		}
	}
	require.Equal(t, m.dump(), dumpDB(t, db))
	requireSound(t, db)
}

func updateAndWait(ctx context.Context, db *DB, fn func(tx *KeyTx) error) error {
	ticket, err := db.Update(fn)
	if err != nil {
		return err
	}
	return ticket.Wait(ctx)
}

// restart closes the database, or cuts its power, and opens it again.
func restart(t *testing.T, db *DB, d *disk, rng *rand.Rand) (*DB, *disk) {
	t.Helper()
	if rng.IntN(2) == 0 {
		require.NoError(t, db.Close())
	} else {
		after := d.crash(rng.Int64(), 50)
		_ = db.Close() // its disk is not the one that goes on
		d = after
	}
	db, err := d.open()
	require.NoError(t, err)
	return db, d
}
