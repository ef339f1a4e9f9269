package engine

import (
	"fmt"
	"slices"
	"syscall"
	"time"
)

// A write may be refused for want of room before the log takes it, never after: the log, the
// rows and badger allocate files on their own, and badger's memtables are mapped files with
// holes, where the first write without room ends the process.
const (
	roomBytes   = 256 << 20 // what writes leave free; at most a quarter of the file system
	deleteShare = 4         // deletes, which make room later, go on until a quarter of that is left
	roomPause   = 20 * time.Millisecond
)

// room knows how much of the file system is free. Under the sequencer's lock.
type room struct {
	ask   func() (free, total int64, err error) // nil: there is always room
	asked time.Time
	free  int64
	keep  int64
}

// check returns an error that is syscall.ENOSPC when o must not be written any more.
func (r *room) check(o op) error {
	if r.ask == nil {
		return nil
	}
	if now := time.Now(); now.Sub(r.asked) > roomPause {
		free, total, err := r.ask()
		if err != nil {
			return nil // who cannot know must not refuse
		}
		r.asked, r.free, r.keep = now, free, min(roomBytes, total/4)
	}
	keep := r.keep
	if makesRoom(o) {
		keep /= deleteShare
	}
	if r.free < keep {
		return fmt.Errorf("engine: %d MiB free where %d MiB are kept for what was written already: %w", r.free>>20, keep>>20, syscall.ENOSPC)
	}
	return nil
}

// makesRoom says whether o deletes, or finishes what was begun.
func makesRoom(o op) bool {
	switch o := o.(type) {
	case *opPoints:
		return !slices.ContainsFunc(o.changes, func(c pointChange) bool { return c.kind != changeDelete && c.kind != changeUnset })
	case *opKeys:
		return !slices.ContainsFunc(o.changes, func(c keyChange) bool { return c.kind == keyPut })
	case opCollectionDrop, opFieldDrop, opAliases, opFieldStep, opIndexStep, opFreeSlots:
		return true
	}
	return false
}
