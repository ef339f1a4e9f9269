package vectorindex

import (
	"context"
	"math"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/isobath/isobath/hnsw"
	"github.com/isobath/isobath/mmapvec"
)

const (
	defaultEf = 100
	scanBatch = 256 // rows or codes of one kernel call
	// scansPerDistance is the number of matches that are scanned in the time of one distance of a walk.
	scansPerDistance = 2.5
	// passBytes is the length of the codes that are scored in the time in which a two-hop walk looks through one row.
	passBytes = 3 * 128
	// Above this share of dead rows a walk refuses them while it goes, not afterwards.
	walkDeadShare = 0.25
)

// scratch is the memory and the state of one search. It is reused: searches allocate next to nothing.
type scratch struct {
	// one search
	ctx      context.Context
	v        *View
	r        Request
	stats    Stats
	matches  int // slots that may be results, at most
	results  []Result
	nodes    []uint32 // slots of the graph being walked
	walks    []walk   // one of every source
	graphs   int      // of these, those that go through a graph
	deadline int      // rows until ctx is looked at again
	compared bool     // with rows, some of what has no code yet

	// kept
	trace    *Trace // nil: nothing is recorded
	asked    []askedBook
	query    mmapvec.Query
	codes    codeScorer
	planes   planeScorer // of codes
	rows     rowScorer
	hnsw     []*hnsw.Scratch // of walks through graphs
	near     nearest
	iota     []uint32
	ords     []uint32
	slots    []uint32
	out      []float32
	members  roaring.ManyIntIterator // of the set that is scanned
	dense    []uint64                // matches by slot, see slotBits
	diffs    []float32
	cellScan cellScan
	run      func() error
	accept   func(ord uint32) bool
	rescore  func(i int, row []float32) error
}

func newScratch() *scratch {
	sc := &scratch{
		iota:  make([]uint32, scanBatch),
		ords:  make([]uint32, scanBatch),
		slots: make([]uint32, scanBatch),
		out:   make([]float32, scanBatch),
	}
	for i := range sc.iota {
		sc.iota[i] = uint32(i)
	}
	sc.run = sc.search
	sc.accept = func(ord uint32) bool { return int(ord) < len(sc.nodes) && sc.allowed(sc.nodes[ord]) }
	sc.rescore = func(i int, row []float32) error {
		sc.results[i].Distance = sc.query.Row(row)
		return nil
	}
	return sc
}

func (sc *scratch) begin(ctx context.Context, v *View, r Request) {
	if r.Ef <= 0 {
		r.Ef = defaultEf
	}
	// The dead of a Flat index are not counted by source: a view may hold one that was rewritten without its dead since.
	if r.AllVisible != nil && !v.ix.o.Flat && v.s.deadRows() == 0 && r.AllVisible() {
		r.Visible, r.Approach = nil, nil
	}
	rows := v.rowCount()
	r.K = min(r.K, rows) // beyond, numbers only cost memory
	r.Ef = min(max(r.Ef, r.wanted()), max(rows, 1))
	sc.ctx, sc.v, sc.r = ctx, v, r
	sc.query.Reset(v.ix.o.Metric, v.ix.o.Datatype, r.Query)
	sc.forgetQueries()
	sc.stats, sc.results, sc.deadline, sc.compared = Stats{}, sc.results[:0], 0, false
	sc.dense = sc.dense[:0]
	sc.near.before = r.Before
}

// end drops what must not be kept alive by the pool.
func (sc *scratch) end() {
	sc.ctx, sc.v, sc.r, sc.nodes, sc.codes, sc.near.before = nil, nil, Request{}, nil, codeScorer{}, nil
	sc.rows, sc.planes, sc.cellScan.placed = rowScorer{}, planeScorer{}, nil
	sc.members = roaring.ManyIntIterator{}
	clear(sc.walks)
	sc.walks = sc.walks[:0]
	sc.query.Release()
}

// allowed tells whether slot may be a result.
func (sc *scratch) allowed(slot uint32) bool {
	return (sc.r.Filter == nil || sc.r.Filter.Contains(slot)) && (sc.r.Visible == nil || sc.r.Visible(slot))
}

