package engine

import (
	"fmt"
	"time"
)

// applyLoop applies and publishes what is durable, and runs what must stand between groups.
func (db *DB) applyLoop(synced <-chan struct{}) {
	defer close(db.applyDone)
	for {
		select {
		case _, ok := <-synced:
			if !ok {
				return
			}
			db.applyUpTo(db.durable.load())
		case call := <-db.calls:
			call()
		}
	}
}

func (db *DB) applyUpTo(seq uint64) {
	if db.Failed() != nil {
		return
	}
	for {
		group := db.seq.take(seq, nil)
		if len(group) == 0 {
			return
		}
		began := time.Now()
		if err := db.ap.applyGroup(group); err != nil {
			db.fail(fmt.Errorf("%w: %w", ErrReadOnly, err))
			return
		}
		db.check.replay.Add(int64(time.Since(began)))
		db.seq.applied(group)
		db.boundTails()
	}
}

// tailShare is the part of the memory limit that tails may have. tailPause is the time between looks at tails that are too
// large; tailPatience how long the applier waits for background work that makes nothing of it.
const (
	tailShare    = 8
	tailPause    = 5 * time.Millisecond
	tailPatience = 2 * time.Second
)

// boundTails keeps the vectors that wait for a graph within their share of the memory limit, whoever writes: nothing more is
// applied until there is room. Collections that build no graphs do not count.
func (db *DB) boundTails() {
	most := db.opts.MemoryLimit / tailShare
	if most <= 0 || db.opts.Workers < 0 || db.unlooked < most/64 {
		return
	}
	db.unlooked = 0
	tails, _ := db.waitingTails()
	least, since := tails, time.Now()
	for tails > most && time.Since(since) < db.patience && db.stepping.Load() == 0 && !db.seq.isClosed() {
		db.budget.Press(true)
		db.wakeWorkers()
		select {
		case call := <-db.calls:
			call()
		case <-time.After(tailPause):
		}
		var working bool
		if tails, working = db.waitingTails(); tails < least || working {
			least, since = tails, time.Now()
		}
	}
	db.budget.Press(false)
}

// waitingTails is the size of all rows that wait for a graph, but for those that a merge will have, and whether one of
// the indexes is being worked on.
func (db *DB) waitingTails() (bytes int64, working bool) {
	for _, c := range db.ap.collections {
		for _, name := range c.names {
			if ix := c.vectors[name].index; !c.applied.schema.noGraph(name) {
				all, merged := ix.TailBytes()
				bytes += all - merged
				working = working || all > merged && ix.Working()
			}
		}
	}
	return bytes, working
}

// onApplier runs fn between two commit groups and waits for it.
func (db *DB) onApplier(fn func()) error {
	done := make(chan struct{})
	select {
	case db.calls <- func() { fn(); close(done) }:
		<-done
		return nil
	case <-db.applyDone:
		return ErrClosed
	}
}
