package service

import (
	"context"
	"fmt"
	"math"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/filter"
)

// maxRows bounds limit and offset so that sums of them cannot overflow; slots are 32 bits wide.
const maxRows = math.MaxUint32

// Query asks for points near a vector, near another point, in an order, or by ascending id.
type Query struct {
	Vector []float32       // near this vector
	ID     *engine.PointID // or near the vector of this point, which is left out
	Order  *filter.Order   // or in the order of a payload field
	// Lookup names the collection (nil: the searched one) and the vector (nil: Using) where ID
	// is looked up.
	LookupCollection, LookupVector *string

	Using         string // name of the vector
	Filter        filter.Expr
	Threshold     *float32 // worse scores and equal ones are left out
	Limit, Offset uint64
	Ef            uint64
	Exact         bool
	IndexedOnly   bool
	Oversampling  float64
	Approximate   bool // scores are those of the codes
	Rows          bool // compare with the vectors themselves, not with their codes
	Fetch         engine.Fetch
}

// Answer is what a query found and how.
type Answer struct {
	Hits  []Scored
	Stats engine.SearchStats
}

// Scored is a hit with the score that clients see.
type Scored struct {
	engine.Hit
	Score float32
	Value *filter.Value // its place in Query.Order
}

// Query runs q. Without vector and id, points come in the order or by ascending id, with score 1 and version 0.
func (c *Collection) Query(ctx context.Context, q Query) (Answer, error) {
	q.Limit, q.Offset = min(q.Limit, maxRows), min(q.Offset, maxRows)
	if (q.Order != nil || q.Vector == nil && q.ID == nil) && q.Using != "" {
		if _, ok := c.c.Schema().Vectors[q.Using]; !ok {
			return Answer{}, &engine.VectorNameError{Name: q.Using}
		}
	}
	if q.Order != nil {
		return c.ordered(ctx, q)
	}
	if q.Vector == nil && q.ID == nil {
		return c.list(ctx, q)
	}
	var exclude []engine.PointID
	if q.ID != nil {
		var err error
		if exclude, err = c.resolve(ctx, &q); err != nil {
			return Answer{}, err
		}
	}
	return c.nearest(ctx, q, exclude)
}

// resolve replaces the id of a query by the point's vector and returns the ids to leave out.
func (c *Collection) resolve(ctx context.Context, q *Query) (exclude []engine.PointID, err error) {
	from, name := c, q.Using
	if q.LookupCollection != nil {
		if from, err = c.s.Collection(*q.LookupCollection); err != nil {
			if _, missing := err.(*engine.NotFoundError); missing {
				return nil, &Error{NotFound, fmt.Sprintf("Collection %s not found", *q.LookupCollection)}
			}
			return nil, err
		}
	}
	if q.LookupVector != nil {
		name = *q.LookupVector
	}
	hits, err := from.c.Get(ctx, []engine.PointID{*q.ID}, engine.Fetch{Vectors: true, VectorNames: []string{name}})
	if err != nil {
		return nil, err
	}
	if len(hits) == 0 {
		return nil, &engine.NotFoundError{Kind: "point", Name: q.ID.String()}
	}
	v, ok := hits[0].Vectors[name]
	if !ok {
		return nil, &Error{NotFound, fmt.Sprintf("No vector with name %q found for point with id %s", name, q.ID)}
	}
	q.Vector = v
	if from.c == c.c {
		exclude = []engine.PointID{*q.ID}
	}
	return exclude, nil
}

func (c *Collection) nearest(ctx context.Context, q Query, exclude []engine.PointID) (Answer, error) {
	params, ok := c.c.Schema().Vectors[q.Using]
	if !ok {
		return Answer{}, &engine.VectorNameError{Name: q.Using}
	}
	if len(q.Vector) != params.Size {
		return Answer{}, &engine.DimensionError{Name: q.Using, Want: params.Size, Got: len(q.Vector)}
	}
	res, err := c.c.Search(ctx, engine.SearchRequest{
		Vector: q.Using, Query: q.Vector, Filter: q.Filter, K: int(q.Limit + q.Offset), Ef: int(min(q.Ef, maxRows)),
		Exact: q.Exact, IndexedOnly: q.IndexedOnly, Oversampling: q.Oversampling, Approximate: q.Approximate, Rows: q.Rows,
		Exclude: exclude, Fetch: c.fetch(q.Fetch),
	})
	if err != nil {
		return Answer{}, err
	}
	hits := make([]Scored, 0, len(res.Hits))
	for _, h := range res.Hits {
		s := Scored{Hit: h, Score: score(params.Distance, h.Distance)}
		if q.Threshold != nil && !passes(params.Distance, s.Score, *q.Threshold) {
			break // the rest is worse
		}
		hits = append(hits, s)
	}
	hits = hits[min(q.Offset, uint64(len(hits))):]
	return Answer{hits, res.Stats}, finish(c, hits, q.Fetch, func(h *Scored) *engine.Hit { return &h.Hit })
}

// list returns points by ascending id; only those of the page are read.
func (c *Collection) list(ctx context.Context, q Query) (a Answer, err error) {
	found, _, err := c.Scroll(ctx, engine.ScrollRequest{Filter: q.Filter, Offset: int(q.Offset), Limit: int(q.Limit), Fetch: q.Fetch, Stats: &a.Stats})
	if err != nil {
		return a, err
	}
	a.Hits = make([]Scored, len(found))
	for i, h := range found {
		h.Version = 0
		a.Hits[i] = Scored{Hit: h, Score: 1}
	}
	return a, nil
}

func (c *Collection) ordered(ctx context.Context, q Query) (a Answer, err error) {
	found, err := c.ScrollOrdered(ctx, engine.OrderedRequest{
		Order: *q.Order, Filter: q.Filter, Limit: int(q.Limit), Offset: int(q.Offset), Fetch: q.Fetch, Stats: &a.Stats})
	if err != nil {
		return a, err
	}
	a.Hits = make([]Scored, len(found))
	for i := range found {
		h := &found[i]
		h.Version = 0
		a.Hits[i] = Scored{Hit: h.Hit, Score: 1, Value: &h.Value}
	}
	return a, nil
}

// score turns an engine distance into what clients see. A distance may be beyond the largest
// float32, a score may not: JSON has finite numbers only.
func score(d engine.Distance, distance float32) float32 {
	s := 0 - distance // not -distance, which would print a negative zero
	switch d {
	case engine.Euclid:
		s = float32(math.Sqrt(float64(max(distance, 0))))
	case engine.Manhattan:
		s = distance
	}
	return min(max(s, -math.MaxFloat32), math.MaxFloat32)
}

// passes says whether a score is strictly better than a threshold.
func passes(d engine.Distance, score, threshold float32) bool {
	if d == engine.Euclid || d == engine.Manhattan {
		return score < threshold
	}
	return score > threshold
}

// QueryBatch runs queries side by side; any failure fails all.
func (c *Collection) QueryBatch(ctx context.Context, qs []Query) ([]Answer, error) {
	return inParallel(ctx, qs, c.Query)
}