func (sc *scratch) search() error {
	if err := sc.ctx.Err(); err != nil {
		return err
	}
	began := time.Now()
	sc.stats.Plan = sc.plan()
	sc.stats.Sources = len(sc.v.s.segments) + len(sc.v.s.parts)
	switch sc.stats.Plan {
	case PlanEmpty:
		return nil
	case PlanExact:
		sc.near.reset(sc.r.K + min(sc.r.K, 8)) // rounding of the kernels may differ a little
		if err := sc.scanRows(); err != nil {
			return err
		}
		sc.stats.Walk = time.Since(began)
		return sc.finish()
	}
	sc.near.reset(sc.depth())
	var err error
	switch sc.stats.Plan {
	case PlanCodes:
		if err = sc.scanCodes(); sc.graphs == 0 {
			sc.v.ix.strain.scanned(sc.stats.Scanned, began)
		}
	case PlanMatches:
		err = sc.scanCodes()
	default:
		err = sc.walk()
	}
	sc.stats.Walk = time.Since(began)
	if err != nil {
		return err
	}
	return sc.finish()
}

// forcedPlan is the plan of every filtered search that has a choice; tests set it.
var forcedPlan Plan

// plan chooses how to search from exact cardinalities, and sets matches.
func (sc *scratch) plan() Plan {
	ix, r := sc.v.ix, &sc.r
	rows := sc.v.rowCount()
	live := max(0, rows-ix.deadRows(sc.v.s))
	sc.matches = rows // not live: the caller's view may be older than the last deaths
	if r.Candidates > 0 {
		sc.matches = min(rows, r.Candidates)
	}
	if r.Filter != nil {
		sc.matches = int(r.Filter.GetCardinality())
		sc.stats.Matches = sc.matches
	}
	switch {
	case r.K <= 0 || rows == 0 || (r.Filter != nil && sc.matches == 0):
		return PlanEmpty
	case r.Exact || ix.o.Flat || ix.conf().rawBytes(live) < ix.conf().FullScanBytes:
		return PlanExact
	}
	graphs := 0
	for _, sg := range sc.v.s.segments {
		if sg.graph != nil {
			graphs++
		}
	}
	for _, p := range sc.v.s.parts {
		if p.walked.Load() > 0 {
			graphs++
		}
	}
	sc.graphs = graphs
	if r.Filter == nil {
		if graphs == 0 || rows <= r.Ef || sc.tooWide(rows) {
			return PlanCodes
		}
		return PlanWalk
	}
	switch {
	case graphs > 0 && r.Plan != "":
		return r.Plan
	case graphs == 0 || ix.conf().rawBytes(sc.matches) < ix.conf().FullScanBytes:
		return PlanMatches
	case forcedPlan != "":
		return forcedPlan
	}
	cost := sc.costs(graphs, live)
	switch min(cost.scan, cost.walk, cost.twoHop, cost.cells) {
	case cost.scan:
		return PlanMatches
	case cost.cells:
		return PlanCells
	case cost.twoHop:
		return PlanTwoHop
	}
	return PlanFiltered
}

// A walk moves half of its sorted pool at every hop: what is wider than widePool takes, beside its distances, the time of one for so
// many of the squares of its width (glove-100: 1.2, 3.9, 22 and 144 ms at Ef 1 000, 4 000, 16 000 and 60 000; a scan of all codes 6).
const (
	widePool           = 1024
	squaresPerDistance = 1750
)

func poolCost(ef int) float64 {
	if ef <= widePool {
		return 0
	}
	return float64(ef) * float64(ef) / squaresPerDistance
}

// tooWide tells whether a walk is so wide that it takes longer than a scan of all codes.
func (sc *scratch) tooWide(rows int) bool {
	ef := sc.r.Ef
	if ef <= widePool {
		return false
	}
	walk := hnsw.EstimateWalk(ef, 0, 1, sc.v.ix.conf().M, rows).Distances + poolCost(ef)
	return walk > sc.scanCost(rows, rows)
}

