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
		points := v.byID(among)
		if req.Order.Descending {
			slices.Reverse(points)
		}
		for _, e := range points {
			if len(hits) >= req.Limit {
				return false, nil
			}
			ok, err := admit(e.id, e.slot)
			if err != nil {
				return false, err
			}
			if !ok {
				continue
			}
			if skip > 0 {
				skip--
				continue
			}
			h, err := r.hit(e.id, e.slot)
			if err != nil {
				return false, err
			}
			hits = append(hits, OrderedHit{h, value})
		}
		return len(hits) < req.Limit, nil
	})
	if err != nil {
		return nil, fmt.Errorf("engine: order: %w", err)
	}
	return hits, v.sound()
}
