package engine

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Rows that no graph holds yet are scanned by every search. While that costs searches much, writes of the collection are
// answered at the speed at which graphs take their rows. They are logged and visible as soon as ever; only who waits for
// the answer before he sends more is slowed down.

const (
	paceEvery = 250 * time.Millisecond
	paceMost  = 2 * time.Second // clients have timeouts
)

// paced is a collection whose writers are slowed down.
type paced struct {
	c    *Collection
	rate float64 // rows a second
}

// pacer spreads the answers to the writes of a collection over time.
type pacer struct {
	mu   sync.Mutex
	next time.Time
}

// due returns when a write of so many rows is to be answered.
func (p *pacer) due(now time.Time, rows int, rate float64) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(time.Duration(float64(rows) / rate * float64(time.Second)))
	if latest := now.Add(paceMost); p.next.After(latest) {
		p.next = latest
	}
	return p.next
}

// pacing is which collections are paced, found now and then by the workers.
type pacing struct {
	list   atomic.Pointer[[]paced]
	looked atomic.Int64
}

// setPace finds the collections whose writers are to be slowed down.
func (db *DB) setPace() {
	now, before := time.Now().UnixNano(), db.pacing.looked.Load()
	if now-before < int64(paceEvery) || !db.pacing.looked.CompareAndSwap(before, now) {
		return
	}
	var list []paced
	db.eachWorked(func(c *Collection) {
		rate := math.Inf(1)
		for _, name := range c.names {
			rate = min(rate, c.vectors[name].index.WriteRate())
		}
		if !math.IsInf(rate, 1) {
			list = append(list, paced{c, rate})
		}
	})
	db.pacing.list.Store(&list)
}

// paced returns the collections whose writers are slowed down.
func (db *DB) paced() []paced {
	if list := db.pacing.list.Load(); list != nil {
		return *list
	}
	return nil
}

// pace returns when an operation is to be answered, the zero time: at once.
func (db *DB) pace(o op) (due time.Time) {
	for _, p := range db.paced() {
		if rows := p.c.rowsOf(o); rows > 0 {
			if t := p.c.pacer.due(time.Now(), rows, p.rate); t.After(due) {
				due = t
			}
		}
	}
	return due
}

// rowsOf returns how many points with vectors, or keys that the index covers, an operation writes to c.
func (c *Collection) rowsOf(o op) (n int) {
	switch o := o.(type) {
	case *opPoints:
		if o.num == c.num {
			for i := range o.changes {
				if len(o.changes[i].vectors) > 0 {
					n++
				}
			}
		}
	case *opKeys:
		feed := c.published().feed
		for i := range o.changes {
			if ch := &o.changes[i]; feed != nil && ch.kind == keyPut && ch.database == feed.def.Database && feed.covers(ch.key, ch.doc.Kind) {
				n++
			}
		}
	}
	return n
}

// waitUntil returns at t, or when ctx ends with its error.
func waitUntil(ctx context.Context, t time.Time) error {
	if t.IsZero() || !time.Now().Before(t) {
		return nil
	}
	wait, cancel := context.WithDeadline(ctx, t)
	defer cancel()
	<-wait.Done()
	return ctx.Err()
}
