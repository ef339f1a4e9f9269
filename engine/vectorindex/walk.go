package vectorindex

import (
	"fmt"
	"math"
	"time"

	"github.com/isobath/isobath/hnsw"
)

// Of several graphs every one is walked at first until it has expanded its share of Ef, by the rows in it that live, and
// shareDeviations standard deviations of that share more, but leastShare nodes at least: the smaller a walk is, the more of
// the near nodes it misses.
//
// Measured on 66 000 x 100 (glove), M 16, recall of 10 against one graph at Ef 40, 100 and 200, which computes 1 005, 1 908
// and 3 226 distances: two equal graphs +1.0, +0.3, -0.1 points with 1.51, 1.36, 1.26 times the distances; five equal ones
// +1.2, -0.2, -0.3 with 2.5, 1.9, 1.7 times; nine tenths and one tenth +0.8, -0.1, -0.1 with 1.40, 1.24, 1.17 times. Two
// standard deviations lose 0.5 points with five graphs. Graphs split by a direction in space, so that one holds nearly all
// neighbours, lose nothing: +1.0, +0.6, +0.4 with 1.64, 1.54, 1.47 times.
const (
	shareDeviations = 2.5
	leastShare      = 12
)

// walk is the search of one source: through the graph of its first ords, if there is one, and over the codes of the
// others.
type walk struct {
	segment *segment // nil: a part
	part    *part    // nil: a segment
	graph   hnsw.Reader
	coded
	dead    float64 // share of the rows
	walked  int     // ords that are walked
	rows    int     // ords beyond, up to this one, are scanned
	tail    int     // rows that no graph holds
	matches int     // of the filter, about
	near    float64 // what part of the rows near the query matches, 0: not counted

	o       hnsw.SearchOptions
	scratch *hnsw.Scratch
	found   []hnsw.Candidate
	gaveUp  bool
	err     error
}

// live is about how many of n rows may be results.
func (w *walk) live(n int) float64 { return float64(n) * (1 - w.dead) }

// walk searches the graphs and scans what is in none, a source whose walk gave up, and everything where too few are found.
//
// Every graph is walked at first as far as its share of the live rows lets expect to do for its share of the Ef nearest;
// those that turn out to hold more of them go on. Together they expand what a walk of one graph of all rows would.
func (sc *scratch) walk() error {
	sc.listWalks()
	sc.planWalks()
	for i := range sc.walks {
		if w := &sc.walks[i]; w.walked > 0 {
			sc.start(w)
		}
	}
	sc.resume()
	for i := range sc.walks {
		w := &sc.walks[i]
		if w.walked > 0 {
			sc.collect(w)
		}
		if w.err != nil && w.segment == nil {
			return w.err
		}
		if w.err != nil { // damage costs time, not the answer
			w.segment.suspect.Store(true)
		}
	}
	for i := range sc.walks {
		if err := sc.scanRest(&sc.walks[i]); err != nil {
			return err
		}
	}
	if len(sc.near.heap) < min(sc.r.K, sc.matches) {
		sc.stats.Fallback = true
		sc.near.reset(sc.near.limit)
		return sc.scanCodes()
	}
	return nil
}

// listWalks lists the sources.
func (sc *scratch) listWalks() {
	for _, sg := range sc.v.s.segments {
		w := walk{segment: sg, coded: sg.coded(), dead: sg.deadShare(), rows: sg.rows}
		if sg.graph != nil {
			w.graph, w.walked = sg.graph, sg.rows
		}
		sc.walks = append(sc.walks, w)
	}
	for i, p := range sc.v.s.parts {
		n, walked := sc.v.counts[i], int(p.walked.Load())
		w := walk{part: p, coded: p.coded(), walked: min(walked, n), rows: sc.limit(p, n, walked), tail: n - walked}
		w.dead = float64(p.dead.Load()) / float64(max(n, 1))
		if walked > 0 {
			w.graph = p.graph.Load()
		}
		sc.walks = append(sc.walks, w)
	}
}

// limit is the number of ords of a part that a search may read.
func (sc *scratch) limit(p *part, n, walked int) int {
	ix := sc.v.ix
	if sc.r.IndexedOnly && !ix.conf().NoGraph && ix.conf().rawBytes(n-walked) >= max(ix.conf().IndexFromBytes, 1) {
		return walked
	}
	return n
}

