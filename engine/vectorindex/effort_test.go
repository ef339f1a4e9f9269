package vectorindex

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/dataset"
)

// What an ordinary search takes at a recall, in counters: a change that makes graphs worse, walks longer or rescoring
// deeper shows here, whatever the machine's mood. Bounds are a twentieth above what was measured when they were set.
func TestWhatASearchTakes(t *testing.T) {
	const rows, queries = 10_000, 200
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
			set, err := dataset.Open(dataset.Options{
				Name: "synthetic", Dim: c.dim, Rows: rows, Queries: queries, Metric: dataset.Cosine,
				Synthetic: dataset.Synthetic{Clusters: 4, Low: 32, High: 48, Spread: 0.3, Noise: 0.3},
			})
			require.NoError(t, err)
			defer func() { require.NoError(t, set.Close()) }()
			all, err := set.Read(0, rows)
			require.NoError(t, err)
			truth, err := set.Nearest(t.Context(), set.Queries, 10, 0, rows, nil, nil)
			require.NoError(t, err)
			w := newWorld(t, func(o *Options) {
				o.Dim, o.Metric, o.M, o.EfConstruct, o.SealRows = c.dim, set.Metric.Kernel(), 16, 100, rows
				o.Codes, o.Parallelism = c.codes, 1
			})
			for i := range rows {
				w.rows[uint32(i)] = all.Row(i)
				w.live.Add(uint32(i))
				require.NoError(t, w.o.Rows.Write([]uint32{uint32(i)}, [][]float32{all.Row(i)}))
				require.NoError(t, w.ix.Append([]uint32{uint32(i)}, [][]float32{all.Row(i)}))
			}
			w.next = rows
			w.rest()
			require.Equal(t, 1, w.ix.Pending().Segments)
			require.Equal(t, []codeKind{c.kind}, w.kindsOfCodes())
			require.Zero(t, w.ix.Pending().Tail+w.ix.Pending().Head)
			v := w.ix.View()
			defer v.Release()
			var sum Stats
			found := 0
			for i := range queries {
				got, s, err := v.Search(context.Background(), Request{Query: set.Queries.Row(i), K: 10, Ef: c.ef}, nil)
				require.NoError(t, err)
				require.Equal(t, PlanWalk, s.Plan)
				sum.Distances += s.Distances
				sum.Hops += s.Hops
				sum.RowsRead += s.RowsRead
				sum.Coded += s.Coded
				for _, g := range got {
					for _, id := range truth.Of(i) {
						if uint32(id) == g.Slot {
							found++
						}
					}
				}
			}
			recall := float64(found) / (10 * queries)
			mean := func(n int) float64 { return float64(n) / queries }
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
