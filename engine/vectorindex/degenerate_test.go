package vectorindex

import (
	"math"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"

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

// Duplicates, few kinds, axes and rows on a line do not cost recall, by distance. Codes of 1 and 2 bits tell rows on a line, whose
// directions from their mean are two, by little but their length: there they are left out.
func TestDegenerateRowsKeepRecall(t *testing.T) {
	rows := map[string]func(v []float32, i int){
		"equal":     func(v []float32, _ int) { fill(v, func(int) float32 { return 1 }) },
		"few kinds": func(v []float32, i int) { fill(v, func(j int) float32 { return float32((i%20*7 + j*3) % 11) }) },
		"axes":      func(v []float32, i int) { v[i%len(v)] = 1 },
		"line":      func(v []float32, i int) { fill(v, func(int) float32 { return float32(i) }) },
	}
	for name, row := range rows {
		for _, c := range codesOfPlans {
			if name == "line" && (c.kind == codesRotated1 || c.kind == codesRotated2) {
				continue
			}
			w := newWorld(t, func(o *Options) { o.Dim, o.Codes, o.SealRows = c.dim, c.codes, 3000 })
			for i := range 2000 {
				v := make([]float32, c.dim)
				row(v, i)
				w.addRow(v)
			}
			w.rest()
			found, wanted := 0, 0
			for slot := uint32(0); slot < 2000; slot += 97 {
				q := w.rows[slot]
				got, _ := w.search(Request{Query: q, K: 10})
				limit := w.nearest(q, 10, nil)[9].Distance
				for _, g := range got {
					if g.Distance <= limit*1.0001+1e-4 {
						found++
					}
				}
				wanted += 10
			}
			require.GreaterOrEqual(t, float64(found), 0.93*float64(wanted), "%s, codes %d", name, c.kind)
		}
	}
}

func fill(v []float32, of func(j int) float32) {
	for j := range v {
		v[j] = of(j)
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

// Few of the rows of many small clusters are looked for in a wrong one, also by codes of one bit at a narrow beam.
func TestFewWalksOnFewBitsGoAstray(t *testing.T) {
	w := newWorld(t, func(o *Options) {
		o.Dim, o.M, o.EfConstruct, o.SealRows, o.Parallelism = 128, 16, 100, 30_000, 1
		o.Codes = CodeConfig{Kind: CodesTurbo, Bits: 1}
	})
	w.heart = nil
	for range 150 {
		h := w.vector(nil)
		for i := range h {
			h[i] *= 0.8
		}
		w.heart = append(w.heart, h)
	}
	w.add(30_000)
	w.rest()
	astray := 0
	for slot := uint32(0); slot < w.next; slot += 5 {
		got, s := w.ask(Request{Query: w.rows[slot], K: 1, Ef: 16})
		require.Equal(t, PlanWalk, s.Plan)
		if got[0].Distance > 140 { // of rows of a cluster, 92; of others, about 256
			astray++
		}
	}
	t.Logf("%d of 6000", astray)
	require.Less(t, astray, 15) // 5; 36 with a greedy descent
}
