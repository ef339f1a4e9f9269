package vectorindex

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/dataset"
)

const measuredQueries = 200

// measured is a world of synthetic rows whose neighbours are known.
type measured struct {
	*world
	set   *dataset.Set
	all   *dataset.Rows
	truth *dataset.Truth
}

func newMeasured(t *testing.T, rows, dim int, codes CodeConfig) *measured {
	set, err := dataset.Open(dataset.Options{
		Name: "synthetic", Dim: dim, Rows: rows, Queries: measuredQueries, Metric: dataset.Cosine,
		Synthetic: dataset.Synthetic{Clusters: 4, Low: 32, High: 48, Spread: 0.3, Noise: 0.3},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, set.Close()) })
	m := &measured{set: set}
	m.all, err = set.Read(0, rows)
	require.NoError(t, err)
	m.truth, err = set.Nearest(t.Context(), set.Queries, 10, 0, rows, nil, nil)
	require.NoError(t, err)
	m.world = newWorld(t, func(o *Options) {
		o.Dim, o.Metric, o.M, o.EfConstruct, o.SealRows = dim, set.Metric.Kernel(), 16, 100, rows
		o.Codes, o.Parallelism = codes, 1
	})
	return m
}

// load appends the next n rows.
func (m *measured) load(n int) {
	m.t.Helper()
	for range n {
		m.addRow(m.all.Row(int(m.next)))
	}
}

// recall asks all queries.
func (m *measured) recall(v *View, ef int) (recall float64, sum Stats) {
	m.t.Helper()
	found := 0
	for i := range measuredQueries {
		got, s, err := v.Search(context.Background(), Request{Query: m.set.Queries.Row(i), K: 10, Ef: ef}, nil)
		require.NoError(m.t, err)
		require.Equal(m.t, PlanWalk, s.Plan)
		sum.Distances += s.Distances
		sum.Hops += s.Hops
		sum.RowsRead += s.RowsRead
		sum.Coded += s.Coded
		for _, g := range got {
			for _, id := range m.truth.Of(i) {
				if uint32(id) == g.Slot {
					found++
				}
			}
		}
	}
	return float64(found) / (10 * measuredQueries), sum
}

// What an ordinary search takes at a recall, in counters: a change that makes graphs worse, walks longer or rescoring
// deeper shows here, whatever the machine's mood. Bounds are a twentieth above what was measured when they were set.
func TestWhatASearchTakes(t *testing.T) {
	const rows = 10_000
	for _, c := range []struct {
		dim                       int
		kind                      codeKind
		codes                     CodeConfig
		ef                        int
		recall                    float64
		distances, hops, rowsRead float64 // of a query
	}{
		// recall 0.973, 754 distances, 35.6 hops, 13.7 rows; 0.978, 850, 43.2, 27.6; 0.967, 839, 42.8, 40.0;
		// 0.977, 719, 34.7, 10.8; 0.973, 717, 34.4, 20.9; 0.977, 714, 34.4, 30.0
		{768, codesRotated4, CodeConfig{Kind: CodesTurbo, Bits: 4}, 32, 0.965, 790, 38, 15},
		{768, codesRotated2, CodeConfig{Kind: CodesTurbo, Bits: 2}, 40, 0.97, 890, 45, 30},
		{768, codesRotated1, CodeConfig{Kind: CodesTurbo, Bits: 1}, 40, 0.96, 880, 45, 44},
		{100, codesRotated8, CodeConfig{}, 32, 0.97, 755, 36.5, 11.5},
		{100, codesNibbles4, CodeConfig{Kind: CodesTurbo, Bits: 4}, 32, 0.965, 755, 36.5, 22},
		{100, codesScalar8, CodeConfig{Kind: CodesScalar, Quantile: 0.99}, 32, 0.97, 750, 36.5, 31},
	} {
		t.Run(fmt.Sprintf("%d dimensions, codes %d", c.dim, c.kind), func(t *testing.T) {
			m := newMeasured(t, rows, c.dim, c.codes)
			m.load(rows)
			w := m.world
			w.rest()
			require.Equal(t, 1, w.ix.Pending().Segments)
			require.Equal(t, []codeKind{c.kind}, w.kindsOfCodes())
			require.Zero(t, w.ix.Pending().Tail+w.ix.Pending().Head)
			v := w.ix.View()
			defer v.Release()
			recall, sum := m.recall(v, c.ef)
			mean := func(n int) float64 { return float64(n) / measuredQueries }
			t.Logf("recall %.3f, %.0f distances, %.1f hops, %.1f rows read", recall, mean(sum.Distances), mean(sum.Hops), mean(sum.RowsRead))
			require.GreaterOrEqual(t, recall, c.recall)
			require.LessOrEqual(t, mean(sum.Distances), c.distances)
			require.LessOrEqual(t, mean(sum.Hops), c.hops)
			require.LessOrEqual(t, mean(sum.RowsRead), c.rowsRead)
			perCode, book := float64(sum.Coded)/float64(sum.Distances), v.s.codebooks[0]
			require.GreaterOrEqual(t, perCode, float64(book.first))
			require.LessOrEqual(t, perCode, float64(book.stride))
			if book.first < book.stride {
				require.Less(t, perCode, 0.9*float64(book.stride), "most codes are given up at their first plane")
			}
		})
	}
}

// What graphs take to be built and merged, in distances: a merge inserts the rows of the smaller graphs only.
func TestWhatABuildTakes(t *testing.T) {
	const first, second, ef = 7000, 3000, 32
	for _, c := range []struct {
		dim          int
		codes        CodeConfig
		build, merge float64 // distances of a row
		recall       float64
	}{
		// 2816 distances, 3319, recall 0.972; 2730, 3202, 0.978
		{768, CodeConfig{Kind: CodesTurbo, Bits: 4}, 2960, 3490, 0.965},
		{100, CodeConfig{}, 2870, 3365, 0.97},
	} {
		t.Run(fmt.Sprintf("%d dimensions", c.dim), func(t *testing.T) {
			m := newMeasured(t, first+second, c.dim, c.codes)
			built := func() (rows, distances int64) {
				rows, distances = m.ix.o.Built.Rows.Load(), m.ix.o.Built.Distances.Load()
				m.ix.o.Built.Rows.Store(0)
				m.ix.o.Built.Distances.Store(0)
				return rows, distances
			}
			m.load(first)
			m.rest()
			rows, distances := built()
			require.EqualValues(t, first, rows)
			perBuilt := float64(distances) / first
			m.load(second)
			m.rest()
			require.Equal(t, 1, m.ix.Pending().Segments)
			rows, distances = built()
			perMerged := float64(distances) / float64(rows)
			v := m.ix.View()
			defer v.Release()
			recall, _ := m.recall(v, ef)
			t.Logf("%.0f distances a row, %d rows of a merge %.0f, recall %.3f", perBuilt, rows, perMerged, recall)
			require.EqualValues(t, second, rows, "those of the larger graph stay in it")
			require.LessOrEqual(t, perBuilt, c.build)
			require.LessOrEqual(t, perMerged, c.merge)
			require.GreaterOrEqual(t, recall, c.recall)
		})
	}
}
