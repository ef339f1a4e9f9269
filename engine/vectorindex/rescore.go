package vectorindex

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// depth of rescoring by kind of code: how many candidates are kept for it, as a multiple of K and at least. Error bounds
// choose among these.
type depth struct{ factor, least int }

func depthOf(k codeKind) depth {
	switch k.bits() {
	case 1:
		return depth{12, 160}
	case 2:
		return depth{8, 100}
	case 4:
		return depth{4, 60}
	}
	return depth{2, 30}
}

// finish rescores the candidates on their rows and keeps the K best.
func (sc *scratch) finish() error {
	sc.results = append(sc.results[:0], sc.near.sorted()...)
	if sc.r.Expect != nil {
		for _, r := range sc.results[:min(len(sc.results), sc.r.K)] {
			sc.r.Expect(r.Slot)
		}
	}
	if sc.r.Approximate && !sc.r.Rows && sc.stats.Plan != PlanExact && !sc.mixed() && !sc.compared {
		sc.results = sc.results[:min(len(sc.results), sc.r.K)]
		return nil
	}
	began := time.Now()
	if sc.r.Rows && sc.stats.Plan != PlanExact { // the distances are exact already, but for the rounding of kernels
		sc.results = sc.results[:min(len(sc.results), sc.r.K+min(sc.r.K, 8))]
	} else {
		sc.results = sc.results[:sc.worthwhile()]
	}
	if cap(sc.slots) < len(sc.results) {
		sc.slots = make([]uint32, len(sc.results))
	}
	slots := sc.slots[:len(sc.results)]
	for i, r := range sc.results {
		slots[i] = r.Slot
	}
	if sc.trace != nil {
		sc.trace.noteRows(sc.v.rows, slots)
	}
	reads, err := sc.v.rows.Fetch(slots, sc.rescore)
	if err != nil {
		return fmt.Errorf("rescore: %w", err)
	}
	sc.stats.Rescored += len(slots)
	sc.stats.RowsRead += len(slots)
	sc.stats.RowsCold += int(reads.Read)
	sc.stats.BytesRead += reads.Bytes
	for i, r := range sc.results {
		sc.results[i].deviation = 0
		if r.Distance != r.Distance {
			sc.results[i].Distance = float32(math.Inf(1))
		}
	}
	sc.near.sort(sc.results)
	sc.results = sc.results[:min(len(sc.results), sc.r.K)]
	sc.stats.Rescore = time.Since(began)
	return nil
}

// rescoreDeviations is how many standard deviations of the difference of two estimates a candidate may lie behind the
// K-th and still be rescored.
const rescoreDeviations = 2.5

// worthwhile is the number of candidates, sorted by estimate, that may be among the K best by the deviations of their
// estimates. The candidates beyond are dropped from results, those between that are hopeless too.
func (sc *scratch) worthwhile() int {
	n, k := len(sc.results), sc.r.K
	if sc.stats.Plan == PlanExact || n <= k || sc.r.Oversampling > 1 || sc.compared {
		return n
	}
	last := sc.results[k-1]
	if !(last.deviation > 0) {
		return n
	}
	sc.diffs = sc.diffs[:0]
	for _, r := range sc.results[:k] {
		sc.diffs = append(sc.diffs, r.deviation)
	}
	slices.Sort(sc.diffs)
	typical := float64(sc.diffs[k/2])
	kept := sc.results[:k]
	for _, r := range sc.results[k:] {
		d := math.Sqrt(typical*typical + float64(r.deviation)*float64(r.deviation))
		if float64(r.Distance)-rescoreDeviations*d <= float64(last.Distance) {
			kept = append(kept, r)
		}
	}
	return len(kept)
}
