package vectorindex

import (
	"fmt"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/isobath/isobath/mmapvec/distance"
)

// On codes of every kind, and whatever the plan, k results come back wherever k match, sorted, though estimates and
// distances overflow.
func TestExtremeRowsOnAllCodes(t *testing.T) {
	smallCells(t, 100)
	codes := []CodeConfig{{}, {Kind: CodesScalar, Quantile: 0.9}, {Kind: CodesTurbo, Bits: 4}, {Kind: CodesTurbo, Bits: 2}, {Kind: CodesTurbo, Bits: 1}}
	for _, metric := range []distance.Metric{distance.Dot, distance.L2, distance.L1} {
		for _, code := range codes {
			t.Run(fmt.Sprint(metric, code), func(t *testing.T) {
				w := newWorld(t, func(o *Options) { o.Metric, o.SealRows, o.EfConstruct, o.Codes = metric, 300, 24, code })
				for i := range 700 {
					v := w.vector(nil)
					scale(v, []float32{0, 1e-38, 1, 1e19, 3e37}[i%5])
					w.addRow(v)
				}
				w.work()
				filter := roaring.New()
				for slot := uint32(0); slot < 700; slot += 3 {
					filter.Add(slot)
				}
				huge := w.vector(nil)
				scale(huge, 3e37)
				for _, plan := range []Plan{"", PlanMatches, PlanFiltered, PlanTwoHop, PlanCells} {
					forcePlan(t, plan)
					for _, q := range [][]float32{w.vector(nil), huge, make([]float32, w.o.Dim)} {
						for _, r := range []Request{
							{K: 10}, {K: 10, Filter: NewMatches(filter)}, {K: 700}, {K: 5000, Filter: NewMatches(filter)}, {K: 10, Rows: true},
							{K: 10, Approximate: true}, {K: 10, Filter: NewMatches(filter), Approximate: true}, {K: 10, Exact: true},
							{K: 10, Filter: NewMatches(filter), Oversampling: 8}, {K: 10, Ef: 1 << 30}, {K: 1 << 40, Ef: 1 << 50, Filter: NewMatches(filter)},
						} {
							r.Query = q
							w.degenerate(r)
						}
					}
				}
				w.kill(2)
				w.rest()
				w.degenerate(Request{Query: huge, K: 700})
				w.wantComplete()
			})
		}
	}
}
