package engine

import (
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/isobath/isobath/engine/vectorindex"
	"github.com/isobath/isobath/filter"
)

// Plan names how a search went.
type Plan = vectorindex.Plan

// Plans of filtered searches that SearchRequest may ask for.
const (
	PlanMatches  = vectorindex.PlanMatches  // a scan of the codes of all matches
	PlanFiltered = vectorindex.PlanFiltered // a walk that admits matches
	PlanTwoHop   = vectorindex.PlanTwoHop   // a walk over matches only, through what does not match
	PlanCells    = vectorindex.PlanCells    // a scan of the matches in cells near the query
)

// Plans of reads without a vector. Visited are then the points looked at, one after the other.
const (
	PlanScroll Plan = "scroll"           // by id
	PlanOrder  Plan = "order of a field" // by its values
	PlanCount  Plan = "count"
)

// account has v count a read. The function returned ends it: unless stats is nil, as it is for reads that are parts of other
// operations, what was done is added to it and is among the totals. What the request has wrong is no failure.
func (v *view) account(plan Plan, stats *SearchStats, err *error) (end func()) {
	v.stats = &SearchStats{}
	v.stats.Plan = plan
	began := time.Now()
	return func() {
		if input := (*InputError)(nil); stats == nil || errors.As(*err, &input) || errors.Is(*err, filter.ErrNoField) {
			return
		}
		v.stats.Index = time.Since(began) - v.stats.Filter - v.stats.Fetch
		v.c.db.searches.add(v.stats, *err)
		stats.Add(*v.stats)
	}
}

// SearchTotals are sums over all searches, scrolls and counts since the start.
type SearchTotals struct {
	Plans     map[Plan]uint64 // reads by plan
	Failed    uint64          // searches that returned an error after they began
	Fallbacks uint64          // walks that found too few and were followed by a scan
	Matches   uint64          // of filters
	Sources   uint64          // segments and parts searched
	Visited   uint64          // nodes seen by walks, points looked at by scrolls
	Hops      uint64          // nodes expanded by walks
	Distances uint64          // computed on codes
	Scanned   uint64          // of these in scans
	Rescored  uint64          // exact distances of candidates
	RowsRead  uint64
	Coded     uint64 // bytes of codes
	RowsCold  uint64 // of the candidates' rows, those read from files
	BytesRead uint64 // bytes of these
	Evaluated uint64 // payloads read for conditions without an index

	Filter, Index, Walk, Rescore, Fetch time.Duration
}

// searchCounter adds up what searches did. It is safe for concurrent use.
type searchCounter struct {
	mu     sync.Mutex
	totals SearchTotals
}

func (sc *searchCounter) add(s *SearchStats, err error) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	t := &sc.totals
	if err != nil {
		t.Failed++
	} else {
		if t.Plans == nil {
			t.Plans = map[Plan]uint64{}
		}
		t.Plans[s.Plan]++
	}
	if s.Fallback {
		t.Fallbacks++
	}
	t.Matches += uint64(s.Matches)
	t.Sources += uint64(s.Sources)
	t.Visited += uint64(s.Visited)
	t.Hops += uint64(s.Hops)
	t.Distances += uint64(s.Distances)
	t.Scanned += uint64(s.Scanned)
	t.Rescored += uint64(s.Rescored)
	t.RowsRead += uint64(s.RowsRead)
	t.Coded += uint64(s.Coded)
	t.RowsCold += uint64(s.RowsCold)
	t.BytesRead += uint64(s.BytesRead)
	t.Evaluated += uint64(s.Evaluated)
	t.Filter += s.Filter
	t.Index += s.Index
	t.Walk += s.Walk
	t.Rescore += s.Rescore
	t.Fetch += s.Fetch
}

func (sc *searchCounter) get() SearchTotals {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	t := sc.totals
	t.Plans = maps.Clone(t.Plans)
	return t
}

// add puts another pass of one search on top; plan, matches and sources are those of the newest.
func (s *SearchStats) add(pass vectorindex.Stats) {
	old := s.Stats
	s.Stats = pass
	s.Fallback = s.Fallback || old.Fallback
	s.Visited += old.Visited
	s.Hops += old.Hops
	s.Distances += old.Distances
	s.Scanned += old.Scanned
	s.Rescored += old.Rescored
	s.RowsRead += old.RowsRead
	s.RowsCold += old.RowsCold
	s.Coded += old.Coded
	s.BytesRead += old.BytesRead
	s.Walk += old.Walk
	s.Rescore += old.Rescore
}

// Add puts another search for the same answer on top: counters and times are sums.
func (s *SearchStats) Add(o SearchStats) {
	s.add(o.Stats)
	s.Evaluated += o.Evaluated
	s.Filter += o.Filter
	s.Index += o.Index
	s.Fetch += o.Fetch
}
