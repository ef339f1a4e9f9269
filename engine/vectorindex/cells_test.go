package vectorindex

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/mmapvec/distance"
)

// smallCells gives small segments cells for the time of a test.
func smallCells(t testing.TB, from int) {
	old := leastCellRows
	leastCellRows = from
	t.Cleanup(func() { leastCellRows = old })
}

// divided returns an index of rows in one segment with cells.
func divided(t testing.TB, rows int, change func(*Options)) (*world, *segment) {
	smallCells(t, 500)
	w := newWorld(t, func(o *Options) {
		o.SealRows = 10_000
		if change != nil {
			change(o)
		}
	})
	w.add(rows)
	w.rest()
	require.Len(t, w.ix.current.segments, 1)
	sg := w.ix.current.segments[0]
	require.NotNil(t, sg.cells)
	return w, sg
}

// between returns the slots whose first component lies within bounds.
func (w *world) between(low, high float32) *Matches {
	set := roaring.New()
	for slot, row := range w.rows {
		if row[0] >= low && row[0] < high {
			set.Add(slot)
		}
	}
	return NewMatches(set)
}

func TestCellsHoldRowsThatLieTogether(t *testing.T) {
	for _, metric := range []distance.Metric{distance.Dot, distance.L2} {
		t.Run(metric.String(), func(t *testing.T) {
			_, sg := divided(t, 3000, func(o *Options) { o.Metric = metric })
			c, stride := sg.cells, sg.stride
			require.InDelta(t, cellsPerRoot*math.Sqrt(3000), c.len(), 25)
			require.NoError(t, sg.check())
			q, out := sg.book.quantizer.NewQuery(), make([]float32, c.len())
			nearest := 0
			for cell := range c.len() {
				for ord := c.begin[cell]; ord < c.begin[cell+1]; ord++ {
					q.ResetCode(sg.codes[int(ord)*stride:][:stride])
					q.Distances(c.codes, upTo(c.len()), out, farthest)
					if argmin(out) == cell {
						nearest++
					}
				}
			}
			require.Greater(t, nearest, 2850)
		})
	}
}

// ask searches and checks nothing.
func (w *world) ask(r Request) ([]Result, Stats) {
	v := w.ix.View()
	defer v.Release()
	got, s, err := v.Search(context.Background(), r, nil)
	require.NoError(w.t, err)
	return got, s
}

// wantCells asserts that a scan of cells finds what it may, and ends before it has scanned this part of the matches.
func (w *world) wantCells(name string, floor, part float64, r Request) {
	w.t.Helper()
	forcePlan(w.t, PlanCells)
	s := w.wantRecall(name, floor, r)
	require.Equal(w.t, PlanCells, s.Plan)
	require.Zero(w.t, s.Hops)
	require.Less(w.t, float64(s.Scanned), part*float64(s.Matches), name)
}

// The best matches are found in a part of the cells, wherever the matches lie: in clusters, and where there are none, so that a scan
// that ends too early loses much.
func TestScanOfCells(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, metric := range []distance.Metric{distance.Dot, distance.L2} {
		for _, bits := range []int{8, 4, 2, 1} {
			t.Run(fmt.Sprint(metric, bits), func(t *testing.T) {
				codes := func(o *Options) {
					if o.Metric = metric; bits < 8 {
						o.Dim, o.Codes = 64, CodeConfig{Kind: CodesTurbo, Bits: bits}
					}
				}
				w, _ := divided(t, 6000, codes)
				some := roaring.New()
				for slot := range w.rows {
					if slot%3 == 0 {
						some.Add(slot)
					}
				}
				for name, filter := range map[string]*Matches{"any": NewMatches(some), "above": w.between(0.5, inf), "below": w.between(-inf, 0)} {
					w.wantCells(name, 0.95, 0.7, Request{Filter: filter, Ef: 200})
				}
				w.wantRecall("all of them", 1, Request{Filter: w.between(1, 1.1), K: 6000})

				w = newWorld(t, func(o *Options) { o.SealRows = 10_000; codes(o) })
				w.heart = [][]float32{make([]float32, w.o.Dim)}
				w.add(6000)
				w.rest()
				floor := 0.95
				if bits == 1 { // nor does a scan of all matches find more
					floor = 0.88
				}
				w.wantCells("no clusters", floor, 1.01, Request{Filter: w.between(-inf, 0), Ef: 200})
			})
		}
	}
}

