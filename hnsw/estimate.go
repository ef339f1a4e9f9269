package hnsw

import "math"

// WalkCost is the expected work of a search.
type WalkCost struct {
	Distances float64 // asked of the scorer
	Rows      float64 // rows of links read, of expanded nodes and of those looked through
}

// A walk of freshHops hops finds this share of a row's links unseen on average, a longer one less by this power.
const freshLinks, freshHops, freshFall = 0.68, 80.0, 0.175

// EstimateWalk returns the work of a filtered walk with SearchOptions of that Ef and Want (0: Ef) over a graph of n nodes
// of parameter m, a share of which matches the filter: share 1 is an unfiltered search. It holds for filters that do not
// depend on the query. Where the matches lie near the query a walk costs as much as an unfiltered one, where they lie far
// from it up to n distances: bound it by MaxVisits.
//
// A walk expands Ef nodes, or as many as it takes to meet Want matches; each is scored against fewer unseen neighbours
// than the one before. Fitted on 331 479 x 100, M 16, Ef 80 to 480, shares 0.01 to 1: within 15 %.
func EstimateWalk(ef, want int, share float64, m, n int) WalkCost {
	if want <= 0 || want > ef {
		want = ef
	}
	if share >= 1 {
		want = 0
	}
	n = max(n, 1)
	share = min(max(share, 1/float64(n)), 1)
	hops := min(max(float64(ef), float64(want)/share), float64(n))
	fresh := freshLinks * float64(2*m) * math.Pow(freshHops/hops, freshFall)
	return WalkCost{Distances: min(hops*fresh, float64(n)), Rows: hops}
}

// LeastShare returns the share of matches below which a filtered walk is expected to need more than so many distances:
// EstimateWalk the other way round.
func LeastShare(ef, want int, distances float64, m, n int) float64 {
	if want <= 0 || want > ef {
		want = ef
	}
	if distances >= float64(n) {
		return 0
	}
	hops := math.Pow(distances/(freshLinks*float64(2*m)*math.Pow(freshHops, freshFall)), 1/(1-freshFall))
	return min(float64(want)/max(hops, float64(ef)), 1)
}

// EstimateTwoHop returns the work of a two-hop walk of that width (SearchOptions.TwoHop) over a graph of n nodes of
// parameter m, a share of which matches. A row looked through takes about as long as scoring three 8-bit codes of 100
// dimensions. Fitted as EstimateWalk, for shares of at most 0.5: within 25 %.
func EstimateTwoHop(ef int, share float64, m, n int) WalkCost {
	m0 := float64(2 * m)
	behind := 0.42 * m0 * m0 // unseen nodes two links away
	share = min(max(share, 0), 1)
	scored := min(behind*share, 2*m0) * math.Pow(60/float64(max(ef, 1)), 0.2)
	hops := min(float64(ef), share*float64(n))
	through := min(0.75*m0*(1-share), 2*m0/max(m0*share, 1e-9))
	return WalkCost{Distances: min(hops*scored, share*float64(n)), Rows: hops * (1 + through)}
}
