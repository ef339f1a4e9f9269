package vectorindex

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/vfs"
	"github.com/isobath/isobath/mmapvec"
	"github.com/isobath/isobath/mmapvec/distance"
)

// world is an index with the rows below it and the truth beside it.
type world struct {
	t     testing.TB
	o     Options
	rng   *rand.Rand
	ix    *Index
	saved Saved // as the manifest would have it
	rows  map[uint32][]float32
	live  *roaring.Bitmap
	next  uint32
	heart [][]float32 // of the clusters
}

const never = 1000 * time.Hour

// newWorld opens an empty index; without thresholds, so that small data see graphs and segments, and these are walked.
func newWorld(t testing.TB, change func(*Options)) *world {
	walkSmall(t)
	mem := vfs.NewMem()
	w := &world{t: t, rng: rand.New(rand.NewPCG(1, 2)), rows: map[uint32][]float32{}, live: roaring.New()}
	w.o = Options{
		Config: Config{
			Dim: 24, Metric: distance.L2, Seed: 7, EfConstruct: 64, SealRows: 1000,
			FullScanBytes: -1, IndexFromBytes: -1,
		},
		FS: mem, Dir: "ix/segments", Parallelism: 2, SealIdle: never,
	}
	if change != nil {
		change(&w.o)
	}
	for range 20 {
		w.heart = append(w.heart, w.vector(nil))
	}
	w.openRows()
	w.open()
	t.Cleanup(func() { require.NoError(w.t, w.ix.Close()) })
	return w
}

func (w *world) openRows() {
	rows, err := mmapvec.Open(mmapvec.Options{FS: w.o.FS, Dir: "ix/rows", Dim: w.o.Dim})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { require.NoError(w.t, rows.Close()) })
	w.o.Rows = rows
}

func (w *world) open() []error {
	w.t.Helper()
	w.o.Commit = func(s Saved) error { w.saved = s; return nil }
	ix, problems, err := Open(w.o, w.saved, w.live)
	require.NoError(w.t, err)
	w.ix = ix
	return problems
}

func (w *world) reopen() []error {
	w.t.Helper()
	w.saved = w.ix.Saved()
	require.NoError(w.t, w.ix.Close())
	return w.open()
}

// vector returns a random vector near one of the hearts.
func (w *world) vector(hearts [][]float32) []float32 {
	v := make([]float32, w.o.Dim)
	for i := range v {
		v[i] = float32(w.rng.NormFloat64())
	}
	if hearts != nil {
		h := hearts[w.rng.IntN(len(hearts))]
		for i := range v {
			v[i] = h[i] + 0.6*v[i]
		}
	}
	return v
}

// add appends n vectors at the next slots.
func (w *world) add(n int) {
	w.t.Helper()
	var slots []uint32
	var rows [][]float32
	for range n {
		v := w.vector(w.heart)
		w.rows[w.next] = v
		w.live.Add(w.next)
		slots, rows = append(slots, w.next), append(rows, v)
		w.next++
	}
	require.NoError(w.t, w.o.Rows.Write(slots, rows))
	require.NoError(w.t, w.ix.Append(slots, rows))
}

// addRow appends one given row.
func (w *world) addRow(v []float32) {
	w.t.Helper()
	w.rows[w.next] = v
	w.live.Add(w.next)
	require.NoError(w.t, w.o.Rows.Write([]uint32{w.next}, [][]float32{v}))
	require.NoError(w.t, w.ix.Append([]uint32{w.next}, [][]float32{v}))
	w.next++
}

// degenerate searches where distances may be infinite: only number and slots of the results are checked.
func (w *world) degenerate(r Request) {
	w.t.Helper()
	v := w.ix.View()
	defer v.Release()
	r.Visible = w.visible
	got, stats, err := v.Search(context.Background(), r, nil)
	require.NoError(w.t, err)
	possible := w.live
	if r.Filter != nil {
		possible = roaring.And(possible, r.Filter.Bitmap)
	}
	require.Len(w.t, got, min(r.K, int(possible.GetCardinality())), "plan %s", stats.Plan)
	for i, g := range got {
		require.True(w.t, possible.Contains(g.Slot))
		require.True(w.t, i == 0 || got[i-1].Distance <= g.Distance, "%g before %g, plan %s", got[max(i, 1)-1].Distance, g.Distance, stats.Plan)
	}
}

// kill kills every n-th live slot.
func (w *world) kill(n int) {
	var slots []uint32
	for i, slot := range w.live.ToArray() {
		if i%n == 0 {
			slots = append(slots, slot)
		}
	}
	for _, slot := range slots {
		w.live.Remove(slot)
	}
	w.ix.Kill(slots)
}

// work runs until nothing is due.
func (w *world) work() {
	w.t.Helper()
	for range 100_000 {
		did, err := w.ix.Work(context.Background())
		require.NoError(w.t, err)
		if !did {
			return
		}
	}
	w.t.Fatal("work never ends")
}

