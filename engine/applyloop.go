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
		db.slowForTails()
	}
}

// tailPause is how long the applier waits for background work while tails are too large, and
// the least time between looks at them.
const tailPause = 5 * time.Millisecond

// slowForTails keeps the vectors that wait for a graph within an eighth of the memory limit,
// whoever writes. Collections that build no graphs do not count.
func (db *DB) slowForTails() {
	if db.opts.MemoryLimit <= 0 || db.opts.Workers < 0 || time.Since(db.tailsLooked) < tailPause {
		return
	}
	db.tailsLooked = time.Now()
	var tails int64
	for _, c := range db.ap.collections {
		for _, name := range c.names {
			if ix := c.vectors[name].index; !c.applied.schema.noGraph(name) {
				tails += ix.TailBytes()
			}
		}
	}
	if tails > db.opts.MemoryLimit/8 {
		db.wakeWorkers()
		time.Sleep(tailPause)
	}
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
