package vectorindex

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
)

const (
	verifyBlocks   = 256  // 16 MiB a slice
	deadShareMax   = 0.20 // a source with more dead rows is written anew
	maxSegments    = 3
	busyTier       = 8  // beside appends a segment is merged into a larger one when it has 1/8 of its rows
	idleTier       = 20 // at rest
	rewriteMinDead = 1024
)

// Work does one bounded slice of what is due and tells whether there was any. A second caller returns at once.
func (ix *Index) Work(ctx context.Context) (did bool, err error) {
	if !ix.workMu.TryLock() {
		return false, nil
	}
	defer ix.workMu.Unlock()
	if ix.isClosed() || ix.broken != nil {
		return false, ix.broken
	}
	s := ix.pin()
	defer s.release()
	steps := ix.steps(s)
	if len(steps) == 0 {
		return false, nil
	}
	ix.turn++ // so that neither a long tail nor a long merge keeps the other waiting
	return true, steps[ix.turn%len(steps)](ctx)
}

func (ix *Index) isClosed() bool {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	return ix.closed
}

// due tells whether Work would do something. It is called without workMu.
func (ix *Index) due(s *sources) bool {
	if !ix.workMu.TryLock() {
		return true
	}
	defer ix.workMu.Unlock()
	return ix.broken == nil && len(ix.steps(s)) > 0
}

// steps lists what is due: at most one slice of each kind. workMu is held.
func (ix *Index) steps(s *sources) []func(context.Context) error {
	var steps []func(context.Context) error
	add := func(fn func(context.Context) error) { steps = append(steps, fn) }
	if sg := unverified(s); sg != nil {
		add(func(context.Context) error { return ix.verify(sg) })
	}
	if p := ix.wasteful(s); p != nil {
		add(func(context.Context) error { return ix.rewrite(p) })
		return steps
	}
	if ix.o.Flat {
		return steps
	}
	if i := slices.IndexFunc(s.parts, func(p *part) bool { return ix.inserts(s, p) }); i >= 0 {
		add(func(context.Context) error { return ix.insertTail(s.parts[i]) })
	}
	if p := ix.sealable(s); p != nil {
		add(func(ctx context.Context) error { return ix.seal(ctx, p) })
	} else if ix.merge != nil {
		add(ix.mergeSlice)
	} else if inputs := ix.mergeable(s); len(inputs) > 0 {
		add(func(context.Context) error { return ix.beginMerge(inputs, nil) })
	}
	return steps
}

// inserts tells whether rows of p wait for a graph.
func (ix *Index) inserts(s *sources, p *part) bool {
	return int(p.walked.Load()) < p.len() && (p.graph.Load() != nil || ix.wantsGraph(s))
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
	return ix.dissolve(sg)
}

// dissolve takes a segment out and puts its live rows into parts, in one step.
func (ix *Index) dissolve(sg *segment) error {
	if ix.merge != nil && slices.Contains(ix.merge.segments, sg) {
		ix.endMerge()
	}
	ix.deadMu.Lock()
	live := roaring.AndNot(sg.set, ix.dead)
	ix.deadMu.Unlock()
	parts, err := ix.partsOf(live)
	if err != nil {
		return err
	}
	return ix.commit(change{dropSegments: []*segment{sg}, addParts: parts})
}

// partsOf makes frozen parts of the rows of set.
func (ix *Index) partsOf(set *roaring.Bitmap) (parts []*part, err error) {
	view := ix.o.Rows.View()
	if view == nil {
		return nil, ErrClosed
	}
	defer view.Release()
	defer func() {
		if err != nil {
			for _, p := range parts {
				p.free()
			}
			parts = nil
		}
	}()
	var p *part
	for it := set.Iterator(); it.HasNext(); {
		slot := it.Next()
		row, rowErr := view.Row(slot)
		if rowErr != nil {
			ix.report(fmt.Errorf("vectorindex: row of slot %d is not indexed: %w", slot, rowErr))
			continue
		}
		if p == nil || p.room() == 0 {
			if p, err = newPart(min(ix.o.SealRows, int(set.GetCardinality())), ix.stride); err != nil {
				return parts, err
			}
			p.frozen.Store(true)
			parts = append(parts, p)
		}
		p.append([]uint32{slot}, [][]float32{row}, ix.quantizer, 1)
	}
	return parts, nil
}

// wasteful returns a part without graph that is mostly dead rows.
func (ix *Index) wasteful(s *sources) *part {
	if ix.o.Flat {
		rows, dead := s.rows(), ix.deadRows(s)
		if len(s.parts) > 0 && dead > rewriteMinDead && 2*dead > rows {
			return s.parts[0]
		}
		return nil
	}
	for _, p := range s.parts {
		if dead := int(p.dead.Load()); dead > rewriteMinDead && 2*dead > p.len() && p.graph.Load() == nil {
			return p
		}
	}
	return nil
}

// rewrite replaces a part (Flat: all parts) by one of its live rows. Appends wait meanwhile: it is a copy of some
// megabytes at most.
func (ix *Index) rewrite(p *part) error {
	ix.writeMu.Lock()
	defer ix.writeMu.Unlock()
	s := ix.pin()
	defer s.release()
	old := []*part{p}
	if ix.o.Flat {
		old = s.parts
	}
	ix.deadMu.Lock()
	dead := ix.dead.Clone()
	ix.deadMu.Unlock()
	fresh, err := ix.copyParts(old, dead)
	if err != nil {
		return err
	}
	takesRows := !old[len(old)-1].frozen.Load()
	for i, f := range fresh {
		f.frozen.Store(!takesRows || i < len(fresh)-1)
	}
	ix.deadMu.Lock()
	defer ix.deadMu.Unlock()
	ix.recountLocked(nil, fresh)
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ix.swapLocked(ix.current.segments, replace(ix.current.parts, old, fresh))
	if ix.o.Flat {
		ix.named.AndNot(dead)
		ix.dead.AndNot(dead)
	}
	ix.forgetLocked()
	return nil
}

