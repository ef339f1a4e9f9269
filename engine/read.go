package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/payload"
)

// ErrStop, returned by the function given to Each, ends it without an error.
var ErrStop = errors.New("engine: stop")

// ctxRows is the number of rows after which a loop looks at its context.
const ctxRows = 2048

// Get returns the points that exist, in the order of ids, each once.
func (c *Collection) Get(ctx context.Context, ids []PointID, f Fetch) ([]Hit, error) {
	v, err := c.pin()
	if err != nil {
		return nil, err
	}
	defer v.release()
	r, err := v.reader(f)
	if err != nil {
		return nil, err
	}
	defer r.close()
	hits := make([]Hit, 0, min(len(ids), 1024))
	seen := make(map[PointID]struct{}, min(len(ids), 1024))
	for i, id := range ids {
		if i%ctxRows == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if _, again := seen[id]; again {
			continue
		}
		seen[id] = struct{}{}
		slot, ok, err := v.slotOf(id)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		h, err := r.hit(id, slot)
		if err != nil {
			return nil, err
		}
		hits = append(hits, h)
	}
	return hits, v.sound()
}

// ScrollRequest selects a page of points by ascending id.
type ScrollRequest struct {
	Filter filter.Expr // nil: every point
	From   *PointID    // first id, inclusive; it need not exist
	Offset int         // points to leave out; Each heeds neither it nor Limit
	Limit  int
	Fetch  Fetch
	Stats  *SearchStats // if set, what the read did is added to it, and to the totals; the time of Each's function is in Fetch
}

// Scroll returns a page and the first id of the next one, nil at the end.
func (c *Collection) Scroll(ctx context.Context, req ScrollRequest) (hits []Hit, next *PointID, err error) {
	skip := req.Offset
	err = c.walk(ctx, req, func(r *pointReader, id PointID, slot uint32) error {
		if skip > 0 {
			skip--
			return nil
		}
		if len(hits) >= req.Limit {
			next = &id
			return ErrStop
		}
		h, err := r.timedHit(id, slot)
		hits = append(hits, h)
		return err
	})
	return hits, next, err
}

// Each calls fn with every point of a request, whatever its limit, by ascending id, all as of
// one moment. fn may keep the hit.
func (c *Collection) Each(ctx context.Context, req ScrollRequest, fn func(*Hit) error) error {
	return c.walk(ctx, req, func(r *pointReader, id PointID, slot uint32) error {
		h, err := r.timedHit(id, slot)
		if err != nil {
			return err
		}
		began := time.Now()
		err = fn(&h)
		r.v.stats.Fetch += time.Since(began)
		return err
	})
}

// Count returns the number of points that match f (nil: every point). What it did is added to stats, unless that is nil.
func (c *Collection) Count(ctx context.Context, f filter.Expr, stats *SearchStats) (n int, err error) {
	v, err := c.pin()
	if err != nil {
		return 0, err
	}
	defer v.release()
	defer v.account(PlanCount, stats, &err)()
	if f == nil {
		return v.filter.Len(), nil
	}
	set, err := v.matches(ctx, f)
	if err != nil {
		return 0, err
	}
	return int(set.GetCardinality()), nil
}

// walk visits the points of a request, whatever its limit, by ascending id.
func (c *Collection) walk(ctx context.Context, req ScrollRequest, visit func(r *pointReader, id PointID, slot uint32) error) (err error) {
	v, err := c.pin()
	if err != nil {
		return err
	}
	defer v.release()
	defer v.account(PlanScroll, req.Stats, &err)()
	r, err := v.reader(req.Fetch)
	if err != nil {
		return err
	}
	defer r.close()
	set, admit, err := v.admission(ctx, r, req.Filter)
	if err != nil {
		return err
	}
	each := func(id PointID, slot uint32) error {
		if ok, err := admit(id, slot); err != nil || !ok {
			return err
		}
		return visit(r, id, slot)
	}
	if set != nil && set.GetCardinality() <= uint64(max(sortedWalk, v.filter.Len()/walkShare)) {
		err = v.walkSorted(set, req.From, each)
	} else {
		err = v.walkStore(set, req.From, each)
	}
	if err != nil && !errors.Is(err, ErrStop) {
		return err
	}
	return v.sound()
}

// A set of at most sortedWalk slots, or of one walkShare-th of the points, is sorted by id;
// for larger ones all ids are visited in the store's order.
const (
	sortedWalk = 4096
	walkShare  = 16
)