// head runs work until the first rows are in a graph.
func (w *world) head() {
	w.t.Helper()
	for w.ix.Pending().Head == 0 {
		did, err := w.ix.Work(context.Background())
		require.NoError(w.t, err)
		require.True(w.t, did)
	}
}

// rest runs all work as if nothing had been appended for long.
func (w *world) rest() {
	w.t.Helper()
	old := w.ix.o.SealIdle
	w.ix.o.SealIdle = -1
	w.work()
	w.ix.o.SealIdle = old
}

func (w *world) visible(slot uint32) bool { return w.live.Contains(slot) }

// nearest is the truth.
func (w *world) nearest(q []float32, k int, filter *roaring.Bitmap) []Result {
	n := nearest{limit: k}
	for slot, row := range w.rows {
		if w.live.Contains(slot) && (filter == nil || filter.Contains(slot)) {
			n.push(Result{Slot: slot, Distance: w.o.Metric.Distance(q, row)})
		}
	}
	return n.sorted()
}

// search searches and checks what holds for every answer: exact distances, order, visible matches only, enough of them.
func (w *world) search(r Request) ([]Result, Stats) {
	w.t.Helper()
	if r.Visible == nil {
		r.Visible = w.visible
	}
	v := w.ix.View()
	defer v.Release()
	got, stats, err := v.Search(context.Background(), r, nil)
	require.NoError(w.t, err)
	possible := w.live
	if r.Filter != nil {
		possible = roaring.And(w.live, r.Filter.Bitmap)
	}
	if !r.IndexedOnly {
		require.Len(w.t, got, min(r.K, int(possible.GetCardinality())), "plan %s", stats.Plan)
	}
	seen := roaring.New()
	for i, g := range got {
		require.True(w.t, possible.Contains(g.Slot), "slot %d may not be a result", g.Slot)
		require.True(w.t, seen.CheckedAdd(g.Slot), "slot %d twice", g.Slot)
		require.InDelta(w.t, w.o.Metric.Distance(r.Query, w.rows[g.Slot]), g.Distance, 1e-3)
		if i > 0 {
			require.LessOrEqual(w.t, got[i-1].Distance, g.Distance)
		}
	}
	return got, stats
}

// recall is the mean share of true neighbours found over many queries.
func (w *world) recall(r Request) (float64, Stats) {
	w.t.Helper()
	rng := w.rng
	w.rng = rand.New(rand.NewPCG(11, 13))
	defer func() { w.rng = rng }()
	if r.K == 0 {
		r.K = 10
	}
	found, wanted := 0, 0
	var last Stats
	for range 40 {
		r.Query = w.vector(w.heart)
		var got []Result
		got, last = w.search(r)
		truth := w.nearest(r.Query, r.K, r.allowed())
		wanted += len(truth)
		if len(truth) == 0 {
			continue
		}
		limit := truth[len(truth)-1].Distance
		limit += 1e-4 * max(limit, -limit)
		for _, g := range got {
			if g.Distance <= limit {
				found++
			}
		}
	}
	return float64(found) / float64(max(wanted, 1)), last
}

// wantRecall asserts a floor of the recall of r.
func (w *world) wantRecall(stage string, floor float64, r Request) Stats {
	w.t.Helper()
	recall, stats := w.recall(r)
	w.t.Logf("%s: recall %.3f, %s, %d distances, %d hops, %d rescored", stage, recall, stats.Plan, stats.Distances, stats.Hops, stats.Rescored)
	require.GreaterOrEqual(w.t, recall, floor, stage)
	return stats
}

// wantComplete asserts that every live slot is found at its own row and nothing else is named wrongly.
func (w *world) wantComplete() {
	w.t.Helper()
	s := w.ix.pin()
	defer s.release()
	seen := roaring.New()
	check := func(slots []uint32, book *codebook, codes []byte, from, to int) {
		want := make([]byte, book.stride)
		for ord, slot := range slots {
			require.True(w.t, seen.CheckedAdd(slot), "slot %d named twice", slot)
			row, ok := w.rows[slot]
			require.True(w.t, ok, "slot %d was never appended", slot)
			if book.stride > 0 {
				if clear(want); ord < from || ord >= to {
					book.quantizer.Encode(want, row)
				}
				require.Equal(w.t, want, codes[ord*book.stride:][:book.stride], "code of slot %d", slot)
			}
		}
	}
	for _, sg := range s.segments {
		check(sg.slots, sg.book, sg.codes, 0, 0)
	}
	for _, p := range s.parts {
		from, to := p.uncoded(p.len())
		check(p.slots[:p.len()], p.book, p.codes, from, to)
	}
	require.True(w.t, roaring.AndNot(w.live, seen).IsEmpty(), "live slots missing: %s", roaring.AndNot(w.live, seen))
	require.True(w.t, w.ix.Named().Equals(seen))
}

// allowed is the set of the filter, nil without one.
func (r *Request) allowed() *roaring.Bitmap {
	if r.Filter == nil {
		return nil
	}
	return r.Filter.Bitmap
}
