package vectorindex

import (
	"fmt"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// change is a new list of sources: what goes, and what comes in its place.
type change struct {
	dropSegments, addSegments []*segment
	dropParts, addParts       []*part // the added ones are frozen and take the place of the first dropped
	snapshot                  *SegmentRef
	snapshotOf                *part // nil: no snapshot
}

// commit makes the list of segments durable and the sources current. In between Saved answers the new list already.
// Dead slots that no source names any more are forgotten. workMu is held.
func (ix *Index) commit(c change) error {
	ix.mu.Lock()
	segments := append(without(ix.current.segments, c.dropSegments...), c.addSegments...)
	stale := ix.takeSnapshotLocked(&c)
	saved := ix.savedLocked(segments, replace(ix.current.parts, c.dropParts, c.addParts))
	ix.committed = &saved
	ix.mu.Unlock()
	if err := ix.o.Commit(saved); err != nil {
		ix.broken = fmt.Errorf("vectorindex: commit segments: %w", err)
		ix.report(ix.broken)
		ix.mu.Lock()
		ix.committed = nil
		if c.snapshotOf != nil {
			c.snapshotOf.saved = stale
		}
		ix.mu.Unlock()
		for _, sg := range c.addSegments { // the files stay: the durable list may name them
			_ = sg.close()
		}
		for _, p := range c.addParts {
			p.free()
		}
		return ix.broken
	}
	ix.exchange(c, segments)
	ix.removeSnapshots(stale, c.dropParts)
	return nil
}

// exchange makes the sources after c current: its list of segments is durable.
func (ix *Index) exchange(c change, segments []*segment) {
	ix.deadMu.Lock()
	defer ix.deadMu.Unlock()
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ix.recountLocked(c.addSegments, c.addParts)
	for _, sg := range c.dropSegments {
		sg.doomed.Store(true)
	}
	ix.swapLocked(segments, replace(ix.current.parts, c.dropParts, c.addParts))
	ix.committed = nil
	ix.forgetLocked()
}

// replace returns list with add in place of the first of drop, or in front, and without the others of drop.
func replace(list, drop, add []*part) []*part {
	at := 0
	if len(drop) > 0 {
		at = max(0, slices.Index(list, drop[0]))
	}
	out := append(slices.Clone(list[:at]), add...)
	return without(append(out, list[at:]...), drop...)
}

// forgetLocked drops dead slots that no source names. deadMu and mu are held.
func (ix *Index) forgetLocked() {
	if ix.dead.IsEmpty() || ix.o.Flat {
		return
	}
	kept := roaring.New()
	for _, sg := range ix.current.segments {
		kept.Or(roaring.And(sg.set, ix.dead))
	}
	for _, p := range ix.current.parts {
		set := roaring.New()
		p.named(set)
		set.And(ix.dead)
		kept.Or(set)
	}
	ix.dead = kept
}
