package vectorindex

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A trace holds what the search scored, codes and rows, and replaying it computes the same distances.
func TestTraceHoldsWhatASearchScored(t *testing.T) {
	for _, dim := range []int{24, 256} { // codes that are scored at once, and that are sifted
		testTrace(t, dim)
	}
}

func testTrace(t *testing.T, dim int) {
	t.Helper()
	rounding := 1e-5 * float64(dim) / 24
	w := newWorld(t, func(o *Options) { o.Dim = dim })
	w.add(2500)
	w.rest()
	v := w.ix.View()
	defer v.Release()
	r := Request{Query: w.vector(w.heart), K: 10, Ef: 30}
	want, stats, err := v.Search(t.Context(), r, nil)
	require.NoError(t, err)
	require.Equal(t, PlanWalk, stats.Plan)

	trace, err := v.Trace(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, stats.Distances, trace.Distances())
	distances := map[uint32]float32{}
	for _, b := range trace.rows {
		for _, at := range b.at {
			slot := b.span.First + at
			row, err := v.rows.Row(slot)
			require.NoError(t, err)
			distances[slot] = w.o.Metric.Distance(r.Query, row)
		}
	}
	require.Len(t, distances, stats.RowsRead)
	for _, hit := range want {
		require.InDelta(t, hit.Distance, distances[hit.Slot], rounding)
	}
	trace.Replay(r.Query)
	require.NoError(t, trace.ReplayRows(r.Query))
	last := trace.rows[len(trace.rows)-1]
	for i, at := range last.at {
		require.InDelta(t, distances[last.span.First+at], trace.out[i], rounding)
	}
}
