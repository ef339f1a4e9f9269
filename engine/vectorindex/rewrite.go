package vectorindex

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// dissolve takes a segment out and puts its live rows into parts, in one step. The segment serves until these have codes.
func (ix *Index) dissolve(sg *segment) error {
	if ix.merge != nil && slices.Contains(ix.merge.segments, sg) {
		ix.endMerge()
	}
	ix.deadMu.Lock()
	live := roaring.AndNot(sg.set, ix.dead)
	ix.deadMu.Unlock()
	capacity := min(ix.partRows(ix.target.Load()), max(1, int(live.GetCardinality())))
	parts, err := ix.partsOf(live, capacity)
	if err != nil {
		return err
	}
	for _, p := range parts {
		p.frozen.Store(true)
		if err := ix.encodeRows(p, p.len()); err != nil { // a row is damaged, too: Work goes on without it
			ix.o.Log.Warn("rows of a damaged segment have no codes yet", "err", err)
		}
	}
	return ix.commit(change{dropSegments: []*segment{sg}, addParts: parts})
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
		if from, to := p.uncoded(p.len()); from < to {
			continue
		}
		if dead := int(p.dead.Load()); !ix.merge.holds(p) && dead > rewriteMinDead && 2*dead > p.len() && p.graph.Load() == nil {
			return p
		}
	}
	return nil
}

// rewrite replaces a part (Flat: all parts) by one of its live rows. Appends wait meanwhile: it is a copy of the
// codes of half a part at most (Flat: of half of all slots).
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
			if next == nil || next.room() == 0 || next.book != p.book {
				if next, err = newPart(ix.conf().SealRows, p.book, ix.o.Budget); err != nil {
					for _, f := range fresh {
						f.free()
					}
					return nil, err
				}
				fresh = append(fresh, next)
			}
			next.copyOrd(slot, p.codes[ord*p.stride:])
		}
	}
	return fresh, nil
}
