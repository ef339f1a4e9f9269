package engine

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/isobath/isobath/payload"
	"github.com/stretchr/testify/require"
)

// hookedStore runs a function before each Apply, which may fail it.
type hookedStore struct {
	kvStore
	before atomic.Pointer[func([]payload.Op) error]
}

func (s *hookedStore) Apply(ops []payload.Op) error {
	if fn := s.before.Load(); fn != nil {
		if err := (*fn)(ops); err != nil {
			return err
		}
	}
	return s.kvStore.Apply(ops)
}

func (s *hookedStore) hook(fn func([]payload.Op) error) { s.before.Store(&fn) }

func openHooked(t *testing.T, d *disk) (*DB, *hookedStore) {
	t.Helper()
	kv := &hookedStore{kvStore: d.kv}
	db, err := openStores("data", Options{Workers: -1, CheckpointAfter: time.Hour}, stores{
		fs: d.files(), kv: func() (kvStore, error) { return kv, nil }, tune: smallSegments,
	})
	require.NoError(t, err)
	return db, kv
}

func upsertOne(t testing.TB, c *Collection, id uint64, round int, payload string, o UpsertOptions) {
	t.Helper()
	p := Point{ID: NumID(id), Vectors: Vectors{"": testVector(id, round)}}
	if payload != "" {
		p.Payload = []byte(payload)
	}
	_, err := c.Upsert(context.Background(), []Point{p}, o)
	require.NoError(t, err)
}

func testCollection(t testing.TB, db *DB, name string) *Collection {
	t.Helper()
	require.NoError(t, db.CreateCollection(context.Background(), name, testSchema()))
	c, err := db.Collection(name)
	require.NoError(t, err)
	return c
}

func (db *DB) seqLast() uint64 {
	db.seq.mu.Lock()
	defer db.seq.mu.Unlock()
	return db.seq.last
}

// within fails the test when fn takes long: it is how a deadlock shows.
func within(t testing.TB, d time.Duration, fn func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); fn() }()
	select {
	case <-done:
	case <-time.After(d):
		t.Fatal("deadlock")
	}
}
