package vectorindex

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFarSourceIsNotScanned: a source whose nearest are all beaten by those of another was searched well
// enough, and is no reason to look for live rows in it or to scan.
func TestFarSourceIsNotScanned(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.SealRows = 1500 })
	at := func(x float32) []float32 {
		v := make([]float32, w.o.Dim)
		for i := range v {
			v[i] = x + w.rng.Float32()
		}
		return v
	}
	for range 1500 {
		w.addRow(at(10))
	}
	w.work()
	for range 1000 {
		w.addRow(at(-10))
	}
	w.work()
	p := w.ix.Pending()
	require.Equal(t, 1, p.Segments)
	require.Equal(t, 1000, p.Head)
	results, stats := w.search(Request{Query: at(10), K: 10})
	require.Len(t, results, 10)
	require.Equal(t, PlanWalk, stats.Plan)
	require.False(t, stats.Fallback)
	require.Less(t, stats.Distances, 2500)
}
