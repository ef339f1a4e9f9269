package vectorindex

import (
	"context"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/invariant"
)

// codesOfPlans are what the tests of all plans run on.
var codesOfPlans = []struct {
	dim   int
	codes CodeConfig
	kind  codeKind
}{
	{24, CodeConfig{}, codesRotated8},
	{24, CodeConfig{Kind: CodesTurbo, Bits: 1}, codesRotated1},
	{24, CodeConfig{Kind: CodesTurbo, Bits: 2}, codesRotated2},
	{24, CodeConfig{Kind: CodesScalar}, codesScalar8},
	{100, CodeConfig{Kind: CodesTurbo}, codesNibbles4},
	{256, CodeConfig{}, codesRotated4}, // which sift
}

// eachPlan calls fn with a request for ten by every plan, over a segment with cells, a head and a tail, for every kind of codes.
func eachPlan(t *testing.T, fn func(w *world, v *View, kind codeKind, plan Plan, r Request)) {
	t.Helper()
	smallCells(t, 500)
	for _, c := range codesOfPlans {
		w := newWorld(t, func(o *Options) { o.Dim, o.Codes = c.dim, c.codes })
		w.add(1000)
		w.rest()
		require.NotNil(t, w.ix.current.segments[0].cells)
		require.Equal(t, []codeKind{c.kind}, w.kindsOfCodes())
		w.add(500)
		w.work() // a segment and a head: two walks
		require.Equal(t, 500, w.ix.Pending().Head)
		w.add(300)
		v := w.ix.View()
		set := roaring.New()
		for slot := uint32(0); slot < w.next; slot += 3 {
			set.Add(slot)
		}
		for plan, r := range map[Plan]Request{
			PlanWalk: {}, PlanExact: {Exact: true}, PlanCodes: {Ef: 2000},
			PlanMatches: {Filter: NewMatches(set)}, PlanFiltered: {Filter: NewMatches(set)}, PlanTwoHop: {Filter: NewMatches(set)}, PlanCells: {Filter: NewMatches(set)},
		} {
			if r.Filter != nil {
				r.Plan = plan
			}
			r.K, r.Query, r.Visible, r.Approach = 10, w.heart[2], w.visible, func(uint32) {}
			fn(w, v, c.kind, plan, r)
		}
		v.Release()
	}
}

// A search that nothing is prepared for any more allocates nothing, whatever its plan and its codes.
func TestSearchesAllocateNothing(t *testing.T) {
	if invariant.Enabled {
		t.Skip("race builds allocate")
	}
	dst := make([]Result, 0, 100)
	eachPlan(t, func(_ *world, v *View, kind codeKind, plan Plan, r Request) {
		rows, oversampled := r, r
		rows.Rows, oversampled.Oversampling = true, 3
		for _, r := range []Request{r, rows, oversampled} {
			var s Stats
			var err error
			require.Zero(t, testing.AllocsPerRun(100, func() { dst, s, err = v.Search(context.Background(), r, dst[:0]) }),
				"codes %d, %s, rows %v, oversampling %v", kind, plan, r.Rows, r.Oversampling)
			require.NoError(t, err)
			require.Len(t, dst, 10)
			require.Equal(t, plan, s.Plan)
		}
	})
}

// wantNoAllocations asks twice, so that nothing is left to prepare, and then asserts that an answer allocates nothing.
func wantNoAllocations(t *testing.T, w *world, r Request, stage string) (got []Result, s Stats) {
	t.Helper()
	if invariant.Enabled { // race builds allocate
		return w.ask(r)
	}
	v := w.ix.View()
	defer v.Release()
	var err error
	got, _ = w.ask(r)
	w.ask(r)
	require.Zero(t, testing.AllocsPerRun(100, func() { got, s, err = v.Search(context.Background(), r, got[:0]) }), stage)
	require.NoError(t, err)
	return got, s
}

// Sources with different codes: every plan rescores, as much as it is asked to, and allocates nothing.
func TestPlansOverDifferentCodes(t *testing.T) {
	smallCells(t, 500)
	w := wide(t, func(o *Options) { o.SealRows = 2000 })
	w.add(2000)
	w.rest()
	require.NotNil(t, w.ix.current.segments[0].cells)
	config := w.o.Config
	config.Codes = CodeConfig{Kind: CodesTurbo, Bits: 1}
	require.NoError(t, w.ix.Configure(config))
	w.add(500)
	require.Equal(t, []codeKind{codesRotated4, codesRotated1}, w.kindsOfCodes())
	set := roaring.New()
	for slot := uint32(0); slot < w.next; slot += 2 {
		set.Add(slot)
	}
	for _, plan := range []Plan{PlanWalk, PlanCodes, PlanMatches, PlanFiltered, PlanTwoHop, PlanCells} {
		r := Request{K: 10, Query: w.heart[2], Ef: 100}
		switch plan {
		case PlanWalk:
		case PlanCodes:
			r.Ef = int(w.next)
		default:
			r.Filter, r.Plan = NewMatches(set), plan
		}
		for _, r := range []Request{r, {K: r.K, Query: r.Query, Ef: r.Ef, Filter: r.Filter, Plan: r.Plan, Approximate: true}} {
			got, s := wantNoAllocations(t, w, r, string(plan))
			require.Equal(t, plan, s.Plan)
			require.Len(t, got, 10)
			require.GreaterOrEqual(t, s.Rescored, 10, plan)
			for _, g := range got {
				require.InDelta(t, w.o.Metric.Distance(r.Query, w.rows[g.Slot]), g.Distance, 1e-2, plan)
			}
		}
		r.Oversampling = 5
		_, s := wantNoAllocations(t, w, r, string(plan))
		require.Equal(t, 50, s.Rescored, plan)
	}
}

// What is rescored is what the request says, whatever the plan: nothing of approximate ones, so many candidates with oversampling;
// requests for rows compare no codes.
func TestRescoringIsAsAskedOnEveryPlan(t *testing.T) {
	eachPlan(t, func(w *world, v *View, kind codeKind, plan Plan, r Request) {
		search := func(change func(r *Request)) ([]Result, Stats) {
			t.Helper()
			change(&r)
			got, s, err := v.Search(context.Background(), r, nil)
			require.NoError(t, err)
			require.Len(t, got, 10)
			require.Equal(t, plan, s.Plan)
			return got, s
		}
		_, s := search(func(r *Request) { r.Approximate = true })
		if plan == PlanExact { // which overrules it
			require.Equal(t, w.live.GetCardinality(), uint64(s.RowsRead-s.Rescored))
			return
		}
		require.Zero(t, s.Rescored+s.RowsRead, "codes %d, %s: approximate", kind, plan)
		require.Positive(t, s.Distances)

		got, s := search(func(r *Request) { r.Approximate, r.Oversampling = false, 3 })
		require.Equal(t, 30, s.Rescored, "codes %d, %s: oversampling", kind, plan)
		require.Equal(t, 30, s.RowsRead)
		for _, g := range got {
			require.InDelta(t, w.o.Metric.Distance(r.Query, w.rows[g.Slot]), g.Distance, 1e-3)
		}

		_, least := search(func(r *Request) { r.Oversampling = 0 })
		_, one := search(func(r *Request) { r.Oversampling = 1 })
		require.Equal(t, least.Rescored, one.Rescored, "codes %d, %s: no more than the codes need", kind, plan)

		_, s = search(func(r *Request) { r.Oversampling, r.Rows, r.Approximate = 0, true, true })
		require.Positive(t, s.RowsRead)
		require.Zero(t, s.Distances, "codes %d, %s: rows", kind, plan)
	})
}