// Codes whose deviations are not known have all candidates rescored, also those that a scan of cells finds.
func TestCellsOfCodesWithoutDeviations(t *testing.T) {
	w, _ := divided(t, 6000, func(o *Options) { o.Codes = CodeConfig{Kind: CodesScalar, Quantile: 0.6} })
	forcePlan(t, PlanCells)
	some := roaring.New()
	for slot := range w.rows {
		if slot%3 == 0 {
			some.Add(slot)
		}
	}
	for range 20 {
		_, s := w.ask(Request{Query: w.vector(w.heart), K: 10, Ef: 200, Filter: NewMatches(some)})
		require.Equal(t, depthOf(codesScalar8).least, s.Rescored)
		require.Less(t, s.Scanned, s.Matches)
	}
}

// However long rows are, and wherever they lie, cells are of use and lose nothing.
func TestCellsOfAnyScale(t *testing.T) {
	for _, metric := range []distance.Metric{distance.Dot, distance.L2} {
		for _, scaled := range []float32{1e-8, 100, 1e10} {
			for _, bits := range []int{8, 4, 1} {
				for _, offset := range []float32{0, 2}[:1+b2i(scaled == 100)] {
					t.Run(fmt.Sprint(metric, scaled, bits, offset), func(t *testing.T) {
						smallCells(t, 500)
						w := newWorld(t, func(o *Options) {
							o.Metric, o.SealRows = metric, 10_000
							if bits < 8 {
								o.Dim, o.Codes = 64, CodeConfig{Kind: CodesTurbo, Bits: bits}
							}
						})
						for _, h := range w.heart {
							for i := range h {
								h[i] += offset
							}
						}
						var slots []uint32
						var rows [][]float32
						for i := range uint32(4000) {
							v := w.vector(w.heart)
							scale(v, scaled)
							slots, rows = append(slots, i), append(rows, v)
						}
						require.NoError(t, w.o.Rows.Write(slots, rows))
						require.NoError(t, w.ix.Append(slots, rows))
						w.live.AddRange(0, 4000)
						w.rest()
						third := roaring.New()
						for slot := uint32(0); slot < 4000; slot += 3 {
							third.Add(slot)
						}
						forcePlan(t, PlanCells)
						hits, scanned := 0, 0
						const queries = 40
						for range queries {
							q := w.vector(w.heart)
							scale(q, scaled)
							r := Request{Query: q, K: 10, Ef: 100, Filter: NewMatches(third)}
							got, s := w.ask(r)
							r.Exact = true
							best, _ := w.ask(r)
							for _, g := range got {
								if g.Distance <= best[len(best)-1].Distance {
									hits++
								}
							}
							scanned += s.Scanned
						}
						require.Greater(t, float64(hits), 0.95*queries*10)
						require.Less(t, scanned, queries*1000) // of 1 334
					})
				}
			}
		}
	}
}

// Where rows have few dimensions of their own, and matches lie in a ball, a scan of cells knows as well when it may end.
func TestCellsOfRowsOfFewDimensions(t *testing.T) {
	smallCells(t, 500)
	w := newWorld(t, func(o *Options) { o.SealRows, o.Dim = 30_000, 64 })
	base := make([][]float32, 12)
	for i := range base {
		base[i] = w.vector(nil)
	}
	near := func(weights []float32) []float32 { // with a little noise in all dimensions
		v := w.vector(nil)
		scale(v, 0.01)
		for i, x := range weights {
			for j := range v {
				v[j] += x * base[i%len(base)][j]
			}
		}
		return v
	}
	for range 16_000 {
		w.addRow(near(w.vector(nil)[:len(base)]))
	}
	w.rest()
	third, ball := roaring.New(), roaring.New()
	for slot := range w.rows {
		if slot%3 == 0 {
			third.Add(slot)
		}
	}
	for _, r := range w.nearest(w.rows[7], 5000, nil) {
		ball.Add(r.Slot)
	}
	forcePlan(t, PlanCells)
	for name, filter := range map[string]*roaring.Bitmap{"a third": third, "a ball": ball} {
		hits := 0
		for range 40 {
			q := near(w.vector(nil)[:len(base)])
			got, s := w.ask(Request{Query: q, K: 10, Ef: 100, Filter: NewMatches(filter)})
			require.Less(t, s.Scanned, 4000, name)
			hits += overlapOf(got, w.nearest(q, 10, filter))
		}
		require.Greater(t, hits, 372, name) // of 400
	}
}

