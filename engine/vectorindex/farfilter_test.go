package vectorindex

import (
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"
)

// at returns a vector near x in every component.
func (w *world) at(x float32) []float32 {
	v := w.vector(nil)
	for i := range v {
		v[i] += x
	}
	return v
}

// A walk far from its matches ends soon: it costs little beside the scan that follows.
func TestAFarFilterCostsLittleMoreThanAScan(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.SealRows = 10_000 })
	filter := roaring.New()
	for i := range 10_000 {
		if i%10 < 3 {
			filter.Add(uint32(i))
			w.addRow(w.at(10))
			continue
		}
		w.addRow(w.at(0))
	}
	w.rest()
	forcePlan(t, PlanFiltered)
	for range 20 {
		_, s := w.search(Request{Query: w.at(0), K: 10, Ef: 100, Filter: NewMatches(filter)})
		require.True(t, s.Fallback)
		require.Equal(t, 3000, s.Scanned)
		require.Less(t, float64(s.Distances-s.Scanned), 0.3*float64(s.Scanned)/scansPerDistance)

		_, s = w.search(Request{Query: w.at(10), K: 10, Ef: 100, Filter: NewMatches(filter)})
		require.False(t, s.Fallback)
		require.Zero(t, s.Scanned)
	}
}

// What a walk of one source gives up is scanned; the others are walked.
func TestAWalkThatGivesUpHasItsSourceScanned(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.SealRows = 10_001 })
	filter := roaring.New()
	for i := range 10_000 { // matches are far from the query
		if i%4 == 0 {
			filter.Add(w.next)
			w.addRow(w.at(10))
			continue
		}
		w.addRow(w.at(0))
	}
	require.NoError(t, w.ix.SealAll(t.Context()))
	for i := range 4000 {
		if i%2 == 0 {
			filter.Add(w.next)
		}
		w.addRow(w.at(0))
	}
	require.NoError(t, w.ix.SealAll(t.Context()))
	require.Equal(t, 2, w.ix.Pending().Segments)
	forcePlan(t, PlanFiltered)
	for range 20 {
		_, s := w.search(Request{Query: w.at(0), K: 10, Ef: 100, Filter: NewMatches(filter)})
		require.True(t, s.Fallback)
		require.Positive(t, s.Hops)
		require.Equal(t, 2500, s.Scanned)
	}
}

// Sources in which nothing matches are not looked at, and those with few matches are scanned.
func TestSourcesAreSearchedByTheirMatches(t *testing.T) {
	const n, first, second = 10_000, 1000, 8000
	w := newWorld(t, func(o *Options) { o.SealRows = n })
	for _, rows := range []int{first, second, n - first - second} {
		w.add(rows)
		require.NoError(t, w.ix.SealAll(t.Context()))
	}
	require.Equal(t, 3, w.ix.Pending().Segments)
	alone := newWorld(t, func(o *Options) { o.SealRows = n })
	filter, inAlone := roaring.New(), roaring.New()
	for i := range uint32(second) {
		alone.addRow(w.rows[first+i])
		if i%4 != 0 {
			filter.Add(first + i)
			inAlone.Add(i)
		}
	}
	require.NoError(t, alone.ix.SealAll(t.Context()))
	forcePlan(t, PlanFiltered)
	var all, one int
	for range 50 {
		q := w.vector(w.heart)
		_, s := w.search(Request{Query: q, K: 10, Ef: 30, Filter: NewMatches(filter)})
		require.Zero(t, s.Scanned)
		all += s.Hops
		_, s = alone.search(Request{Query: q, K: 10, Ef: 30, Filter: NewMatches(inAlone)})
		one += s.Hops
	}
	require.InEpsilon(t, one, all, 0.1)

	forcedWalk = false
	filter.AddRange(0, 20)
	for range 50 {
		_, s := w.search(Request{Query: w.vector(w.heart), K: 10, Ef: 30, Filter: NewMatches(filter)})
		require.False(t, s.Fallback)
		require.Equal(t, first, s.Scanned, "its own rows are fewer than all matches")
		require.Positive(t, s.Hops)
	}
	w.wantRecall("matches in few sources", 0.95, Request{Ef: 30, Filter: NewMatches(filter)})
}
