package keyspace

import (
	"sync"
	"sync/atomic"

	"github.com/isobath/isobath/engine"
)

// Watch is what one connection watches. The zero value watches nothing. It belongs to one goroutine; only the mark that
// others set is shared.
type Watch struct {
	space *Space
	dirty atomic.Bool
	keys  map[keyName]bool // whether the key was absent, or had expired, when it was watched
}

// watchTable knows who watches a key. Marking happens in the sequencer, so an EXEC, which is an Update itself, cannot miss
// a write that came before it.
type watchTable struct {
	mu    sync.Mutex
	byKey map[keyName]map[*Watch]struct{}
	used  atomic.Int64 // keys in byKey: writes look no further while it is 0
}

func (t *watchTable) init() { t.byKey = map[keyName]map[*Watch]struct{}{} }

// Watch begins to watch keys. Once the ticket is done, every read sees all that was written before the watch began.
func (s *Space) Watch(w *Watch, database int, keys ...[]byte) (*engine.Ticket, error) {
	return s.Update(database, func(tx *Tx) error {
		for _, key := range keys {
			d, ok, err := tx.load(key)
			if err != nil {
				return err
			}
			s.watches.add(w, s, keyName{database, string(key)}, !ok || tx.expired(d))
		}
		return nil
	})
}

func (t *watchTable) add(w *Watch, s *Space, name keyName, absent bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w.space = s
	if w.keys == nil {
		w.keys = map[keyName]bool{}
	}
	if _, ok := w.keys[name]; ok {
		return
	}
	w.keys[name] = absent
	if t.byKey[name] == nil {
		t.byKey[name] = map[*Watch]struct{}{}
		t.used.Add(1)
	}
	t.byKey[name][w] = struct{}{}
}

// Clear watches nothing any more.
func (w *Watch) Clear() {
	if w.space == nil {
		return
	}
	t := &w.space.watches
	t.mu.Lock()
	defer t.mu.Unlock()
	for name := range w.keys {
		delete(t.byKey[name], w)
		if len(t.byKey[name]) == 0 {
			delete(t.byKey, name)
			t.used.Add(-1)
		}
	}
	w.space, w.keys = nil, nil
	w.dirty.Store(false)
}

// Dirty says whether a watched key was written since.
func (w *Watch) Dirty() bool { return w.dirty.Load() }

// Broken says whether EXEC must not run: a watched key was written since, or has expired.
func (tx *Tx) Broken(w *Watch) (bool, error) {
	if w.Dirty() {
		return true, nil
	}
	home := tx.database
	defer func() { tx.database = home }()
	for name, absent := range w.keys {
		if absent {
			continue
		}
		tx.database = name.database
		d, ok, err := tx.load([]byte(name.key))
		if err != nil {
			return false, err
		}
		if ok && tx.expired(d) {
			return true, nil
		}
	}
	return false, nil
}

// written marks everybody who watches what tx wrote. It runs in the sequencer.
func (t *watchTable) written(tx *Tx) {
	if t.used.Load() == 0 || len(tx.written) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, wr := range tx.written {
		if !wr.flush {
			t.markLocked(wr.keyName, tx.sweeping)
			continue
		}
		for name := range t.byKey {
			if name.database == wr.database {
				t.markLocked(name, true)
			}
		}
	}
}

// markLocked marks the watchers of a key. Removing a key that was absent, or had expired, when it was watched is no change to its
// watcher: had it been written since, that would have marked him.
func (t *watchTable) markLocked(name keyName, removed bool) {
	for w := range t.byKey[name] {
		if !removed || !w.keys[name] {
			w.dirty.Store(true)
		}
	}
}
