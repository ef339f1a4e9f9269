package vectorindex

import (
	"time"
)

// Request is one search.
type Request struct {
	Query []float32 // normalised already where cosine is meant
	K     int
	Ef    int  // breadth of the walk; default 100; raised to K, and to what Oversampling asks for, where smaller
	Exact bool // compare with every row
	// IndexedOnly leaves out what no graph holds yet, unless it is small.
	IndexedOnly bool
	// Filter is the exact set of slots that may be results; nil means no filter.
	Filter *Matches
	// Candidates is the number of slots that may be results where the caller knows it, 0 otherwise. It only saves the
	// search for results that cannot exist.
	Candidates int
	// Visible tells whether a slot may be a result; nil means every one. It is called often.
	Visible func(slot uint32) bool
	// AllVisible, if set, tells whether Visible is true of every slot that the index names and that is not dead in it. It is called once
	// the search has pinned what it reads.
	AllVisible func() bool
	// Approach, if set, has the processor load what Visible will read of a slot.
	Approach func(slot uint32)
	// Expect, if set, has the processor load what the caller will read of a slot that is probably a result, while rows are compared.
	Expect func(slot uint32)
	// Before orders the results at one distance; nil means by slot. A scan keeps the first of them.
	Before func(a, b uint32) bool
	// Oversampling above 1 sets the number of candidates that are rescored to Oversampling*K, rounded down, at most
	// 1<<20 or K. Default: what the codes need.
	Oversampling float64
	// Approximate leaves out rescoring: distances are those of the codes, sorted by these. Where sources hold
	// different codes, and on an exact search, it is ignored.
	Approximate bool
	// Rows walks on the rows themselves instead of on codes, and scans them; it overrules Approximate.
	Rows bool
	// Plan, if set, is that of a filtered search that has a choice, instead of the cheapest: to compare them. A walk
	// that is asked for does not give up; of several graphs, small ones are scanned all the same.
	Plan Plan
}

// Result is one neighbour. Distance is exact, computed from the row, unless the request was for approximate ones.
type Result struct {
	Slot     uint32
	Distance float32

	deviation float32 // of an estimate: its standard deviation
}

// Plan names how a search went.
type Plan string

// The plans of a search.
const (
	PlanEmpty    Plan = "empty"           // nothing to search
	PlanExact    Plan = "exact scan"      // of rows
	PlanMatches  Plan = "scan of matches" // of a filter's matches, on codes
	PlanCodes    Plan = "scan of codes"   // of all codes
	PlanWalk     Plan = "walk"            // of graphs, and a scan of the tail
	PlanFiltered Plan = "filtered walk"   // results are matches only; of several sources some may be scanned
	PlanTwoHop   Plan = "two-hop walk"    // over matches only, through what does not match
	PlanCells    Plan = "scan of cells"   // of the matches in those that are near
)

// Stats explain one search.
type Stats struct {
	Plan      Plan
	Fallback  bool  // the walk found too few and a scan followed
	Matches   int   // of the filter
	Sources   int   // segments and parts searched
	Visited   int   // nodes seen by walks
	Hops      int   // nodes expanded
	Distances int   // distances computed on codes
	Scanned   int   // of these in scans
	Rescored  int   // exact distances of candidates
	RowsRead  int   // rows read, exact scans included; the engine adds those that it answers with
	Coded     int64 // bytes of codes read: of walks what they read, but of two-hop walks and scans whole codes, though they may leave some at the first plane
	RowsCold  int   // of the candidates' rows, those not in memory, read from files
	BytesRead int64 // bytes of these
	// Walk is the time of walks and scans, Rescore that of the exact distances of candidates.
	Walk, Rescore time.Duration
}

// Pending is what background work is left.
type Pending struct {
	Tail        int  // live and dead rows that no graph holds
	Head        int  // rows in graphs in memory
	Segments    int  // sealed segments
	IndexedRows int  // rows in graphs, or in no need of one
	Rows        int  // all rows, dead ones included
	Dead        int  // dead rows that still take space
	Building    bool // the tail waits for a graph: searches are slower than they will be
	Due         bool // Work has something to do
}