// A filter of few matches has the cells that may hold the best ones scanned, but for queries near which most rows match: these
// are walked, which takes less.
func TestMatchesNearTheQueryAreWalkedTo(t *testing.T) {
	smallCells(t, 500)
	w := newWorld(t, func(o *Options) { o.SealRows = 50_000 })
	filter := roaring.New()
	for i := range 40_000 {
		x := float32(0)
		if i%10 == 0 {
			filter.Add(w.next)
			x = 5
		}
		w.addRow(w.at(x))
	}
	w.rest()
	r := Request{K: 5, Ef: 20, Filter: NewMatches(filter)}
	hits, unfiltered := 0, 0
	for range 50 {
		r.Query = w.at(0)
		_, s := w.search(r)
		require.Equal(t, PlanCells, s.Plan)
		require.Zero(t, s.Hops)
		require.Less(t, s.Scanned, s.Matches)

		r.Query = w.at(5)
		got, s := w.search(r)
		require.Equal(t, PlanFiltered, s.Plan)
		require.False(t, s.Fallback)
		require.Zero(t, s.Scanned)
		require.Less(t, s.Distances, 1500, "the means of the cells count, too") // of 4000 matches
		hits += overlapOf(got, w.nearest(r.Query, 5, filter))
		got, _ = w.search(Request{Query: r.Query, K: 5, Ef: 20})
		unfiltered += overlapOf(got, w.nearest(r.Query, 5, nil))
	}
	require.Greater(t, hits, unfiltered-8, "it finds what an unfiltered walk of that breadth would") // of 250
}

// A walk far from its matches gives up, and some cells are scanned instead of all matches.
func TestAFarWalkFallsBackToCells(t *testing.T) {
	smallCells(t, 500)
	w := newWorld(t, func(o *Options) { o.SealRows = 20_000 })
	filter := roaring.New()
	for i := range 12_000 {
		x := float32(0)
		if i%2 == 0 {
			filter.Add(w.next)
			x = float32(3 + i%7)
		}
		w.addRow(w.at(x))
	}
	w.rest()
	forcePlan(t, PlanFiltered)
	hits := 0
	for range 20 {
		q := w.at(0)
		got, s := w.search(Request{Query: q, K: 10, Ef: 100, Filter: NewMatches(filter)})
		require.True(t, s.Fallback)
		require.Positive(t, s.Scanned)
		require.Less(t, s.Scanned, 3000)
		hits += overlapOf(got, w.nearest(q, 10, filter))
	}
	require.Greater(t, hits, 190)
}

// overlapOf counts the slots of a among those of b.
func overlapOf(a, b []Result) (n int) {
	for _, x := range a {
		if slices.ContainsFunc(b, func(y Result) bool { return y.Slot == x.Slot }) {
			n++
		}
	}
	return n
}

// What a filter keeps is per segment: a merge makes another one.
func TestMatchesOutliveMerges(t *testing.T) {
	w, _ := divided(t, 4000, nil)
	forcePlan(t, PlanCells)
	filter := w.between(0, float32(math.Inf(1)))
	for range 5 {
		w.wantRecall("kept", 0.95, Request{Filter: filter})
		w.add(200)
		w.kill(40)
		w.rest()
	}
	w.wantRecall("kept", 0.95, Request{Filter: filter})
	require.Len(t, filter.segments, 1, "those of segments that are gone are forgotten")
}

// Working out a filter's matches in a segment takes longer than a walk: they are from the second search on, of every segment.
func TestWalksAskTwiceForMatches(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.SealRows = 10_000 })
	for range 2 {
		w.add(1000)
		require.NoError(t, w.ix.SealAll(t.Context()))
	}
	require.Equal(t, 2, w.ix.Pending().Segments)
	forcePlan(t, PlanFiltered)
	filter := w.between(-10, 10)
	before, _ := w.search(Request{Query: w.heart[0], K: 10, Filter: filter})
	require.Empty(t, filter.segments)
	after, _ := w.search(Request{Query: w.heart[0], K: 10, Filter: filter})
	require.Len(t, filter.segments, 2)
	require.Equal(t, before, after)
}

func TestCellsNeedTheirRows(t *testing.T) {
	smallCells(t, 500)
	w := newWorld(t, nil)
	w.appendUnwritten(800)
	w.rest()
	require.Nil(t, w.ix.current.segments[0].cells)
	require.NotEmpty(t, w.ix.Problems())
	files := w.ix.Saved().NextFile
	w.rest()
	require.Equal(t, files, w.ix.Saved().NextFile, "it is not tried again and again")
}