// planWalks decides how far the graphs are walked, and which of them are scanned instead.
func (sc *scratch) planWalks() {
	if sc.r.Filter != nil {
		sc.countMatches()
	}
	live, graphs := 0.0, 0
	for i := range sc.walks {
		w := &sc.walks[i]
		live += w.live(max(w.rows, w.walked))
		if w.walked > 0 {
			graphs++
		}
	}
	cells := sc.stats.Plan == PlanCells
	sc.graphs = 0
	for i := range sc.walks {
		w := &sc.walks[i]
		if w.walked == 0 {
			continue
		}
		share, near := w.live(w.walked)/max(live, 1), false
		if graphs == 1 {
			share = 1
		}
		if cells && w.segment != nil {
			near = sc.walksFaster(w, share)
		}
		switch {
		case near:
			sc.stats.Plan = PlanFiltered
		case cells && w.segment != nil:
			w.walked = 0 // scanned afterwards
			continue
		}
		sc.widen(w)
		if graphs > 1 {
			sc.divide(w, share)
			if !forcedWalk && !near && sc.scansFaster(w) {
				w.walked = 0
				continue
			}
		}
		if sc.graphs == len(sc.hnsw) {
			sc.hnsw = append(sc.hnsw, hnsw.NewScratch())
		}
		w.scratch = sc.hnsw[sc.graphs]
		sc.graphs++
	}
	if graphs > 1 && sc.graphs == 1 { // the others are scanned: nothing is divided
		for i := range sc.walks {
			if w := &sc.walks[i]; w.walked > 0 {
				sc.widen(w)
			}
		}
	}
}

// widen sets the options that a walk has without others beside it.
func (sc *scratch) widen(w *walk) {
	w.o = hnsw.SearchOptions{Ef: sc.r.Ef}
	switch {
	case sc.r.Filter != nil:
		sc.filterWalk(w)
	case w.dead > walkDeadShare:
		w.o.Accept = sc.accept
		w.o.Want = min(sc.r.Ef, sc.near.limit)
	case w.dead > 0:
		w.o.Ef = int(float64(w.o.Ef)/(1-w.dead)) + 1
	}
}

// forcedWalk has graphs walked that take less time to scan; tests set it.
var forcedWalk bool

// divide has a walk pause when it has done for its share of all live rows, and of the matches.
func (sc *scratch) divide(w *walk, share float64) {
	if w.o.TwoHop {
		return
	}
	w.o.Pause = max(expected(w.o.Ef, share), leastShare)
	if w.o.SufficeAfter > 0 { // several walks find enough without
		w.o.Want, w.o.SufficeAfter = w.o.Suffice, 0
	}
	if sc.r.Filter != nil {
		share = float64(w.matches) / float64(sc.matches)
	}
	w.o.PauseWant = expected(w.o.Want, share)
}

// expected is how many of n are in a source with this share of all, or few more.
func expected(n int, share float64) int {
	mean := float64(n) * min(share, 1)
	return int(math.Ceil(mean + shareDeviations*math.Sqrt(mean*(1-min(share, 1)))))
}

// scansFaster tells whether it takes less time to scan a source than to walk it until the walk pauses.
func (sc *scratch) scansFaster(w *walk) bool {
	if w.o.TwoHop || sc.r.Rows {
		return false
	}
	scan, share := float64(w.walked)/scansPerDistance, 1.0
	if sc.r.Filter != nil {
		scan, share = sc.restCost(w), w.share()
	}
	cost := hnsw.EstimateWalk(w.o.Pause, w.o.PauseWant, share, sc.v.ix.conf().M, w.walked)
	return scan < cost.Distances
}

// start walks until the walk pauses or is over.
func (sc *scratch) start(w *walk) {
	sc.face(w)
	if sc.r.Filter != nil {
		sc.admit(w)
	}
	if !sc.r.Rows {
		w.o.Descent = w.book.descent()
	}
	w.found = w.graph.Search(sc.scorer(), w.o, w.scratch)
	sc.account(w)
}

// face makes the source of w what is scored.
func (sc *scratch) face(w *walk) {
	sc.aim(w.coded)
	sc.nodes = w.slots[:w.walked]
}

