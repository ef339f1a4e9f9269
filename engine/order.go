package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/isobath/isobath/filter"
)

// OrderedRequest selects points by the order of a payload field, see filter.Order.
type OrderedRequest struct {
	Order  filter.Order
	Filter filter.Expr // nil: every point
	Limit  int
	Offset int // left out at the beginning
	Fetch  Fetch
	Stats  *SearchStats // if set, what the read did is added to it
}

// OrderedHit is a point at its place in an order: a point with several values has several.
type OrderedHit struct {
	Hit
	Value filter.Value
}

// ScrollOrdered returns points by (value, id) in the order's direction. It fails with
// filter.ErrNoField where no index keeps the order.
func (c *Collection) ScrollOrdered(ctx context.Context, req OrderedRequest) (hits []OrderedHit, err error) {
	v, err := c.pin()
	if err != nil {
		return nil, err
	}
	defer v.release()
	defer v.account(PlanOrder, req.Stats, &err)()
	r, err := v.reader(req.Fetch)
	if err != nil {
		return nil, err
	}
	defer r.close()
	set, admit, err := v.admission(ctx, r, req.Filter)
	if err != nil {
		return nil, err
	}
	skip := req.Offset
	err = v.filter.Ordered(req.Order, func(value filter.Value, among []uint32) (bool, error) {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if set != nil {
			among = slices.DeleteFunc(among, func(slot uint32) bool { return !set.Contains(slot) })
		}
		err := v.eachByID(ctx, among, req.Order.Descending, skip+req.Limit-len(hits), func(e idSlot) (bool, error) {
			if len(hits) >= req.Limit {
				return false, nil
			}
			v.stats.Visited++
			if ok, err := admit(e.id, e.slot); err != nil || !ok {
				return true, err
			}
			if skip > 0 {
				skip--
				return true, nil
			}
			h, err := r.timedHit(e.id, e.slot)
			if err != nil {
				return false, err
			}
			hits = append(hits, OrderedHit{h, value})
			return true, nil
		})
		if err != nil {
			return false, err
		}
		return len(hits) < req.Limit, nil
	})
	if err != nil {
		return nil, fmt.Errorf("engine: order: %w", err)
	}
	return hits, v.sound()
}

// leastBatch is how many ids are picked out at once at least.
const leastBatch = 4096

// eachByID calls fn with points by id in a direction until fn wants no more, probably so many of
// them. A value may be that of all points: only the ids of one batch are held, each batch a multiple
// of the one before.
func (v *view) eachByID(ctx context.Context, slots []uint32, descending bool, want int, fn func(idSlot) (bool, error)) error {
	compare := func(a, b idSlot) int { return a.id.Compare(b.id) }
	if descending {
		compare = func(a, b idSlot) int { return b.id.Compare(a.id) }
		slices.Reverse(slots) // younger points mostly have larger ids
	}
	var last *idSlot // of the batch before
	for size := max(want, leastBatch); ; size *= 4 {
		size = min(size, len(slots))
		batch := make([]idSlot, 0, min(2*size, len(slots)))
		full := false // the first size of batch are sorted, and what is beyond them is not of this batch
		for i, slot := range slots {
			if i%ctxRows == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			row, ok := v.c.slots.Get(slot)
			e := idSlot{row.ID, slot}
			if !ok || last != nil && compare(e, *last) <= 0 || full && compare(e, batch[size-1]) > 0 {
				continue
			}
			if batch = append(batch, e); len(batch) == 2*size {
				slices.SortFunc(batch, compare)
				batch, full = batch[:size], true
			}
		}
		slices.SortFunc(batch, compare)
		batch = batch[:min(size, len(batch))]
		for _, e := range batch {
			if more, err := fn(e); err != nil || !more {
				return err
			}
		}
		if len(batch) < size || size == len(slots) {
			return nil
		}
		last = &batch[size-1]
	}
}
