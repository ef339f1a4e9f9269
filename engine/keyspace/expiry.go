package keyspace

import (
	"bytes"
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/isobath/isobath/engine"
)

// Pace of the sweeper.
const (
	sweepBatch = 256                    // keys deleted by one record
	sweepEvery = 100 * time.Millisecond // at most this often while nothing is overdue
	sweepAfter = time.Second            // rest after an error
	sweepIdle  = time.Minute
	loadBatch  = 4096 // keys read under one view at start
)

// expiryQueue holds the keys with an expiry, the next one first: one entry a key. An entry may be out of date; the sweeper
// looks at the document before it deletes.
type expiryQueue struct {
	mu    sync.Mutex
	heap  expiryHeap
	byKey map[keyName]*expiryEntry
	wake  chan struct{} // the first entry changed
}

type expiryEntry struct {
	keyName
	millis int64
	at     int // position in the heap
}

func (q *expiryQueue) init() {
	q.byKey = map[keyName]*expiryEntry{}
	q.wake = make(chan struct{}, 1)
}

// written follows what an update wrote.
func (q *expiryQueue) written(writes []write) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range writes {
		switch {
		case w.flush:
			q.flushLocked(w.database)
		case w.expire != 0:
			q.setLocked(w.keyName, w.expire)
		default:
			q.dropLocked(w.keyName)
		}
	}
}

// addOld adds what the scan at start found, unless a write knows better by now.
func (q *expiryQueue) addOld(name keyName, millis int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.byKey[name] == nil {
		q.setLocked(name, millis)
	}
}

func (q *expiryQueue) setLocked(name keyName, millis int64) {
	if e := q.byKey[name]; e != nil {
		e.millis = millis
		heap.Fix(&q.heap, e.at)
	} else {
		e := &expiryEntry{keyName: name, millis: millis}
		q.byKey[name] = e
		heap.Push(&q.heap, e)
	}
	if q.heap[0].keyName == name {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

func (q *expiryQueue) dropLocked(name keyName) {
	if e := q.byKey[name]; e != nil {
		delete(q.byKey, name)
		heap.Remove(&q.heap, e.at)
	}
}

func (q *expiryQueue) flushLocked(database int) {
	kept := q.heap[:0]
	for _, e := range q.heap {
		if e.database == database {
			delete(q.byKey, e.keyName)
			continue
		}
		e.at = len(kept)
		kept = append(kept, e)
	}
	clear(q.heap[len(kept):])
	q.heap = kept
	heap.Init(&q.heap)
}

// due takes up to n entries whose time has come out of the queue.
func (q *expiryQueue) due(now int64, n int) []expiryEntry {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []expiryEntry
	for len(out) < n && len(q.heap) > 0 && q.heap[0].millis <= now {
		e := heap.Pop(&q.heap).(*expiryEntry)
		delete(q.byKey, e.keyName)
		out = append(out, *e)
	}
	return out
}

// wait is how long the sweeper may rest.
func (q *expiryQueue) wait(now int64) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.heap) == 0 {
		return sweepIdle
	}
	return min(max(time.Duration(q.heap[0].millis-now)*time.Millisecond, sweepEvery), sweepIdle)
}

// sweep deletes expired keys until ctx ends.
func (s *Space) sweep(ctx context.Context) {
	s.done.Go(func() { s.loadExpiries(ctx) })
	for ctx.Err() == nil {
		n, err := s.sweepOnce(ctx)
		rest := s.expiry.wait(s.opt.Clock().UnixMilli())
		switch {
		case err != nil:
			if ctx.Err() == nil {
				s.opt.Log.Warn("expired keys not deleted", "err", err)
			}
			rest = sweepAfter
		case n == sweepBatch:
			continue
		}
		wake := s.expiry.wake
		if err != nil {
			wake = nil // rest to the end
		}
		timer := time.NewTimer(rest)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-wake:
		}
		timer.Stop()
	}
}

// sweepOnce deletes one batch of expired keys and waits for it, so that it never runs ahead of the writers.
func (s *Space) sweepOnce(ctx context.Context) (int, error) {
	due := s.expiry.due(s.opt.Clock().UnixMilli(), sweepBatch)
	if len(due) == 0 {
		return 0, nil
	}
	ticket, err := s.Update(0, func(tx *Tx) error { return tx.sweep(due) })
	if err != nil {
		for _, e := range due {
			s.expiry.addOld(e.keyName, e.millis)
		}
		return 0, err
	}
	return len(due), ticket.Wait(ctx)
}

func (tx *Tx) sweep(due []expiryEntry) error {
	tx.sweeping = true
	for _, e := range due {
		tx.database = e.database
		d, ok, err := tx.load([]byte(e.key))
		if err != nil {
			return err
		}
		switch {
		case !ok || d.Expire == 0:
		case tx.expired(d):
			if _, err := tx.remove([]byte(e.key)); err != nil {
				return err
			}
		default: // the entry was out of date
			tx.space.expiry.addOld(e.keyName, d.Expire)
		}
	}
	return nil
}

// loadExpiries finds the keys with an expiry that were there at start.
func (s *Space) loadExpiries(ctx context.Context) {
	for database := range s.opt.Databases {
		var from []byte
		for more := true; more && ctx.Err() == nil; {
			var err error
			if from, more, err = s.loadSome(database, from); err != nil {
				s.opt.Log.Warn("expiries not loaded", "database", database, "err", err)
				break
			}
		}
	}
}

func (s *Space) loadSome(database int, from []byte) (next []byte, more bool, err error) {
	keys := s.db.Keys()
	defer keys.Close()
	if keys.Expires(database) == 0 {
		return nil, false, nil
	}
	n := 0
	err = keys.Scan(database, engine.KeyScan{From: from}, func(key []byte, d engine.Document) (bool, error) {
		if n++; n > loadBatch {
			next, more = bytes.Clone(key), true
			return false, nil
		}
		if d.Expire != 0 {
			s.expiry.addOld(keyName{database, string(key)}, d.Expire)
		}
		return true, nil
	})
	return next, more, err
}

// expiryHeap implements heap.Interface.
type expiryHeap []*expiryEntry

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].millis < h[j].millis }
func (h expiryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}
func (h *expiryHeap) Push(x any) {
	e := x.(*expiryEntry)
	e.at = len(*h)
	*h = append(*h, e)
}
func (h *expiryHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return e
}
