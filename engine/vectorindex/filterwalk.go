package vectorindex

import (
	"math"

	"github.com/isobath/isobath/hnsw"
)

// countMatches sets how many rows of each source match: exactly, but where there are several parts. Sources without any
// are left out.
func (sc *scratch) countMatches() {
	rest, rows := sc.matches, 0
	for i := range sc.walks {
		w := &sc.walks[i]
		switch {
		case len(sc.walks) == 1:
			w.matches = sc.matches
			return
		case w.segment != nil:
			w.matches = int(sc.r.Filter.AndCardinality(w.segment.set))
			rest -= w.matches
		default:
			rows += w.rows
		}
	}
	for i := range sc.walks {
		w := &sc.walks[i]
		if w.part != nil && rest > 0 {
			w.matches = int(math.Ceil(float64(rest) * float64(w.rows) / float64(max(rows, 1))))
		}
		if w.matches == 0 {
			w.walked, w.rows = 0, 0
		}
	}
}

// walksFaster tells whether it takes less time to walk a segment that holds this share of all rows than to scan its cells, by how
// many match of what they say is near, which it notes.
func (sc *scratch) walksFaster(w *walk, share float64) bool {
	scan, c := sc.cellCost(w.segment, w.matches), w.segment.coded()
	if sc.r.Plan != "" || forcedPlan != "" || sc.r.Rows || scan >= sc.scanCost(w.rows, w.matches) || c.askable() {
		return false
	}
	o, m := sc.filteredOptions(), sc.v.ix.conf().M
	if share < 1 {
		o.Ef = max(expected(o.Ef, share), leastShare)
		o.Want = expected(o.Want, float64(w.matches)/float64(sc.matches))
	}
	if hnsw.EstimateWalk(o.Ef, o.Want, 1, m, w.walked).Distances >= nearWalkGain*scan {
		return false // however many match
	}
	sc.placeCells(w.segment)
	near := sc.nearShare(w.segment, max(nearRows, 2*o.Ef))
	if hnsw.EstimateWalk(o.Ef, o.Want, near, m, w.walked).Distances >= nearWalkGain*scan {
		return false
	}
	w.near = near
	return true
}

// nearWalkGain is how many times the estimated cost of a scan that of a walk may be where the matches near the query were counted:
// these become more on its way outwards, where there are fewer than elsewhere, and then scans take longer than is estimated.
const nearWalkGain = 1.5

// share is that of the matches of a filter in the rows, near the query where that was counted.
func (w *walk) share() float64 {
	if w.near > 0 {
		return w.near
	}
	return min(float64(w.matches)/float64(max(w.rows, 1)), 1)
}

// filterWalk makes the options of w those of a walk that admits matches only. Where these turn out to lie far from the
// query the walk gives up: because fewer match of what it sees at first than makes it cheaper than a scan, at last because
// it goes on for much longer than expected.
func (sc *scratch) filterWalk(w *walk) {
	m, scan := sc.v.ix.conf().M, sc.restCost(w)
	if sc.stats.Plan == PlanTwoHop && w.segment != nil {
		w.o.TwoHop = true
		e := hnsw.EstimateTwoHop(w.o.Ef, w.share(), m, w.walked)
		if sc.r.Plan == "" {
			w.o.MaxVisits = visits(e.Distances+e.Rows, scan)
		}
		return
	}
	w.o = sc.filteredOptions()
	wanted, cost := w.o.Want, hnsw.EstimateWalk(w.o.Ef, w.o.Want, w.share(), m, w.walked).Distances
	if within := int(w.share() * float64(w.o.Ef)); within > wanted { // what a walk meets anyway where matches are spread evenly
		w.o.Want, w.o.Suffice, w.o.SufficeAfter = within, wanted, int(relentAfter*cost)
	}
	if sc.r.Plan != "" {
		return
	}
	if w.near > 0 { // the cells have told that it is no detour; on its way there a walk may see few matches
		w.o.MaxVisits = visits(cost, nearWalkGain*scan)
		return
	}
	w.o.MaxVisits = visits(cost, scan)
	w.o.LeastShare = hnsw.LeastShare(w.o.Ef, wanted, max(scan, hopelessFrom*cost), m, w.walked)
}

// admit gives w the matches that it may return.
func (sc *scratch) admit(w *walk) {
	if w.o.TwoHop {
		w.o.Bits = sc.r.Filter.in(w.segment, sc.v.s).bits
	} else if known := sc.r.Filter.known(w.segment, sc.v.s); known != nil {
		w.o.Bits = known.bits
	} else {
		w.o.Bits, w.o.Slots = sc.slotBits(), w.slots[:w.walked]
	}
}

// restCost is what it takes to scan what a filtered walk of w would have found.
func (sc *scratch) restCost(w *walk) float64 {
	cost := sc.scanCost(w.rows, w.matches)
	if w.segment != nil {
		cost = min(cost, sc.cellCost(w.segment, w.matches))
	}
	return cost
}

// A filtered walk is given up after what the scan that follows takes, within these multiples of the distances that it is expected to
// take: some queries take two or three times as long as others, with and without a filter. It wants less after relentAfter times what is
// expected, and is hopeless where so few match of what it sees that it would take hopelessFrom times that (ADR 0022).
const (
	leastPatience, mostPatience = 4.0, 8.0
	relentAfter, hopelessFrom   = 2.0, 2.0
)

// visits bounds a filtered walk that is expected to take so many distances where a scan takes the time of scan ones.
func visits(expected, scan float64) int {
	return int(max(leastPatience*expected, min(mostPatience*expected, scan), 64))
}
