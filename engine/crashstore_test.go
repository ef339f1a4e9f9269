package engine

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/payload"
)

// crashStore stands in for badger in crash tests: it keeps what was synced, and after a crash
// a random part of the rest, in no order at all, some of it unreadable: the file of a long value need
// not be as durable as the reference to it. Like badger it drops shadowed versions at or below the
// discard mark.
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
	torn   bool // until it is written again
}

func newCrashStore() *crashStore { return &crashStore{versions: map[string][]version{}} }

// crash returns what a power cut may leave.
func (s *crashStore) crash(seed uint64, percent int) *crashStore {
	s.mu.Lock()
	defer s.mu.Unlock()
	rng := rand.New(rand.NewPCG(seed, 7))
	lost, unsynced := map[string]map[uint64]bool{}, map[string]map[uint64]bool{}
	note := func(in map[string]map[uint64]bool, op payload.Op) {
		if in[string(op.Key)] == nil {
			in[string(op.Key)] = map[uint64]bool{}
		}
		in[string(op.Key)][op.Seq] = true
	}
	for _, op := range s.unsynced {
		note(unsynced, op)
		if rng.IntN(100) >= percent {
			note(lost, op)
		}
	}
	after := newCrashStore()
	for _, key := range slices.Sorted(maps.Keys(s.versions)) {
		for _, v := range s.versions[key] {
			if !lost[key][v.seq] {
				v.torn = unsynced[key][v.seq] && rng.IntN(2) == 0
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
		v := version{seq: op.Seq, value: op.Value, delete: op.Delete}
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

// lookup returns payload.ErrNotFound like Get.
func (s *crashStore) lookup(seq uint64, key string) (version, error) {
	list := s.versions[key]
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].seq <= seq && !list[i].delete {
			return list[i], nil
		}
		if list[i].seq <= seq {
			break
		}
	}
	return version{}, payload.ErrNotFound
}

func (v version) read() ([]byte, error) {
	if v.torn {
		return nil, binfmt.Corrupt("crash store", 0, "a value of record %d that was to be replayed first", v.seq)
	}
	return v.value, nil
}

func (s *crashStore) Get(seq uint64, key, dst []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.lookup(seq, string(key))
	if err != nil {
		return nil, err
	}
	value, err := v.read()
	return append(dst, value...), err
}

func (s *crashStore) Has(seq uint64, key []byte) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.lookup(seq, string(key))
	return err == nil, nil
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
		v, err := s.lookup(seq, key)
		s.mu.Unlock()
		if err != nil {
			continue
		}
		var value []byte
		if !o.KeysOnly {
			if value, err = v.read(); err != nil {
				return err
			}
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
