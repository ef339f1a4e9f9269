package vectorindex

import (
	"fmt"
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

// A filtered walk finds what an unfiltered one of the same breadth finds, however coarse the codes are.
func TestFilteredWalksFindWhatUnfilteredOnesDo(t *testing.T) {
	for _, bits := range []int{8, 4, 2, 1} {
		t.Run(fmt.Sprint(bits), func(t *testing.T) {
			w := newWorld(t, func(o *Options) {
				if o.SealRows = 10_000; bits < 8 {
					o.Dim, o.Codes = 64, CodeConfig{Kind: CodesTurbo, Bits: bits}
				}
			})
			w.heart = [][]float32{make([]float32, w.o.Dim)} // one cluster: all are near all
			w.add(6000)
			w.rest()
			for _, every := range []uint32{2, 7} {
				some := roaring.New()
				for slot := uint32(0); slot < 6000; slot += every {
					some.Add(slot)
				}
				filter := NewMatches(some)
				forcePlan(t, PlanFiltered)
				hits, unfiltered := 0, 0
				for range 60 {
					q := w.vector(w.heart)
					got, s := w.search(Request{Query: q, K: 10, Ef: 40, Filter: filter})
					require.False(t, s.Fallback)
					hits += overlapOf(got, w.nearest(q, 10, some))
					got, _ = w.search(Request{Query: q, K: 10, Ef: 40})
					unfiltered += overlapOf(got, w.nearest(q, 10, nil))
				}
				require.GreaterOrEqual(t, hits, unfiltered, "one in %d", every)
			}
		})
	}
}
