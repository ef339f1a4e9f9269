package vectorindex

import (
	"math"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/isobath/isobath/mmapvec/distance"
)

// Whatever the rows are, k results come back wherever k match.
func TestDegenerateRowsAreFound(t *testing.T) {
	rows := map[string]func(w *world, i int) []float32{
		"zero":      func(w *world, i int) []float32 { return make([]float32, w.o.Dim) },
		"equal":     func(w *world, i int) []float32 { return w.heart[0] },
		"few kinds": func(w *world, i int) []float32 { return w.heart[i%3] },
		"huge":      func(w *world, i int) []float32 { v := w.vector(nil); scale(v, 1e18); return v },
		"tiny":      func(w *world, i int) []float32 { v := w.vector(nil); scale(v, 1e-30); return v },
		"mixed": func(w *world, i int) []float32 {
			v := w.vector(nil)
			scale(v, []float32{0, 1e-10, 1, 1e10}[i%4])
			return v
		},
	}
	smallCells(t, 100)
	for name, row := range rows {
		for _, metric := range []distance.Metric{distance.Dot, distance.L2, distance.L1} {
			t.Run(name+" "+metric.String(), func(t *testing.T) {
				w := newWorld(t, func(o *Options) { o.Metric, o.SealRows, o.EfConstruct = metric, 400, 32 })
				for i := range 1000 {
					w.addRow(row(w, i))
				}
				w.work()
				filter := roaring.New()
				filter.AddRange(300, 500)
				for range 10 {
					for _, q := range [][]float32{w.vector(nil), w.heart[0], make([]float32, w.o.Dim)} {
						w.degenerate(Request{Query: q, K: 10})
						for _, plan := range []Plan{"", PlanCells} {
							forcePlan(t, plan)
							w.degenerate(Request{Query: q, K: 10, Filter: NewMatches(filter)})
						}
						w.degenerate(Request{Query: q, K: 300, Exact: true})
					}
				}
				w.kill(2)
				w.rest()
				w.degenerate(Request{Query: w.heart[0], K: 500})
				w.wantComplete()
			})
		}
	}
}

func scale(v []float32, by float32) {
	for i := range v {
		v[i] *= by
	}
}

// Products with rows of very different lengths: the bound of the codes' error, by which fewer candidates are rescored,
// is made for rows as long as the query.
func TestRowsOfDifferentLengthsAreFoundByProduct(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Metric, o.SealRows = distance.Dot, 2000 })
	for range 2000 {
		v := w.vector(w.heart)
		scale(v, float32(math.Exp(2*w.rng.NormFloat64())))
		w.addRow(v)
	}
	w.wantRecall("lengths, scanned", 0.98, Request{})
	w.work()
	w.wantRecall("lengths, walked", 0.95, Request{})
}
