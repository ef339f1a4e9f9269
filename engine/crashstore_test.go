package engine

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/payload"
)

// crashStore stands in for badger in crash tests: it keeps what was synced, and after a crash
// a random part of the rest, in no order at all. Like badger it drops shadowed versions at or
// below the discard mark.
type crashStore struct {
	mu       sync.Mutex
	versions map[string][]version // by key, ascending seq
	unsynced []payload.Op
	discard  uint64
}

type version struct {
	seq    uint64
	value  []byte
	delete bool
}

func newCrashStore() *crashStore { return &crashStore{versions: map[string][]version{}} }

// crash returns what a power cut may leave.
func (s *crashStore) crash(seed uint64, percent int) *crashStore {
	s.mu.Lock()
	defer s.mu.Unlock()
	rng := rand.New(rand.NewPCG(seed, 7))
	lost := map[string]map[uint64]bool{}
	for _, op := range s.unsynced {
		if rng.IntN(100) >= percent {
			if lost[string(op.Key)] == nil {
				lost[string(op.Key)] = map[uint64]bool{}
			}
			lost[string(op.Key)][op.Seq] = true
		}
	}
	after := newCrashStore()
	for key, list := range s.versions {
		for _, v := range list {
			if !lost[key][v.seq] {
				after.versions[key] = append(after.versions[key], v)
			}
		}
	}
	return after
}

func (s *crashStore) Apply(ops []payload.Op) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, op := range ops {
		op = payload.Op{Key: slices.Clone(op.Key), Value: slices.Clone(op.Value), Seq: op.Seq, Delete: op.Delete}
		list := s.versions[string(op.Key)]
		at, found := slices.BinarySearchFunc(list, op.Seq, func(v version, seq uint64) int {
			return int(int64(v.seq) - int64(seq))
		})
		v := version{op.Seq, op.Value, op.Delete}
		if found {
			list[at] = v
		} else {
			list = slices.Insert(list, at, v)
		}
		s.versions[string(op.Key)] = list
		s.unsynced = append(s.unsynced, op)
	}
	return nil
}

func (s *crashStore) lookup(seq uint64, key string) ([]byte, bool) {
	list := s.versions[key]
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].seq <= seq {
			return list[i].value, !list[i].delete
		}
	}
	return nil, false
}

func (s *crashStore) Get(seq uint64, key, dst []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := s.lookup(seq, string(key))
	if !ok {
		return nil, payload.ErrNotFound
	}
	return append(dst, value...), nil
}

func (s *crashStore) Has(seq uint64, key []byte) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.lookup(seq, string(key))
	return ok, nil
}

func (s *crashStore) Scan(seq uint64, o payload.ScanOptions, fn func(key, value []byte) (bool, error)) error {
	s.mu.Lock()
	var keys []string
	for key := range s.versions {
		if bytes.HasPrefix([]byte(key), o.Prefix) && (o.From == nil || key >= string(o.From)) {
			keys = append(keys, key)
		}
	}
	s.mu.Unlock()
	slices.Sort(keys)
	for _, key := range keys {
		s.mu.Lock()
		value, ok := s.lookup(seq, key)
		s.mu.Unlock()
		if !ok {
			continue
		}
		if o.KeysOnly {
			value = nil
		}
		if more, err := fn([]byte(key), slices.Clone(value)); err != nil || !more {
			return err
		}
	}
	return nil
}

func (s *crashStore) SetDiscard(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.discard = max(s.discard, seq)
	for key, list := range s.versions {
		newest := 0
		for i, v := range list {
			if v.seq <= s.discard {
				newest = i
			}
		}
		s.versions[key] = slices.Clone(list[newest:])
	}
}

func (s *crashStore) Sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsynced = nil
	return nil
}

func (s *crashStore) Damage() *binfmt.CorruptError { return nil }
func (s *crashStore) Stats() payload.Stats         { return payload.Stats{} }
func (s *crashStore) Close() error                 { return nil }
