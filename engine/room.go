package engine

import (
	"fmt"
	"slices"
	"syscall"
	"time"
)

// A write may be refused for want of room before the log takes it, never after: the log and the
// rows allocate files on their own, and badger's memtables and tables are mapped files with holes,
// where the first write without room ends the process. So writes leave as much as all of these may
// take at once.
const (
	roomBytes   = 256 << 20 // what writes leave free at most, and on a large file system at least
	roomShare   = 4         // or this part of a small file system, when nothing needs more
	deleteShare = 2         // deletes, which may make room later, go on until this part of it is left
	roomPause   = 20 * time.Millisecond

	// A queued operation is yet to be written to the log, to rows or a memtable, and to a table.
	queueShare = 3
	// baseNeed is for manifests and the files of checkpoints of a small database.
	baseNeed = 2 << 20

	// A file of the log takes its whole size at once, and a checkpoint gives the log's space back: on
	// a small file system both are parts of it.
	maxLogFileBytes = 64 << 20
	minLogFileBytes = 1 << 20
	logFileShare    = 64
	logShare        = 16
)

// room knows how much of the file system is free. Under the sequencer's lock but for ask.
type room struct {
	ask   func() (free, total int64, err error) // nil: there is always room
	asked time.Time
	free  int64
	keep  int64 // free of which puts are refused
	least int64 // and deletes
}

// check returns an error that is syscall.ENOSPC when o must not be written any more. queued bytes
// of operations, o among them, are logged and not applied; need is asked when the answer matters.
func (r *room) check(o op, queued int64, need func() (puts, deletes int64)) error {
	if r.ask == nil {
		return nil
	}
	if now := time.Now(); now.Sub(r.asked) > roomPause {
		free, total, err := r.ask()
		if err != nil {
			return nil // who cannot know must not refuse
		}
		r.asked, r.free = now, free
		r.keep = min(roomBytes, total/roomShare)
		r.least = r.keep / deleteShare
		if free < roomBytes+roomBytes/2 {
			puts, deletes := need()
			r.least = max(r.least, min(deletes, roomBytes/deleteShare))
			r.keep = max(r.keep, min(puts+puts/4, roomBytes))
		}
	}
	keep := r.keep
	if makesRoom(o) {
		keep = r.least
	}
	if free := r.free - queueShare*queued; free < keep {
		return fmt.Errorf("engine: %d MiB free where %d MiB are kept for what was written already: %w", max(free, 0)>>20, keep>>20, syscall.ENOSPC)
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

// need returns how much may be written at once on behalf of what is stored already: by badger and
// the next file of the log, and for puts by the next step of every row store that is nearly full.
func (db *DB) need() (puts, deletes int64) {
	deletes = baseNeed + db.kvNeed() + db.logFileBytes
	puts = deletes
	for _, c := range db.allCollections() {
		for _, v := range c.vectors {
			if slots := v.rows.Slots(); slots-c.slots.Taken() < slots/8 {
				puts += v.rows.StepBytes()
			}
		}
	}
	return puts, deletes
}

func (db *DB) kvNeed() int64 {
	if db.askNeed == nil {
		return 0
	}
	n, err := db.askNeed()
	if err != nil {
		db.log.Warn("what badger needs is not known", "err", err)
	}
	return n
}

// roomFor returns an error that is syscall.ENOSPC when writing so many bytes would leave badger
// less than it needs: somebody else filled the disk. Badger must be left alone then.
func (db *DB) roomFor(bytes int64) error {
	if db.room.ask == nil {
		return nil
	}
	free, _, err := db.room.ask()
	if err != nil || free > bytes+roomBytes {
		return nil
	}
	if need := db.kvNeed(); free < bytes+need {
		return fmt.Errorf("engine: %d MiB free, %d MiB needed: %w", free>>20, (bytes+need+1<<20-1)>>20, syscall.ENOSPC)
	}
	return nil
}

// sizeLog sets the size of the log and of its files from that of the file system.
func (db *DB) sizeLog() {
	db.logFileBytes, db.logBytes = maxLogFileBytes, maxLogBytes
	if db.room.ask == nil {
		return
	}
	if _, total, err := db.room.ask(); err == nil {
		db.logFileBytes = min(max(total/logFileShare, minLogFileBytes), maxLogFileBytes)
		db.logBytes = min(max(total/logShare, 2*minLogFileBytes), maxLogBytes)
	}
}