// account counts the work done since the last call and notes how it ended.
func (sc *scratch) account(w *walk) {
	st := &w.scratch.Stats
	sc.stats.Visited += st.Visited
	sc.stats.Hops += st.Hops
	if !sc.r.Rows { // the scorer of rows counts what it reads
		sc.count(st.Distances, st.Sifted, w.book)
	}
	w.gaveUp = w.gaveUp || st.Exhausted
	if w.scratch.Err != nil {
		w.err = fmt.Errorf("graph: %w", w.scratch.Err)
	}
}

// resume goes on with the walks that paused before they came as far as one graph of all rows would have led.
func (sc *scratch) resume() {
	ef, want := 0, 0
	for i := range sc.walks {
		ef, want = max(ef, sc.walks[i].o.Ef), max(want, sc.walks[i].o.Want)
	}
	for i := range sc.walks {
		w := &sc.walks[i]
		if w.walked == 0 || w.gaveUp || w.err != nil {
			continue
		}
		left, ok := w.scratch.Left()
		if !ok {
			continue
		}
		if until := hnsw.Cutoff(sc.hnsw[:sc.graphs], ef, want); left <= until {
			sc.face(w)
			w.found = w.graph.Resume(sc.scorer(), w.o, until, w.scratch)
			sc.account(w)
		}
	}
}

// collect keeps what a walk found that did not give up.
func (sc *scratch) collect(w *walk) {
	if w.err != nil || w.gaveUp {
		return
	}
	sc.face(w)
	kept, beaten := sc.keep(w.found)
	if w.o.Accept == nil && w.o.Bits == nil && !beaten && len(kept) < min(sc.r.K, w.walked) {
		// all near ones are dead: look for live ones
		w.o = hnsw.SearchOptions{Ef: w.o.Ef, Accept: sc.accept, Want: sc.near.limit, MaxVisits: w.walked / 2}
		if sc.start(w); w.err != nil || w.gaveUp {
			return
		}
		kept, _ = sc.keep(w.found)
	}
	q, stride := sc.codes.query, w.book.stride
	for _, c := range kept {
		var deviation float32
		if !sc.r.Rows {
			deviation = q.Deviation(w.codes[int(c.Ord)*stride:])
		}
		sc.near.push(Result{w.slots[c.Ord], c.Distance, deviation})
	}
}

// keep returns what of found may be a result, and whether more was there that other sources beat.
func (sc *scratch) keep(found []hnsw.Candidate) (kept []hnsw.Candidate, beaten bool) {
	if sc.r.Approach != nil {
		for _, c := range found[:min(len(found), sc.near.limit)] {
			sc.r.Approach(sc.nodes[min(int(c.Ord), len(sc.nodes)-1)])
		}
	}
	kept = found[:0]
	for _, c := range found {
		if !sc.near.takes(c.Distance) { // the others are farther
			return kept, true
		}
		if len(kept) == sc.near.limit {
			break
		}
		if sc.accept(c.Ord) {
			kept = append(kept, c)
		}
	}
	return kept, false
}

// scanRest scans what of a source was not walked, or all of it where the walk gave up.
func (sc *scratch) scanRest(w *walk) error {
	failed := w.gaveUp || w.err != nil
	sc.stats.Fallback = sc.stats.Fallback || failed
	switch {
	case w.rows == 0 || (w.segment != nil && w.walked > 0 && !failed):
		return nil
	case w.segment != nil && sc.r.Filter != nil && sc.cellCost(w.segment, w.matches) < sc.scanCost(w.rows, w.matches):
		return sc.scanCells(w)
	case w.segment != nil:
		return sc.scanSegment(w.segment)
	case failed:
		return sc.scanPart(w.part, w.rows)
	}
	begun := time.Now()
	var err error
	switch {
	case w.walked > 0 && sc.r.Rows:
		err = sc.scanRowsAt(w.slots[w.walked:w.rows])
	case w.walked > 0:
		err = sc.scanRange(w.coded, w.walked, w.rows)
	default:
		err = sc.scanPart(w.part, w.rows)
	}
	sc.v.ix.strain.scanned(w.tail, begun)
	return err
}
