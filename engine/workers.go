package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// workers build graphs, payload indexes and backfills in the background, one bounded slice of
// one collection after the other, so that collections share the processors fairly.
type workers struct {
	wake chan struct{}
}

// workIdle is the time between looks for work that becomes due without a write, such as
// sealing a head that has gone quiet.
const workIdle = 500 * time.Millisecond

func (db *DB) wakeWorkers() {
	select {
	case db.workers.wake <- struct{}{}:
	default:
	}
}

func (db *DB) workLoop(ctx context.Context) {
	for ctx.Err() == nil {
		db.setPace()
		db.effort.look(time.Now())
		did, began := false, time.Now()
		long := time.AfterFunc(effortWindow, db.effort.long)
		for _, c := range db.allCollections() {
			if ctx.Err() != nil {
				break
			}
			did = c.workSlice(ctx) || did
		}
		long.Stop()
		if did {
			worked := time.Since(began)
			db.effort.spent(worked)
			db.yield(ctx, worked)
			continue
		}
		select {
		case <-ctx.Done():
		case <-db.workers.wake:
		case <-time.After(workIdle):
		}
	}
}

// While a load runs, workers pause until nothing waits to be applied, for up to yieldSlices times as long as they have
// worked and yieldMost at once. Searches pay for rows without a graph, so this ends with a tail that takes longer to scan
// than a few milliseconds.
const (
	yieldSlices = 3
	yieldMost   = 100 * time.Millisecond
	yieldTail   = 48 << 20
	yieldLook   = 2 * time.Millisecond
)

// yield leaves the processors to writers after so much work.
func (db *DB) yield(ctx context.Context, worked time.Duration) {
	for until := time.Now().Add(min(yieldSlices*worked, yieldMost)); time.Now().Before(until) && db.yields(); {
		select {
		case <-ctx.Done():
			return
		case <-time.After(yieldLook):
		}
	}
}

// yields says whether writers come before graphs.
func (db *DB) yields() bool {
	if db.seq.queueLen() == 0 || len(db.paced()) > 0 {
		return false
	}
	most := int64(yieldTail)
	if limit := db.opts.MemoryLimit; limit > 0 {
		most = min(most, limit/tailShare/2)
	}
	var tails int64
	db.eachWorked(func(c *Collection) {
		for _, name := range c.names {
			all, _ := c.vectors[name].index.TailBytes()
			tails += all
		}
	})
	return tails <= most
}

// eachWorked calls fn with every collection whose vectors workers look after.
func (db *DB) eachWorked(fn func(c *Collection)) {
	for _, c := range db.allCollections() {
		if c.broken != nil || c.published().schema.NoBackground || !c.life.enter() {
			continue
		}
		fn(c)
		c.life.leave()
	}
}

// allCollections returns every collection, by number.
func (db *DB) allCollections() []*Collection {
	db.mu.RLock()
	defer db.mu.RUnlock()
	list := make([]*Collection, 0, len(db.catalog.byNum))
	for _, num := range slices.Sorted(maps.Keys(db.catalog.byNum)) {
		list = append(list, db.catalog.byNum[num])
	}
	return list
}

// workSlice does one slice of what is due and says whether there was any.
func (c *Collection) workSlice(ctx context.Context) bool {
	if !c.due() || !c.working.CompareAndSwap(false, true) {
		return false
	}
	defer c.working.Store(false)
	if !c.life.enter() {
		return false
	}
	defer c.life.leave()
	did := false
	step := func(fn func(context.Context) (bool, error)) {
		ok, err := fn(ctx)
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, ErrClosed) {
			c.db.log.Error("background work", "collection", c.name, "err", err)
			return
		}
		did = did || ok
	}
	if c.db.Failed() == nil { // these are writes
		step(c.nextIndexStep)
		step(c.nextFieldStep)
	}
	step(c.configure)
	for _, name := range c.names {
		step(c.vectors[name].index.Work)
	}
	if !did && !c.published().schema.NoBackground { // first what searches need more
		for _, name := range c.names {
			did = c.warmRows(name) || did
		}
	}
	return did
}

// step writes an operation of a worker and waits for it. Meanwhile the worker builds no graph: the applier does not wait
// for one, see boundTails.
func (db *DB) step(ctx context.Context, o op) error {
	db.stepping.Add(1)
	defer db.stepping.Add(-1)
	t, err := db.sequence(func() (op, error) { return o, nil })
	if err != nil {
		return err
	}
	return t.Wait(ctx)
}

const warmStep = 16 << 20 // bytes

// warmRows asks for the next rows of a vector that is not kept on disk only, once after the start, and says whether
// there were any. What would make more than half of the memory limit of the rows of all collections is left to what
// searches read.
func (c *Collection) warmRows(name string) bool {
	v := c.vectors[name]
	if v.warm < 0 || c.published().schema.Vectors[name].OnDisk {
		return false
	}
	if v.warm == 0 {
		size, limit := v.rows.Bytes(), c.db.opts.MemoryLimit
		if limit > 0 && c.db.warmed.Add(size) > limit/2 {
			c.db.warmed.Add(-size)
			return false
		}
	}
	v.warm = v.rows.Warm(v.warm, warmStep)
	return v.warm >= 0
}

// due says whether the collection may have work; it is asked often and answers cheaply.
func (c *Collection) due() bool {
	st := c.published()
	if st.dropped || c.broken != nil {
		return false
	}
	if st.feed != nil && st.feed.state == BackfillInProgress || st.revision != c.configured.Load() {
		return true
	}
	for _, f := range st.fields {
		if !f.ready {
			return true
		}
	}
	return st.filter.Len() > 0 || st.operation > 0
}

// sealAll seals the heads that are worth it, within ctx.
func (db *DB) sealAll(ctx context.Context) {
	for _, c := range db.allCollections() {
		if c.broken != nil || !c.life.enter() {
			continue
		}
		for _, name := range c.names {
			if err := c.vectors[name].index.SealAll(ctx); err != nil && ctx.Err() == nil {
				db.log.Warn("head not sealed, its graph is built again at the next start", "collection", c.name, "err", err)
			}
		}
		c.life.leave()
	}
}
