package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/internal/vfs"
	"github.com/isobath/isobath/payload"
	"github.com/stretchr/testify/require"
)

// openReal opens a database on real files, with small segments and background work.
func openReal(dir string) (*DB, error) {
	if err := vfs.MkdirDurably(vfs.OS, dir); err != nil {
		return nil, err
	}
	return openStores(dir, Options{Workers: 2, CheckpointAfter: time.Hour}, stores{
		fs: vfs.OS, tune: smallSegments,
		kv: func() (kvStore, error) { return payload.Open(payload.Options{Dir: filepath.Join(dir, "badger")}) },
	})
}

// stress is a database with everybody at work on it.
type stress struct {
	t    *testing.T
	db   *DB
	stop chan struct{}
	wg   sync.WaitGroup
	ends []func()
	want *model // what the finished writers leave behind
}

// stressVector makes a vector that no other (id, round) has, of a size that codes can tell apart.
func stressVector(id uint64, round int) []float32 {
	rng := rand.New(rand.NewPCG(id, uint64(round)))
	v := make([]float32, testDim)
	for i := range v {
		v[i] = rng.Float32() - 0.5
	}
	return v
}

// run repeats fn until the end of the test or its first error.
func (s *stress) run(name string, fn func(rng *rand.Rand, round int) error) {
	s.wg.Go(func() {
		rng := rand.New(rand.NewPCG(uint64(len(name)), uint64(name[len(name)-1])))
		for round := 1; ; round++ {
			select {
			case <-s.stop:
				s.t.Logf("%s: %d rounds", name, round-1)
				return
			default:
			}
			if err := fn(rng, round); err != nil {
				s.t.Errorf("%s, round %d: %v", name, round, err)
				return
			}
		}
	})
}

// TestEverybodyAtOnce lets writers, readers, writes by filter, definitions, checkpoints, checks
// and background work loose on one database on real files. Each writer knows what it must read
// back at once; what all have written must be there in the end, and after a restart.
func TestEverybodyAtOnce(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	db, err := openReal(dir)
	require.NoError(t, err)
	s := &stress{t: t, db: db, stop: make(chan struct{}), want: newModel()}
	s.want.collections["a"], s.want.schemas["a"] = map[uint64]modelPoint{}, testSchema()
	testCollection(t, db, "a")
	require.NoError(t, db.CreateIndex(ctx, testIndexDef()))
	s.want.indexed = true
	for w := range 3 {
		s.pointWriter(uint64(w))
		s.keyWriter(w)
	}
	s.filterWriter()
	s.definer()
	s.transfers()
	s.readers()
	s.visitors()
	s.run("checkpoints", func(rng *rand.Rand, _ int) error {
		time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond)
		return db.checkpoint(true)
	})
	s.run("checks", func(*rand.Rand, int) error {
		time.Sleep(50 * time.Millisecond)
		r, err := db.Verify(ctx)
		if err == nil && !r.Clean() {
			err = fmt.Errorf("%v", r.Problems)
		}
		return err
	})
	time.Sleep(3 * time.Second)
	close(s.stop)
	within(t, 30*time.Second, s.wg.Wait)
	for _, end := range s.ends {
		end()
	}

	require.NoError(t, db.Failed())
	require.NoError(t, db.Barrier().Wait(ctx))
	require.Equal(t, s.want.dump(), dumpDB(t, db))
	requireSound(t, db)
	require.Zero(t, db.views.count(), "a view is left pinned")
	require.NoError(t, db.Close())
	db, err = openReal(dir)
	require.NoError(t, err)
	require.Zero(t, db.opened.Replayed)
	require.Equal(t, s.want.dump(), dumpDB(t, db))
	requireSound(t, db)
	require.NoError(t, db.Close())
}