// A segment that has no cells though it should, of an older file or of a crash, gets them at rest.
func TestSegmentsGetCellsAtRest(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.SealRows = 10_000 })
	w.add(1000)
	w.rest()
	require.Nil(t, w.ix.current.segments[0].cells)
	smallCells(t, 500)
	w.work()
	require.Nil(t, w.ix.current.segments[0].cells, "not while rows may come")
	w.rest()
	require.Len(t, w.ix.current.segments, 1)
	require.NotNil(t, w.ix.current.segments[0].cells)
	w.wantRecall("divided", 0.95, Request{})
	ended, stop := context.WithCancel(t.Context())
	stop()
	w.add(1000)
	for w.ix.Pending().Tail > 0 {
		_, err := w.ix.Work(t.Context())
		require.NoError(t, err)
	}
	require.NoError(t, w.ix.SealAll(ended))
	require.Len(t, w.ix.current.segments, 2)
	require.Nil(t, w.ix.current.segments[1].cells, "no time")
	w.rest()
	require.Len(t, w.ix.current.segments, 1)
	require.NotNil(t, w.ix.current.segments[0].cells)
}

func TestSegmentsWithoutCells(t *testing.T) {
	smallCells(t, 500)
	for name, change := range map[string]func(*Options){
		"few rows": func(o *Options) { leastCellRows = 5000 },
		"L1":       func(o *Options) { o.Metric = distance.L1 },
		"no graph": func(o *Options) { o.NoGraph = true },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, change)
			w.add(1000)
			w.rest()
			for _, sg := range w.ix.current.segments {
				require.Nil(t, sg.cells)
			}
			w.wantRecall(name, 0.95, Request{Filter: w.between(0, 10)})
		})
	}
}

func TestHostileCellsAreRefused(t *testing.T) {
	_, sg := divided(t, 1000, nil)
	n, rows := sg.cells.len(), sg.rows
	s := sg.head.section(sectionCells)
	good := slices.Clone(sg.region.Bytes()[s.off : s.off+s.len])
	_, err := decodeCells(good, n, sg.stride, rows)
	require.NoError(t, err)
	begin := n * sg.stride
	gain := begin + 4*(n+1)
	for name, change := range map[string]func(b []byte){
		"first cell later":    func(b []byte) { wordsOf(b[begin:])[0] = 1 },
		"too many rows":       func(b []byte) { wordsOf(b[begin:])[n]++ },
		"cells out of order":  func(b []byte) { wordsOf(b[begin:])[1] = uint32(rows) + 1 },
		"gain that is none":   func(b []byte) { floatsOf(b[gain:])[0] = float32(math.NaN()) },
		"infinite gain":       func(b []byte) { floatsOf(b[gain:])[1] = float32(math.Inf(-1)) },
		"tail above 1":        func(b []byte) { floatsOf(b[gain+8*n:])[3] = 1.5 },
		"tail that is none":   func(b []byte) { floatsOf(b[gain+8*n:])[zones*tailLength-1] = float32(math.NaN()) },
		"negative spread":     func(b []byte) { floatsOf(b[gain+4*n:])[2] = -1 },
		"spread that is none": func(b []byte) { floatsOf(b[gain+4*n:])[2] = float32(math.NaN()) },
	} {
		b := slices.Clone(good)
		change(b)
		_, err := decodeCells(b, n, sg.stride, rows)
		require.ErrorIs(t, err, errSection, name)
	}
	head := *sg.head
	for _, change := range []func(*section){
		func(s *section) { s.aux = 0 },
		func(s *section) { s.aux++ },
		func(s *section) { s.aux = math.MaxUint32 },
		func(s *section) { s.len += 4 },
	} {
		head.sections = slices.Clone(sg.head.sections)
		change(&head.sections[slices.IndexFunc(head.sections, func(s section) bool { return s.kind == sectionCells })])
		require.ErrorIs(t, head.validate(), errSection)
	}
}

// Damage in the cells of a file is found when it is opened, and the segment made anew.
func TestDamagedCellsAreRebuilt(t *testing.T) {
	w, sg := divided(t, 1000, nil)
	s := sg.head.section(sectionCells)
	name := sg.name
	require.NoError(t, w.ix.Close())
	f, err := w.o.FS.Open(name)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte{1, 2, 3, 4}, s.off+s.len-40)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.NotEmpty(t, w.open())
	w.rest()
	w.wantComplete()
	require.NotNil(t, w.ix.current.segments[0].cells)
}