// copyParts copies what is not dead to new parts.
func (ix *Index) copyParts(old []*part, dead *roaring.Bitmap) (fresh []*part, err error) {
	var next *part
	for _, p := range old {
		for ord, slot := range p.slots[:p.len()] {
			if dead.Contains(slot) {
				continue
			}
			if next == nil || next.room() == 0 {
				if next, err = newPart(ix.o.SealRows, ix.stride); err != nil {
					for _, f := range fresh {
						f.free()
					}
					return nil, err
				}
				fresh = append(fresh, next)
			}
			next.copyOrd(slot, p.codes[ord*ix.stride:])
		}
	}
	return fresh, nil
}

// sealable returns a part that is due to become a segment: a full one, or at rest one that is worth it.
func (ix *Index) sealable(s *sources) *part {
	idle := ix.idle()
	for _, p := range s.parts {
		n := p.len()
		if n == 0 || ix.inserts(s, p) {
			continue
		}
		if p.frozen.Load() || n == p.capacity {
			return p
		}
		worth := max(largest(s.segments)/idleTier, 1)
		if idle && n >= worth && ix.o.rawBytes(n) >= ix.o.IndexFromBytes {
			return p
		}
		if p.graph.Load() != nil && p.dead.Load() > rewriteMinDead && 2*int(p.dead.Load()) > n {
			return p
		}
	}
	return nil
}

func largest(segments []*segment) (n int) {
	for _, sg := range segments {
		n = max(n, sg.live())
	}
	return n
}

// idle tells whether no row came for a while.
func (ix *Index) idle() bool {
	return time.Now().UnixNano()-ix.lastAppend.Load() > int64(ix.o.SealIdle)
}

// freeze lets p take no more rows.
func (ix *Index) freeze(p *part) {
	ix.writeMu.Lock()
	defer ix.writeMu.Unlock()
	p.frozen.Store(true)
}

// seal writes a part as a segment. One with many dead rows is merged into one instead.
func (ix *Index) seal(ctx context.Context, p *part) error {
	ix.freeze(p)
	if int(p.walked.Load()) < p.len() && p.graph.Load() != nil {
		return nil // rows came in between: insert these first
	}
	if float64(p.dead.Load()) > deadShareMax*float64(p.len()) {
		if ix.merge != nil {
			return ix.mergeSlice(ctx)
		}
		return ix.beginMerge(nil, []*part{p})
	}
	return ix.sealPrefix(p, p.len())
}

// sealPrefix writes the first n ords of a frozen part as a segment; the rest, if any, becomes a part of its own.
func (ix *Index) sealPrefix(p *part, n int) error {
	begun := time.Now()
	c := change{dropParts: []*part{p}}
	if n < p.len() {
		rest, err := newPart(p.len()-n, ix.stride)
		if err != nil {
			return err
		}
		for ord := n; ord < p.len(); ord++ {
			rest.copyOrd(p.slots[ord], p.codes[ord*ix.stride:])
		}
		rest.frozen.Store(true)
		c.addParts = []*part{rest}
	}
	sg, err := ix.writeNew(p.seal(n))
	if err != nil {
		for _, rest := range c.addParts {
			rest.free()
		}
		return err
	}
	c.addSegments = []*segment{sg}
	if err := ix.commit(c); err != nil {
		return err
	}
	ix.o.Log.Info("segment sealed", "file", sg.ref.File, "rows", sg.rows, "bytes", sg.ref.Bytes, "took", time.Since(begun))
	return nil
}

// SealAll makes the next start short: it inserts the tail until ctx ends and writes what the graphs in memory hold as
// segments, where that is worth it. A merge under way is given up. The engine calls it before a clean stop.
func (ix *Index) SealAll(ctx context.Context) error {
	ix.workMu.Lock()
	defer ix.workMu.Unlock()
	if ix.isClosed() || ix.broken != nil || ix.o.Flat {
		return ix.broken
	}
	if ix.merge != nil {
		ix.endMerge()
	}
	s := ix.pin()
	defer s.release()
	builds := ix.wantsGraph(s)
	for _, p := range s.parts {
		for builds && int(p.walked.Load()) < p.len() && ctx.Err() == nil {
			if err := ix.insertTail(p); err != nil {
				return err
			}
		}
		ix.freeze(p)
		n := p.len()
		if p.graph.Load() != nil || builds {
			n = int(p.walked.Load())
		}
		if n == 0 || ix.o.rawBytes(n) < ix.o.IndexFromBytes {
			continue
		}
		if err := ix.sealPrefix(p, n); err != nil {
			return err
		}
	}
	return nil
}

// writeNew writes and maps a segment that nothing names yet.
func (ix *Index) writeNew(in segmentInput) (*segment, error) {
	ix.mu.Lock()
	id := ix.nextFile
	ix.nextFile++
	ix.mu.Unlock()
	ref, err := writeSegment(ix.o.FS, ix.o.Dir, id, &ix.o.Config, ix.kind, in)
	if err != nil {
		return nil, err
	}
	sg, err := openSegment(ix.o.FS, ix.o.Dir, ref, ix.o.InRAM)
	if err != nil {
		_ = ix.o.FS.Remove(path.Join(ix.o.Dir, ref.File)) // nobody names it
		return nil, err
	}
	sg.checked = sg.blocks() // just written
	return sg, nil
}