// pointWriter writes points of its own: always two at once, which readers must see both or none.
func (s *stress) pointWriter(w uint64) {
	ctx := context.Background()
	mine := map[uint64]modelPoint{}
	c, err := s.db.Collection("a")
	require.NoError(s.t, err)
	base := 1000 * (w + 1)
	s.run(fmt.Sprintf("points %d", w), func(rng *rand.Rand, round int) error {
		id := base + rng.Uint64N(40)
		pair := []uint64{id, id + 100}
		sel := Selector{IDs: []PointID{NumID(pair[0]), NumID(pair[1])}}
		o := WriteOptions{NoWait: rng.IntN(4) == 0}
		_, exists := mine[id]
		var err error
		switch k := rng.IntN(10); {
		case k < 5 || !exists:
			var points []Point
			for _, id := range pair {
				p := modelPoint{stressVector(id, round), fmt.Sprintf(`{"round":%d,"owner":"w%d","tag":"t%d"}`, round, w, round%5)}
				mine[id] = p
				points = append(points, Point{NumID(id), Vectors{"": stressVector(id, round)}, []byte(p.payload)})
			}
			_, err = c.Upsert(ctx, points, UpsertOptions{WriteOptions: o})
		case k < 7:
			for _, id := range pair {
				delete(mine, id)
			}
			_, err = c.Delete(ctx, sel, o)
		case k < 8:
			for _, id := range pair {
				p := mine[id]
				p.vector = nil
				mine[id] = p
			}
			_, err = c.DeleteVectors(ctx, sel, []string{""}, o)
		default:
			doc := fmt.Sprintf(`{"round":%d,"owner":"w%d","tag":"u%d"}`, round, w, round%3)
			for _, id := range pair {
				p := mine[id]
				p.payload = doc
				mine[id] = p
			}
			_, err = c.ChangePayload(ctx, sel, PayloadChange{Op: OverwritePayload, Payload: []byte(doc)}, o)
		}
		if err != nil || o.NoWait {
			return err
		}
		hits, err := c.Get(ctx, sel.IDs, Fetch{Payload: true, Vectors: true})
		if err != nil {
			return err
		}
		return sameAs(mine, pair, hits)
	})
	s.atEnd(func() { maps.Copy(s.want.collections["a"], mine) })
}

func sameAs(mine map[uint64]modelPoint, ids []uint64, hits []Hit) error {
	for _, id := range ids {
		want, ok := mine[id]
		if !ok {
			continue
		}
		if len(hits) == 0 || hits[0].ID != NumID(id) {
			return fmt.Errorf("point %d is not there", id)
		}
		got := modelPoint{hits[0].Vectors[""], string(hits[0].Payload)}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("point %d is %v, must be %v", id, got, want)
		}
		hits = hits[1:]
	}
	if len(hits) > 0 {
		return fmt.Errorf("point %s must not be there", hits[0].ID)
	}
	return nil
}

// atEnd runs fn when all goroutines have ended.
func (s *stress) atEnd(fn func()) { s.ends = append(s.ends, fn) }

// filterWriter switches points on and off beside a write that deletes those that are off.
func (s *stress) filterWriter() {
	ctx := context.Background()
	c, err := s.db.Collection("a")
	require.NoError(s.t, err)
	off := filter.Match{Field: "state", Value: filter.StringValue("off")}
	mine := map[uint64]modelPoint{}
	s.run("switch", func(rng *rand.Rand, round int) error {
		id := 9000 + rng.Uint64N(20)
		state := []string{"on", "off"}[rng.IntN(2)]
		p := modelPoint{stressVector(id, round), fmt.Sprintf(`{"state":"%s","round":%d}`, state, round)}
		_, err := c.Upsert(ctx, []Point{{NumID(id), Vectors{"": stressVector(id, round)}, []byte(p.payload)}}, UpsertOptions{})
		if err != nil {
			return err
		}
		mine[id] = p
		if state == "off" {
			if rng.IntN(3) == 0 {
				if _, err := c.Delete(ctx, Selector{Filter: off}, WriteOptions{}); err != nil {
					return err
				}
				n, err := c.Count(ctx, off, nil)
				if err != nil || n > 0 {
					return fmt.Errorf("%d points are off after their deletion: %w", n, err)
				}
				maps.DeleteFunc(mine, func(_ uint64, p modelPoint) bool { return p.payload[10:13] == "off" })
			}
			return nil
		}
		hits, err := c.Get(ctx, []PointID{NumID(id)}, Fetch{Payload: true, Vectors: true})
		if err != nil {
			return err
		}
		return sameAs(mine, []uint64{id}, hits)
	})
	s.run("deleter", func(rng *rand.Rand, _ int) error {
		_, err := c.Delete(ctx, Selector{Filter: off}, WriteOptions{NoWait: rng.IntN(2) == 0})
		return err
	})
	s.atEnd(func() {
		for id, p := range mine {
			if p.payload[10:13] == "on\"" {
				s.want.collections["a"][id] = p
			}
		}
		_, err := c.Delete(ctx, Selector{Filter: off}, WriteOptions{})
		if err != nil {
			s.t.Error(err)
		}
	})
}

