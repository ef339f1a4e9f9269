package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/isobath/isobath/engine/slots"
	"github.com/isobath/isobath/engine/vectorindex"
	"github.com/isobath/isobath/filter"
)

// SearchRequest asks for the K points whose vectors are nearest to Query.
type SearchRequest struct {
	Vector       string      // name of the vector
	Query        []float32   // of the vector's size; normalised by the engine under Cosine
	Filter       filter.Expr // not to be changed afterwards
	K            int
	Ef           int     // breadth of the walk; 0: the vector's EfConstruct
	Exact        bool    // compare with every vector
	IndexedOnly  bool    // leave out what no graph holds yet, unless it is small
	Oversampling float64 // candidates that are rescored, in multiples of K; 0: what the codes need
	Approximate  bool    // distances and order are those of the codes; Exact overrules it
	Rows         bool    // compare with the vectors themselves, not with their codes
	Exclude      []PointID
	Fetch        Fetch
	Plan         Plan // of a filtered search that has a choice, to compare them; "": the cheapest
}

// SearchResult holds hits by ascending distance, ties by ascending id. Distances are exact unless Approximate
// was asked for.
type SearchResult struct {
	Hits  []Hit
	Stats SearchStats
}

// SearchStats explain a search, a scroll or a count: plan, counters and stage times. Where several passes were needed the counters are sums.
type SearchStats struct {
	vectorindex.Stats
	Evaluated int // payloads read for conditions without an index
	// Times: of the filter; of the index, with conditions without an index; of reading what is returned.
	Filter, Index, Fetch time.Duration
}

// candidateBound is the number of candidates up to which conditions without an index are
// evaluated on what the index finds; beyond, all payloads are read once.
const candidateBound = 4096