// costs are what the plans of a filtered search cost, in distances of a walk.
type costs struct{ scan, walk, twoHop, cells float64 }

func (sc *scratch) costs(graphs, live int) (c costs) {
	n, m := live/graphs, sc.v.ix.conf().M
	share := min(float64(sc.matches)/float64(max(live, 1)), 1)
	o := sc.filteredOptions()
	rows := sc.v.rowCount()
	divided := false
	for _, sg := range sc.v.s.segments {
		matches := sc.matches * sg.rows / rows
		scan := sc.scanCost(sg.rows, matches)
		c.scan += scan
		c.cells += min(scan, sc.cellCost(sg, matches))
		divided = divided || sg.cells != nil
	}
	for _, count := range sc.v.counts {
		scan := sc.scanCost(count, sc.matches*count/rows)
		c.scan += scan
		c.cells += scan
	}
	if !divided {
		c.cells = math.Inf(1)
	}
	if graphs > 1 {
		o.Ef, o.Want = expected(o.Ef, 1/float64(graphs)), expected(o.Want, 1/float64(graphs))
	}
	c.walk = float64(graphs) * (hnsw.EstimateWalk(o.Ef, o.Want, share, m, n).Distances + poolCost(o.Ef))
	two := hnsw.EstimateTwoHop(sc.r.Ef, share, m, n)
	c.twoHop = float64(graphs) * (two.Distances + two.Rows*passBytes/float64(sc.stride()))
	if share < twoHopLeast || share > twoHopMost {
		c.twoHop = math.Inf(1)
	}
	return c
}

// scanCost is what it takes to scan a source of so many rows, some of which match.
func (sc *scratch) scanCost(rows, matches int) float64 {
	if sc.scansAll(rows) {
		matches = rows
	}
	return float64(matches) / scansPerDistance
}

// A two-hop walk finds as much as a filtered walk where the share of matches lies between these.
const twoHopLeast, twoHopMost = 0.03, 0.15

// stride is the length of the longest codes.
func (sc *scratch) stride() (n int) {
	for _, b := range sc.v.s.codebooks {
		n = max(n, b.stride)
	}
	return max(n, 1)
}

// filteredOptions are those of a filtered walk. It goes on until more than K matches are nearer than all that is left, the more the
// wider it is, the fewer bits tell what is near, and the more the caller wants rescored (ADR 0020).
func (sc *scratch) filteredOptions() hnsw.SearchOptions {
	ef := sc.r.Ef + sc.r.Ef/2 // part of the width goes to nodes that are refused
	more := sc.r.Ef / 3
	for _, b := range sc.v.s.codebooks {
		if b.fewBits() {
			more = sc.r.Ef / 2
		}
	}
	want := max(sc.r.K+more, sc.r.wanted())
	return hnsw.SearchOptions{Ef: ef, Want: min(ef, want)}
}

// depth is the number of candidates that may be rescored: as many as the request asks for, else what its codes need.
func (sc *scratch) depth() int {
	if sc.r.Oversampling > 1 {
		return sc.r.wanted()
	}
	n := 0
	for _, b := range sc.v.s.codebooks {
		d := depthOf(b.kind)
		n = max(n, d.factor*sc.r.K, d.least)
	}
	return n
}

// wanted is the number of candidates that a request asks for: what its codes need may be more.
func (r *Request) wanted() int {
	if r.Oversampling > 1 {
		return max(int(min(r.Oversampling*float64(r.K), 1<<20)), r.K)
	}
	return r.K
}

// slotBits gives the filter's matches as bits over slots. They are made once a search.
func (sc *scratch) slotBits() []uint64 {
	if len(sc.dense) > 0 {
		return sc.dense
	}
	words := int(sc.r.Filter.DenseSize())
	if cap(sc.dense) < words {
		sc.dense = make([]uint64, words)
	}
	sc.dense = sc.dense[:words]
	clear(sc.dense)
	sc.r.Filter.WriteDenseTo(sc.dense)
	return sc.dense
}
