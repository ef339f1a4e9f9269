package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/isobath/isobath/filter"
)

// This file reads points as the sequencer sees them: the applied state under the overlay.
// Everything here but selectByFilter runs with the sequencer's lock held.

// currentPoint is a point as of the newest sequenced operation.
type currentPoint struct {
	c      *Collection
	id     PointID
	exists bool
	over   overlayPoint
	isOver bool
	err    error
}

func (c *Collection) current(id PointID) (currentPoint, error) {
	p := currentPoint{c: c, id: id}
	p.over, p.isOver = c.db.seq.overlay.points[overlayPointKey{c.num, id}]
	if p.isOver {
		p.exists = p.over.exists
		return p, nil
	}
	var err error
	_, p.exists, err = readSlot(c.db.kv, latest, c.num, id)
	return p, err
}

func (c *Collection) currentPayload(id PointID) (doc []byte, exists bool, err error) {
	p, err := c.current(id)
	if err != nil || !p.exists {
		return nil, false, err
	}
	return p.Payload(), true, p.err
}

// ID, Payload and HasVector make a currentPoint a filter.Point.
func (p *currentPoint) ID() PointID { return p.id }

// Payload returns the raw JSON; an error is kept in p.err.
func (p *currentPoint) Payload() []byte {
	if p.isOver && p.over.known {
		return p.over.payload
	}
	doc, _, err := readPayload(p.c.db.kv, latest, p.c.num, p.id)
	p.err = err
	return doc
}

// HasVector says whether the point has the named vector.
func (p *currentPoint) HasVector(name string) bool {
	if p.isOver {
		if has, ok := p.over.vectors[name]; ok {
			return has
		}
		if p.over.replaced {
			return false
		}
	}
	// The slot as published, like the set: the applier may have stored a new one already.
	db := p.c.db
	db.mu.RLock()
	seq, has := db.publishedSeq, p.c.pub.filter.Has(name)
	db.views.add(seq)
	db.mu.RUnlock()
	defer db.views.remove(seq)
	slot, ok, err := readSlot(db.kv, seq, p.c.num, p.id)
	if err != nil {
		p.err = err
	}
	return ok && has.Contains(slot)
}

// admitted returns the changes that the mode and the filter on the stored point let through.
func (c *Collection) admitted(changes []pointChange, mode UpsertMode, allow *filter.Predicate) ([]pointChange, error) {
	var in []pointChange
	for _, ch := range changes {
		p, err := c.current(ch.id)
		if err != nil {
			return nil, err
		}
		if (p.exists && mode == InsertOnly) || (!p.exists && mode == UpdateOnly) {
			continue
		}
		if p.exists && allow != nil {
			ok := allow.Eval(&p)
			if p.err != nil {
				return nil, p.err
			}
			if !ok {
				continue
			}
		}
		in = append(in, ch)
	}
	return in, nil
}

func (c *Collection) mustExist(changes []pointChange) error {
	for i := range changes {
		p, err := c.current(changes[i].id)
		if err != nil {
			return err
		}
		if !p.exists {
			return &NotFoundError{"point", changes[i].id.String()}
		}
	}
	return nil
}

// changeWatch notes the points that are changed while a filter write looks for its own.
type changeWatch struct{ ids map[PointID]struct{} }

func (c *Collection) noteChanges(o *opPoints) {
	for _, w := range c.filterOps {
		for i := range o.changes {
			w.ids[o.changes[i].id] = struct{}{}
		}
	}
}

// selection is what a filter write found outside the sequencer, at a view.
type selection struct {
	c     *Collection
	found map[PointID]struct{}
	watch *changeWatch
	match *filter.Predicate
}

// selectByFilter finds the points that match f at a view. idsLocked brings the result up to
// date by evaluating only the points changed since.
func (c *Collection) selectByFilter(ctx context.Context, f filter.Expr) (*selection, error) {
	if f == nil {
		f = filter.All{}
	}
	match, err := compile(f)
	if err != nil {
		return nil, err
	}
	s := &selection{c: c, found: map[PointID]struct{}{}, watch: &changeWatch{map[PointID]struct{}{}}, match: match}
	db := c.db
	db.seq.mu.Lock()
	c.filterOps = append(c.filterOps, s.watch)
	t := &Ticket{db: db, seq: db.seq.last}
	db.seq.mu.Unlock()
	if err := t.Wait(ctx); err != nil {
		s.close()
		return nil, err
	}
	err = c.Each(ctx, ScrollRequest{Filter: f}, func(h *Hit) error {
		s.found[h.ID] = struct{}{}
		return nil
	})
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *selection) close() {
	mu := &s.c.db.seq.mu
	mu.Lock()
	defer mu.Unlock()
	s.c.filterOps = slices.DeleteFunc(s.c.filterOps, func(w *changeWatch) bool { return w == s.watch })
}

// idsLocked returns the ids that match now, in ascending order.
func (s *selection) idsLocked() ([]PointID, error) {
	for id := range s.watch.ids {
		p, err := s.c.current(id)
		if err != nil {
			return nil, err
		}
		ok := p.exists && s.match.Eval(&p)
		if p.err != nil {
			return nil, p.err
		}
		if ok {
			s.found[id] = struct{}{}
		} else {
			delete(s.found, id)
		}
	}
	ids := make([]PointID, 0, len(s.found))
	for id := range s.found {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, PointID.Compare)
	return ids, nil
}

// compile checks an expression and prepares it for evaluation; faults are *InputError.
func compile(f filter.Expr) (*filter.Predicate, error) {
	if err := filter.Check(f); err != nil {
		return nil, &InputError{fmt.Sprintf("filter: %v", err)}
	}
	p, err := filter.Compile(f)
	if err != nil {
		return nil, &InputError{fmt.Sprintf("filter: %v", err)}
	}
	return p, nil
}
