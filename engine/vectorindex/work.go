package vectorindex

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	verifyBlocks     = 256 // 16 MiB a slice
	maxSegments      = 3
	busyTier         = 8    // beside appends a segment is merged into a larger one when it has 1/8 of its rows
	idleTier         = 20   // at rest
	busyDeadShareMax = 0.20 // beside writes a source with more dead rows is written anew
	idleDeadShareMax = 0.05 // at rest
	rewriteMinDead   = 32

	pauseAfterError = 10 * time.Second // the disk may be full: do not build a graph again and again for nothing
)

// Work does one bounded slice of what is due and tells whether there was any. A second caller returns at once. After an
// error files are left alone for a while.
func (ix *Index) Work(ctx context.Context) (did bool, err error) {
	if !ix.working.CompareAndSwap(false, true) {
		return false, nil
	}
	defer ix.working.Store(false)
	ix.workMu.Lock()
	defer ix.workMu.Unlock()
	if ix.isClosed() || ix.broken != nil && !ix.may() {
		return false, nil // what broke was returned once and is among Problems
	}
	if ix.broken != nil {
		return ix.mend()
	}
	s := ix.pin()
	defer s.release()
	if ix.centred {
		ix.retarget(s)
	}
	steps := ix.steps(s)
	if ix.conf().NoBackground {
		steps = ix.upkeep(s)
	}
	if len(steps) == 0 {
		return false, nil
	}
	ix.turn++ // so that neither a long tail nor a long merge keeps the other waiting
	if err := steps[ix.turn%len(steps)](ctx); err != nil {
		ix.pausedTill = time.Now().Add(pauseAfterError)
		return true, err
	}
	return true, nil
}

// mend makes the list in use durable once more after a Commit that failed, perhaps half: from then on it is known
// which list is durable, and work goes on. workMu is held.
func (ix *Index) mend() (did bool, err error) {
	if err := ix.o.Commit(ix.Saved()); err != nil {
		ix.pausedTill = time.Now().Add(pauseAfterError)
		return false, nil
	}
	ix.broken = nil
	ix.o.Log.Info("segments are written again")
	return true, nil
}

// may tells whether files may be written. workMu is held.
func (ix *Index) may() bool { return ix.pausedTill.IsZero() || time.Now().After(ix.pausedTill) }

func (ix *Index) isClosed() bool {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	return ix.closed
}

// due tells whether Work would do something. It is called without workMu.
func (ix *Index) due(s *sources) bool {
	if ix.working.Load() || !ix.workMu.TryLock() {
		return true
	}
	defer ix.workMu.Unlock()
	return ix.broken == nil && len(ix.steps(s)) > 0
}

// steps lists what is due: at most one slice of each kind. workMu is held.
func (ix *Index) steps(s *sources) []func(context.Context) error {
	var steps []func(context.Context) error
	add := func(fn func(context.Context) error) { steps = append(steps, fn) }
	if sg := unverified(s); sg != nil && ix.may() {
		add(func(context.Context) error { return ix.verify(sg) })
	}
	if p := ix.wasteful(s); p != nil {
		add(func(context.Context) error { return ix.rewrite(p) })
		return steps
	}
	if ix.o.Flat {
		return steps
	}
	if ix.centres(s) {
		return append(steps, func(context.Context) error { return ix.fixCentre(s) })
	}
	if p := ix.recodable(s); p != nil {
		return append(steps, func(context.Context) error { return ix.recode(p) })
	}
	if p := encodable(s); p != nil {
		return append(steps, func(context.Context) error { return ix.encodeSome(p) })
	}
	if p := ix.sealable(s); p != nil {
		// Before the next part gets a graph: it may be better off merged with this segment.
		return append(steps, func(ctx context.Context) error { return ix.seal(ctx, p) })
	}
	if p := ix.snapshotable(s); p != nil {
		return append(steps, func(context.Context) error { return ix.snapshot(p) })
	}
	if i := slices.IndexFunc(s.parts, func(p *part) bool { return ix.inserts(s, p) && !ix.spared(p) }); i >= 0 {
		p := s.parts[i]
		if ix.merge == nil {
			if segments := ix.absorbs(s, p); segments != nil {
				return append(steps, func(context.Context) error { return ix.beginMerge(segments, []*part{p}) })
			}
		}
		add(func(context.Context) error { return ix.insertTail(p) })
	}
	if ix.merge != nil {
		add(ix.mergeSlice)
	} else if inputs := ix.mergeable(s); len(inputs) > 0 {
		add(func(context.Context) error { return ix.beginMerge(inputs, nil) })
	} else if sg, where := ix.placeable(s); sg != nil {
		add(func(context.Context) error { return ix.placeSegment(sg, where) })
	}
	return steps
}

// upkeep lists what is due where background work is switched off: without it searches would read rows for ever, and
// memory would grow with the rows.
func (ix *Index) upkeep(s *sources) []func(context.Context) error {
	if ix.o.Flat {
		return nil
	}
	if p := encodable(s); p != nil {
		return []func(context.Context) error{func(context.Context) error { return ix.encodeSome(p) }}
	}
	if i := slices.IndexFunc(s.parts, func(p *part) bool { return ix.full(s, p) }); i >= 0 && ix.may() {
		return []func(context.Context) error{func(ctx context.Context) error { return ix.seal(ctx, s.parts[i]) }}
	}
	return nil
}

// inserts tells whether rows of p wait for a graph.
func (ix *Index) inserts(s *sources, p *part) bool {
	return int(p.walked.Load()) < p.len() && (p.graph.Load() != nil || ix.wantsGraph(s))
}

// spared tells whether the running merge will have the rows of p in its graph, or in the graph that p is merged with
// afterwards: a short tail beside it is not worth a graph of its own, unless writers wait for it.
func (ix *Index) spared(p *part) bool {
	m := ix.merge
	return m.holds(p) || (m != nil && len(m.parts) > 0 && p.graph.Load() == nil && p.len() < minSnapshotRows && !ix.o.Budget.pressed())
}

func unverified(s *sources) *segment {
	for _, sg := range s.segments {
		if sg.suspect.Swap(false) {
			sg.checked = 0
		}
		if sg.checked < sg.blocks() {
			return sg
		}
	}
	return nil
}

// verify verifies some blocks of a segment that was mapped at Open. A damaged one is taken out and indexed again.
func (ix *Index) verify(sg *segment) error {
	_, err := sg.checkSome(verifyBlocks)
	if err == nil {
		return nil
	}
	sg.checked = sg.blocks()
	ix.report(fmt.Errorf("vectorindex: segment is rebuilt: %w", err))
	if err := ix.dissolve(sg); err != nil {
		sg.suspect.Store(true) // it is still in use
		return err
	}
	return nil
}