// keyWriter writes keys of its own and finds them in the FT index at once.
func (s *stress) keyWriter(w int) {
	ctx := context.Background()
	mine := map[string]map[string]string{}
	ft, err := s.db.Index(0, "ft")
	require.NoError(s.t, err)
	s.run(fmt.Sprintf("keys %d", w), func(rng *rand.Rand, round int) error {
		key := fmt.Sprintf("doc:%d:%d", w, rng.IntN(30))
		tag := fmt.Sprintf("w%dr%d", w, round)
		if rng.IntN(4) == 0 {
			delete(mine, key)
			return updateAndWait(ctx, s.db, func(tx *KeyTx) error { _, err := tx.Delete(0, []byte(key)); return err })
		}
		set := map[string]string{"v": blobOf(stressVector(uint64(rng.IntN(100)), round)), "g": tag, "n": strconv.Itoa(round)}
		mine[key] = set
		if err := updateAndWait(ctx, s.db, func(tx *KeyTx) error { return putHash(tx, key, set) }); err != nil {
			return err
		}
		n, err := ft.Count(ctx, filter.Match{Field: "g", Value: filter.StringValue(tag)}, nil)
		if err == nil && n != 1 {
			err = fmt.Errorf("tag of key %q found %d times", key, n)
		}
		return err
	})
	s.atEnd(func() { maps.Copy(s.want.keys, mine) })
}

// transfers moves amounts between two keys; every view has the same sum.
func (s *stress) transfers() {
	const sum = 1000
	ctx := context.Background()
	put := func(tx *KeyTx, key string, n int) error {
		return tx.Put(2, []byte(key), Document{Kind: KindString, Body: []byte(strconv.Itoa(n))})
	}
	require.NoError(s.t, updateAndWait(ctx, s.db, func(tx *KeyTx) error { return errors.Join(put(tx, "x", sum), put(tx, "y", 0)) }))
	amount := func(d Document, ok bool, err error) (int, error) {
		if err != nil || !ok {
			return 0, fmt.Errorf("key is there: %v, %w", ok, err)
		}
		return strconv.Atoi(string(d.Body))
	}
	for i := range 2 {
		s.run(fmt.Sprintf("transfer %d", i), func(rng *rand.Rand, _ int) error {
			ticket, err := s.db.Update(func(tx *KeyTx) error {
				x, err1 := amount(tx.Get(2, []byte("x")))
				y, err2 := amount(tx.Get(2, []byte("y")))
				n := rng.IntN(20) - 10
				return errors.Join(err1, err2, put(tx, "x", x+n), put(tx, "y", y-n))
			})
			if err != nil || rng.IntN(20) > 0 {
				return err
			}
			if err := ticket.Wait(ctx); err != nil {
				return err
			}
			v := s.db.Keys()
			defer v.Close()
			x, err1 := amount(v.Get(2, []byte("x")))
			y, err2 := amount(v.Get(2, []byte("y")))
			if err1 == nil && err2 == nil && x+y != sum {
				err1 = fmt.Errorf("%d and %d make no %d", x, y, sum)
			}
			return errors.Join(err1, err2)
		})
	}
}