func (v *view) walkSorted(set *roaring.Bitmap, from *PointID, each func(PointID, uint32) error) error {
	for _, e := range v.byID(set.ToArray()) {
		if from != nil && e.id.Compare(*from) < 0 {
			continue
		}
		v.stats.Visited++
		if err := each(e.id, e.slot); err != nil {
			return err
		}
	}
	return nil
}

type idSlot struct {
	id   PointID
	slot uint32
}

// byID returns points by ascending id.
func (v *view) byID(slots []uint32) []idSlot {
	points := make([]idSlot, 0, len(slots))
	for _, slot := range slots {
		if row, ok := v.c.slots.Get(slot); ok {
			points = append(points, idSlot{row.ID, slot})
		}
	}
	slices.SortFunc(points, func(a, b idSlot) int { return a.id.Compare(b.id) })
	return points
}

func (v *view) walkStore(set *roaring.Bitmap, from *PointID, each func(PointID, uint32) error) error {
	scan := payload.ScanOptions{Prefix: storeKey(nil, prefixSlot, v.c.num, nil)}
	if from != nil {
		scan.From = storeIDKey(nil, prefixSlot, v.c.num, *from)
	}
	return v.c.db.kv.Scan(v.seq, scan, func(key, value []byte) (bool, error) {
		id, err := payload.DecodeKeyID(key[storePrefixBytes:])
		if err != nil || len(value) != 4 {
			return false, fmt.Errorf("engine: slot entry of collection %q is damaged: %w", v.c.name, err)
		}
		slot := binary.BigEndian.Uint32(value)
		v.stats.Visited++
		if set != nil && !set.Contains(slot) {
			return true, nil
		}
		return true, each(id, slot)
	})
}

// admission returns the slots that f admits (nil: all) and a test of what is left of f on them,
// which ends with the context.
func (v *view) admission(ctx context.Context, r *pointReader, f filter.Expr) (*roaring.Bitmap, func(PointID, uint32) (bool, error), error) {
	set, residual, err := v.resolve(f)
	if err != nil {
		return nil, nil, err
	}
	var match *filter.Predicate
	if residual != nil {
		if match, err = compile(residual); err != nil {
			return nil, nil, err
		}
	}
	n := 0
	return set, func(id PointID, slot uint32) (bool, error) {
		if n++; n%ctxRows == 0 && ctx.Err() != nil {
			return false, ctx.Err()
		}
		if match == nil {
			return true, nil
		}
		return r.evaluate(match, id, slot)
	}, nil
}

// resolve returns the slots that f admits (nil: all) and what is left to evaluate on them.
func (v *view) resolve(f filter.Expr) (*roaring.Bitmap, filter.Expr, error) {
	if f == nil {
		return nil, nil, nil
	}
	if v.feed == nil { // names of FT attributes are no paths; the query parser has checked the rest
		if err := filter.Check(f); err != nil {
			return nil, nil, &InputError{fmt.Sprintf("filter: %v", err)}
		}
	}
	began := time.Now()
	r, err := v.filter.Resolve(f, v.slotOf)
	if err != nil {
		return nil, nil, fmt.Errorf("engine: filter: %w", err)
	}
	if v.stats != nil {
		v.stats.Filter += time.Since(began)
		if r.Set != nil {
			v.stats.Matches = int(r.Set.GetCardinality())
		}
	}
	return r.Set, r.Residual, nil
}

// matches returns exactly the slots that match f, read only; payloads are read where no index
// answers.
func (v *view) matches(ctx context.Context, f filter.Expr) (*roaring.Bitmap, error) {
	set, residual, err := v.resolve(f)
	if err != nil {
		return nil, err
	}
	if set == nil {
		set = v.filter.All()
	}
	if residual == nil {
		return set, nil
	}
	if v.stats != nil {
		v.stats.Visited += int(set.GetCardinality())
	}
	return v.evaluateAll(ctx, set, residual)
}

// evaluateAll returns the slots of set whose points satisfy e.
func (v *view) evaluateAll(ctx context.Context, set *roaring.Bitmap, e filter.Expr) (*roaring.Bitmap, error) {
	match, err := compile(e)
	if err != nil {
		return nil, err
	}
	r, err := v.reader(Fetch{})
	if err != nil {
		return nil, err
	}
	defer r.close()
	out := roaring.New()
	n := 0
	for it := set.Iterator(); it.HasNext(); {
		slot := it.Next()
		if n++; n%ctxRows == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		row, ok := v.c.slots.Get(slot)
		if !ok {
			continue
		}
		ok, err := r.evaluate(match, row.ID, slot)
		if err != nil {
			return nil, err
		}
		if ok {
			out.Add(slot)
		}
	}
	return out, nil
}
