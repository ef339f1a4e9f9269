package vectorindex

import "fmt"

// wantedPlace is what of a segment is to be held in memory, whatever it costs.
func (ix *Index) wantedPlace() placed {
	c := ix.conf()
	return placed{codes: c.CodesPlacement != PlaceMapped, links: c.LinksPlacement != PlaceMapped}
}

// placeable returns a segment of which more, or less, is to be held in memory, and what. Links come first: a walk reads
// them wherever the codes lie. What the budget does not have stays mapped.
func (ix *Index) placeable(s *sources) (*segment, placed) {
	if !ix.may() {
		return nil, placed{}
	}
	want := ix.wantedPlace()
	for _, sg := range s.segments {
		if sg.checked < sg.blocks() || sg.book.kind == codesNone {
			continue
		}
		goal := ix.affordablePlace(sg, want)
		if goal != sg.inRAM {
			return sg, goal
		}
	}
	return nil, placed{}
}

// affordablePlace is what of want the budget has memory for. What is held stays held while rows and merges use what is
// spare for them, until more is in use than there is. What was asked for with PlaceMemory may use what is spare itself, and
// so stays when the others give way.
func (ix *Index) affordablePlace(sg *segment, want placed) (goal placed) {
	c, left, kept := ix.conf(), ix.o.Budget.left(), sg.inRAM
	if ix.o.Budget.exceeded() {
		left, kept = left+sg.held(), placed{}
	}
	spare := func(p Placement) int64 {
		if p == PlaceMemory {
			return 0
		}
		return ix.o.Budget.spare()
	}
	if n := sg.linkBytes(); want.links && sg.graph != nil && (kept.links || n <= left-spare(c.LinksPlacement)) {
		goal.links = true
		if !kept.links {
			left -= n
		}
	}
	goal.codes = want.codes && (kept.codes || int64(len(sg.codes)) <= left-spare(c.CodesPlacement))
	return goal
}

// placeSegment puts a segment in the place of sg that reads the same file and holds in memory what where says.
func (ix *Index) placeSegment(sg *segment, where placed) error {
	var need int64
	if where.codes {
		need += int64(len(sg.codes))
	}
	if where.links {
		need += sg.linkBytes()
	}
	if sg.memory == nil && !ix.o.Budget.reserve(need, 0) {
		return nil // somebody was faster
	}
	if sg.memory != nil {
		ix.o.Budget.take(need) // the old copy goes when its last search ends
	}
	fresh, err := openSegment(ix.o.FS, ix.o.Dir, sg.ref)
	if err != nil {
		ix.o.Budget.give(need)
		sg.suspectAfter(err)
		return err
	}
	fresh.book, fresh.undividable, fresh.checked = sg.book, sg.undividable, sg.blocks()
	if err := fresh.hold(where, need, ix.o.Budget); err != nil {
		sg.suspectAfter(err)
		return fmt.Errorf("vectorindex: hold %s in memory: %w", sg.ref.File, err)
	}
	ix.deadMu.Lock()
	defer ix.deadMu.Unlock()
	ix.recountLocked([]*segment{fresh}, nil)
	ix.mu.Lock()
	defer ix.mu.Unlock()
	segments := make([]*segment, 0, len(ix.current.segments))
	for _, x := range ix.current.segments {
		if x == sg {
			x = fresh
		}
		segments = append(segments, x)
	}
	ix.swapLocked(segments, ix.current.parts)
	return nil
}