// Search returns K hits whenever K points match. It returns *VectorNameError,
// *DimensionError, *InputError or ctx's error.
func (c *Collection) Search(ctx context.Context, req SearchRequest) (*SearchResult, error) {
	if c.broken != nil {
		return nil, c.broken
	}
	store := c.vectors[req.Vector]
	if store == nil {
		return nil, &VectorNameError{req.Vector}
	}
	v, err := c.pinWith(store)
	if err != nil {
		return nil, err
	}
	defer v.release()
	if err := v.schema.checkVector(req.Vector, req.Query); err != nil {
		return nil, err
	}
	select {
	case c.db.admitted <- struct{}{}:
		defer func() { <-c.db.admitted }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if req.K < 1 {
		return nil, &InputError{fmt.Sprintf("k is %d, must be 1 or larger", req.K)}
	}
	points := max(v.filter.Len(), 1) // nothing is computed or allocated by the number asked for
	req.K, req.Ef = min(req.K, points), min(req.Ef, points)
	r, err := v.reader(req.Fetch)
	if err != nil {
		return nil, err
	}
	defer r.close()
	s := reusable.Get().(*search)
	defer reusable.Put(s)
	defer s.end()
	s.begin(v, r, req)
	err = s.run(ctx)
	c.db.searches.add(&s.res.Stats, err)
	if err != nil {
		return nil, err
	}
	return s.res, nil
}

// search is one search on its way. It is used again: what a search allocates is its view and what it returns.
type search struct {
	v       *view
	r       *pointReader
	req     SearchRequest
	res     *SearchResult
	vectors *roaring.Bitmap // slots of points that have the vector
	table   *slots.Table    // of v
	seq     uint64          // of v

	// kept
	query   []float32 // as it is compared
	results []vectorindex.Result
	hits    []found
	// of s.v, as vectorindex.Request wants them
	visible    func(slot uint32) bool
	hasVector  func(slot uint32) bool // and is visible
	allVisible func() bool
	approach   func(slot uint32)
	expect     func(slot uint32)
	before     func(a, b uint32) bool
}

// reusable holds searches that have ended.
var reusable = sync.Pool{New: func() any {
	s := &search{}
	s.visible = func(slot uint32) bool { return s.table.Visible(slot, s.seq) }
	s.hasVector = func(slot uint32) bool { return s.table.Visible(slot, s.seq) && s.vectors.Contains(slot) }
	s.allVisible = func() bool { return s.table.LastBirth() <= s.seq }
	s.approach = func(slot uint32) { s.table.Approach(slot) }
	s.expect = func(slot uint32) { s.table.ApproachRow(slot) }
	s.before = func(a, b uint32) bool {
		x, _ := s.table.Get(a)
		y, _ := s.table.Get(b)
		return x.ID.Compare(y.ID) < 0
	}
	return s
}}

func (s *search) begin(v *view, r *pointReader, req SearchRequest) {
	s.v, s.r, s.req, s.res = v, r, req, &SearchResult{}
	v.stats = &s.res.Stats
	s.vectors, s.table, s.seq = v.filter.Has(req.Vector), v.c.slots, v.seq
	s.query = v.schema.Vectors[req.Vector].stored(append(s.query[:0], req.Query...))
}

// keptHits bounds the memory that an ended search keeps.
const keptHits = 4096

// end drops what must not be kept alive.
func (s *search) end() {
	s.v, s.r, s.req, s.res, s.vectors, s.table = nil, nil, SearchRequest{}, nil, nil, nil
	if cap(s.results) > keptHits {
		s.results = nil
	}
	if cap(s.hits) > keptHits {
		s.hits = nil
	}
}

type found struct {
	id       PointID
	slot     uint32
	distance float32
}

func (s *search) run(ctx context.Context) error {
	began := time.Now()
	set, residual, err := s.resolve()
	if err != nil {
		return err
	}
	s.res.Stats.Filter = time.Since(began)
	began = time.Now()
	var hits []found
	if residual == nil {
		hits, err = s.index(ctx, set, s.req.K+len(s.req.Exclude))
		hits = s.exclude(hits)
	} else {
		hits, err = s.evaluated(ctx, set, residual)
	}
	if err != nil {
		return err
	}
	s.res.Stats.Index = time.Since(began)
	began = time.Now()
	s.res.Hits = make([]Hit, 0, len(hits))
	for _, f := range hits {
		h, err := s.r.hit(f.id, f.slot)
		if err != nil {
			return err
		}
		h.Distance = f.distance
		s.res.Hits = append(s.res.Hits, h)
	}
	s.res.Stats.Fetch = time.Since(began)
	return s.v.sound()
}

// resolve answers the filter: with the exact slots that match and have the vector, or with a superset and what is left to
// evaluate. A nil set is every slot.
func (s *search) resolve() (*vectorindex.Matches, filter.Expr, error) {
	v, e, name := s.v, s.req.Filter, s.req.Vector
	if e == nil {
		return nil, nil, nil
	}
	if matches, ok := v.c.filters.get(v.filter, e, name); ok {
		return matches, nil, nil
	}
	set, residual, err := v.resolve(e)
	if err != nil || set == nil {
		return nil, residual, err
	}
	set.And(s.vectors)
	matches := vectorindex.NewMatches(set)
	if residual == nil {
		v.c.filters.put(v.filter, e, name, matches)
	}
	return matches, residual, nil
}

// index asks the vector index for the k nearest slots of matches, all of which have the vector (nil: all slots). Borrowed until the next call.
func (s *search) index(ctx context.Context, matches *vectorindex.Matches, k int) ([]found, error) {
	count := int(s.vectors.GetCardinality())
	k = min(k, count)
	if k == 0 {
		s.res.Stats.Plan = vectorindex.PlanEmpty
		return nil, nil
	}
	visible, all := s.visible, s.allVisible
	if !s.v.settled {
		all = nil
	}
	if uint64(count) < s.v.filter.All().GetCardinality() { // the index may name slots whose vector was deleted
		visible, all = s.hasVector, nil
	}
	req := vectorindex.Request{
		Query:        s.query,
		K:            k,
		Ef:           cmp.Or(s.req.Ef, s.v.schema.Vectors[s.req.Vector].EfConstruct),
		Exact:        s.req.Exact,
		IndexedOnly:  s.req.IndexedOnly,
		Oversampling: s.req.Oversampling,
		Approximate:  s.req.Approximate && !s.req.Exact,
		Rows:         s.req.Rows,
		Filter:       matches,
		Candidates:   count,
		Visible:      visible,
		AllVisible:   all,
		Approach:     s.approach,
		Expect:       s.expect,
		Before:       s.before,
		Plan:         s.req.Plan,
	}
	results, stats, err := s.v.index.Search(ctx, req, s.results[:0])
	s.results = results
	s.res.Stats.add(stats)
	if err != nil {
		return nil, fmt.Errorf("engine: search: %w", err)
	}
	s.hits = s.hits[:0]
	for _, r := range results {
		row, ok := s.table.Get(r.Slot)
		if !ok {
			return nil, errors.Join(fmt.Errorf("engine: search: slot %d has no point", r.Slot), s.v.sound())
		}
		s.hits = append(s.hits, found{row.ID, r.Slot, r.Distance})
	}
	return s.hits, nil
}

// exclude drops excluded points and what is beyond K.
func (s *search) exclude(hits []found) []found {
	if len(s.req.Exclude) > 0 {
		hits = slices.DeleteFunc(hits, func(f found) bool { return slices.Contains(s.req.Exclude, f.id) })
	}
	return hits[:min(len(hits), s.req.K)]
}

// evaluated searches under conditions that no index answers: candidates are evaluated nearest
// first, more of them each round; when many fail, all payloads are read once.
func (s *search) evaluated(ctx context.Context, near *vectorindex.Matches, residual filter.Expr) ([]found, error) {
	match, err := compile(residual)
	if err != nil {
		return nil, err
	}
	checked := 0
	var hits []found
	for k := 2*s.req.K + len(s.req.Exclude); k <= candidateBound; k *= 4 {
		candidates, err := s.index(ctx, near, k)
		if err != nil {
			return nil, err
		}
		hits = hits[:0]
		for _, f := range candidates {
			ok, err := s.r.evaluate(match, f.id, f.slot)
			if err != nil {
				return nil, err
			}
			if ok {
				hits = append(hits, f)
			}
		}
		hits = s.exclude(hits)
		if len(hits) >= s.req.K || len(candidates) < k {
			return hits, nil
		}
		if len(candidates) == checked {
			return hits, nil
		}
		checked = len(candidates)
	}
	set := s.v.filter.All()
	if near != nil {
		set = near.Bitmap
	}
	exact, err := s.v.evaluateAll(ctx, set, residual)
	if err != nil {
		return nil, err
	}
	hits, err = s.index(ctx, vectorindex.NewMatches(roaring.And(exact, s.vectors)), s.req.K+len(s.req.Exclude))
	return s.exclude(hits), err
}

// Vector returns a point's stored vector; ok is false when the point or the vector is absent.
func (c *Collection) Vector(ctx context.Context, id PointID, name string) (v []float32, ok bool, err error) {
	hits, err := c.Get(ctx, []PointID{id}, Fetch{Vectors: true, VectorNames: []string{name}})
	if err != nil || len(hits) == 0 {
		return nil, false, err
	}
	v, ok = hits[0].Vectors[name]
	return v, ok, nil
}