func TestWordMask(t *testing.T) {
	for _, c := range []struct {
		w, from, to int
		mask        uint64
	}{
		{0, 0, 64, ^uint64(0)}, {0, 3, 5, 0b11000}, {0, 60, 200, 0xf << 60}, {1, 0, 65, 1}, {1, 70, 128, math.MaxUint64 - 63}, {2, 0, 300, ^uint64(0)},
	} {
		require.Equal(t, c.mask, wordMask(c.w, c.from, c.to), c)
	}
}

func TestTails(t *testing.T) {
	counts := make([]int, tailLength)
	copy(counts, []int{500, 300, 100, 50, 30, 8, 4, 4, 0, 4})
	tail := tailOf(counts, 2000)
	require.InDeltaSlice(t, []float32{0.5, 0.25, 0.1, 0.05, 0.025, 0.01, 0.006, 0.004, 0.004 * 2 / 3}, tail[:9], 1e-6)
	require.True(t, slices.IsSortedFunc(tail, func(a, b float32) int { return cmp.Compare(b, a) }))
	require.Equal(t, 1.0, above(tail, -3))
	require.Equal(t, 1.0, above(tail, math.Inf(-1)))
	require.Equal(t, 1.0, above(tail, math.NaN()))
	require.InDelta(t, 0.375, above(tail, 0.125), 1e-6)
	require.InDelta(t, 0.006, above(tail, 1.5), 1e-6)
	require.Zero(t, above(tail, 12))
	require.Zero(t, above(tail, math.Inf(1)))

	steep := make([]int, tailLength)
	steep[0], steep[1] = 1<<40, leastTail
	for i, part := range tailOf(steep, 1<<41) {
		require.True(t, part >= 0 && part <= 1, i)
	}
	for _, part := range tailOf(make([]int, tailLength), 0) { // nothing is known
		require.True(t, part > 0 && part <= 1)
	}
	ends := zoneEnds(863)
	require.Equal(t, [zones]int{5, 18, 52, 130, 346, 863}, ends)
}

func TestLloydSeparatesClusters(t *testing.T) {
	w := newWorld(t, nil)
	cl := &clustering{ix: w.ix, dim: 2}
	rows := []float32{0, 0, 10, 10, 0, 1, 11, 10, 1, 0, 10, 11}
	centres, own := cl.lloyd(rows, 2)
	require.Equal(t, []uint32{0, 1, 0, 1, 0, 1}, own)
	require.InDeltaSlice(t, []float32{1. / 3, 1. / 3, 31. / 3, 31. / 3}, centres, 1e-5)
	_, own = cl.lloyd(rows[:2], 5)
	require.Equal(t, []uint32{0}, own)
}

// A scan of cells goes on until the candidates that were asked for are found, beyond the cluster of the query.
func TestScansOfCellsFindWhatOversamplingAsksFor(t *testing.T) {
	w, _ := divided(t, 6000, nil)
	all := roaring.New()
	near, far := w.heart[0], w.vector(nil)
	for i := range far {
		far[i] = near[i] + 20
	}
	w.heart = [][]float32{near}
	w.add(300)
	w.heart = [][]float32{far}
	w.add(3000)
	all.AddRange(6000, uint64(w.next))
	w.rest()
	require.Len(t, w.ix.current.segments, 1)
	filter := NewMatches(all)
	ask := func(oversampling float64) Stats {
		_, s := w.ask(Request{Query: near, K: 10, Oversampling: oversampling, Filter: filter, Plan: PlanCells})
		require.Equal(t, PlanCells, s.Plan)
		return s
	}
	s := ask(0)
	require.Less(t, s.Scanned, 600, "the far cluster is not needed")
	s = ask(80)
	require.Equal(t, 800, s.Rescored)
	require.GreaterOrEqual(t, s.Scanned, 800)
}

// What scans of several segments miss together is no more than what that of one may.
func TestScansOfCellsOfSeveralSegments(t *testing.T) {
	smallCells(t, 500)
	w := newWorld(t, func(o *Options) { o.SealRows = 10_000 })
	w.heart = [][]float32{make([]float32, w.o.Dim)}
	for range 8 {
		w.add(1500)
		require.NoError(t, w.ix.SealAll(t.Context()))
	}
	require.Len(t, w.ix.current.segments, 8)
	half := roaring.New()
	for slot := uint32(0); slot < w.next; slot += 2 {
		half.Add(slot)
	}
	forcePlan(t, PlanCells)
	s := w.wantRecall("eight", 0.95, Request{Filter: NewMatches(half), Ef: 40})
	require.Equal(t, PlanCells, s.Plan)
	require.Less(t, s.Scanned, s.Matches)
}
