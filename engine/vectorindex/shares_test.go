package vectorindex

import (
	"cmp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// figures are means of many searches.
type figures struct{ recall, distances, hops, scanned float64 }

// figures asks queries.
func (w *world) figures(queries [][]float32, r Request) (f figures) {
	w.t.Helper()
	r.K = 10
	for _, q := range queries {
		r.Query = q
		got, s := w.search(r)
		require.False(w.t, s.Fallback)
		truth := w.nearest(q, r.K, r.allowed())
		for _, g := range got {
			if g.Distance <= truth[len(truth)-1].Distance*1.0001 {
				f.recall += 1 / float64(len(truth))
			}
		}
		f.distances += float64(s.Distances)
		f.hops += float64(s.Hops)
		f.scanned += float64(s.Scanned)
	}
	n := float64(len(queries))
	return figures{f.recall / n, f.distances / n, f.hops / n, f.scanned / n}
}

// spread puts rows into segments that end at cuts, and what is beyond them into a head.
func spread(t *testing.T, rows [][]float32, cuts ...int) *world {
	w := newWorld(t, func(o *Options) { o.SealRows, o.Parallelism, o.EfConstruct = len(rows)+1, 1, 100 })
	from := 0
	for _, to := range append(cuts, len(rows)) {
		for _, row := range rows[from:to] {
			w.addRow(row)
		}
		if to < len(rows) {
			require.NoError(t, w.ix.SealAll(t.Context()))
			from = to
		}
	}
	for w.ix.Pending().Tail > 0 {
		s := w.ix.pin()
		require.NoError(t, w.ix.insertTail(s.tail()))
		s.release()
	}
	require.Equal(t, len(cuts), w.ix.Pending().Segments)
	require.Equal(t, len(rows)-from, w.ix.Pending().Head)
	return w
}

// Several graphs are searched for little more than one graph of all rows, and find as much; also where one of them holds
// nearly all neighbours.
func TestSourcesAreWalkedByTheirShares(t *testing.T) {
	gen := newWorld(t, nil)
	var rows, queries [][]float32
	for range 10_000 {
		rows = append(rows, gen.vector(nil))
	}
	for range 200 {
		queries = append(queries, gen.vector(nil))
	}
	bySide := slices.SortedFunc(slices.Values(rows), func(a, b []float32) int { return cmp.Compare(a[0], b[0]) })
	for _, c := range []struct {
		name string
		rows [][]float32
		cuts []int
		most float64 // times the distances of one graph
	}{
		{"a tenth in the head", rows, []int{9000}, 1.3},
		{"halves", rows, []int{5000}, 1.4},
		{"fifths", rows, []int{2000, 4000, 6000, 8000}, 2},
		{"halves by side", bySide, []int{5000}, 1.6},
	} {
		t.Run(c.name, func(t *testing.T) {
			one, w := spread(t, c.rows), spread(t, c.rows, c.cuts...)
			r := Request{Ef: 100}
			want, got := one.figures(queries, r), w.figures(queries, r)
			t.Logf("one %+v, many %+v", want, got)
			require.GreaterOrEqual(t, got.recall, want.recall-0.005)
			require.LessOrEqual(t, got.distances, c.most*want.distances)
		})
	}
}

// A graph of few rows is scanned where that takes less time than a walk.
func TestSmallGraphsAreScanned(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.SealRows = 5000 })
	w.add(5000)
	w.work()
	w.add(200)
	w.work()
	require.Equal(t, 200, w.ix.Pending().Head)
	require.Zero(t, w.wantRecall("walked", 0.95, Request{Ef: 20}).Scanned)
	forcedWalk = false
	s := w.wantRecall("scanned", 0.95, Request{Ef: 20})
	require.Equal(t, PlanWalk, s.Plan)
	require.Positive(t, s.Hops)
	require.Equal(t, 200, s.Scanned)
	require.Zero(t, w.wantRecall("of rows", 0.95, Request{Ef: 20, Rows: true}).Scanned)
}
