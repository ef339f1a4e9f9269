package vectorindex

import (
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"
)

// Filters that do not depend on the query do not end walks early: the bound on visits is above what these take.
func TestUncorrelatedFiltersDoNotFallBack(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.SealRows = 20_000 })
	w.add(20_000)
	w.rest()
	for share, plan := range map[int]Plan{50: PlanFiltered, 30: PlanFiltered, 12: PlanTwoHop} {
		forcePlan(t, plan)
		filter := roaring.New()
		for slot := range w.next {
			if w.rng.IntN(100) < share {
				filter.Add(slot)
			}
		}
		for _, ef := range []int{20, 64, 300} {
			for range 20 {
				_, s := w.search(Request{Query: w.vector(w.heart), K: 10, Ef: ef, Filter: NewMatches(filter)})
				require.Equal(t, plan, s.Plan)
				require.False(t, s.Fallback, "%d %% match, ef %d: %+v", share, ef, s)
			}
		}
	}
}
