package vectorindex

import (
	"path"
	"time"
)

// A part takes long to fill. So that its graph need not be built again after a crash, what the graph holds is written
// every Config.SnapshotRows as a segment that only the durable list names: searches go on in memory, and the next
// snapshot, or the segment that the part becomes, takes its place.

// snapshotable returns a part whose graph holds many rows that are in no file.
func (ix *Index) snapshotable(s *sources) *part {
	if !ix.may() {
		return nil
	}
	for _, p := range s.parts {
		walked := int(p.walked.Load())
		if walked-p.snapshotRows() < ix.conf().SnapshotRows || ix.merge.holds(p) {
			continue
		}
		if float64(p.dead.Load()) <= busyDeadShareMax*float64(p.len()) { // else it is merged before long
			return p
		}
	}
	return nil
}

// snapshotRows is the number of rows that the snapshot of p holds. workMu is held.
func (p *part) snapshotRows() int {
	if p.saved == nil {
		return 0
	}
	return p.saved.Rows
}

// snapshot writes what the graph of p holds. workMu is held.
func (ix *Index) snapshot(p *part) error {
	begun := time.Now()
	n := int(p.walked.Load())
	sf, err := ix.createNew(n, p.book)
	if err != nil {
		return err
	}
	ref, err := sf.write(ix.conf(), p.seal(n))
	if err != nil {
		return err
	}
	if err := ix.commit(change{snapshot: &ref, snapshotOf: p}); err != nil {
		return err
	}
	ix.o.Log.Info("snapshot of a graph in memory", "file", ref.File, "rows", n, "bytes", ref.Bytes, "took", time.Since(begun))
	return nil
}

// takeSnapshotLocked makes the snapshot of c, if it has one, that of its part, and returns the one before. mu is held.
func (ix *Index) takeSnapshotLocked(c *change) (before *SegmentRef) {
	if c.snapshotOf != nil {
		before, c.snapshotOf.saved = c.snapshotOf.saved, c.snapshot
	}
	return before
}

// removeSnapshots removes a snapshot and those of parts, which the durable list names no more. What cannot be removed now
// is removed by the next Open. workMu is held, without which no part gets another snapshot; mu is not: searches wait for it, and
// a long file takes its time.
func (ix *Index) removeSnapshots(stale *SegmentRef, parts []*part) {
	if stale != nil {
		_ = ix.o.FS.Remove(path.Join(ix.o.Dir, stale.File))
	}
	for _, p := range parts {
		if p.saved != nil {
			_ = ix.o.FS.Remove(path.Join(ix.o.Dir, p.saved.File))
		}
	}
}
