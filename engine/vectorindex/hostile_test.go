package vectorindex

import (
	"context"
	"errors"
	"math"
	"path"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/mmapvec/distance"
)

// writeHead puts a changed first page, with its checksum, into a segment file.
func (w *world) writeHead(base string, change func(*segmentHead)) {
	w.t.Helper()
	b, err := readAll(w, base)
	require.NoError(w.t, err)
	head, err := decodeHead(b)
	require.NoError(w.t, err)
	change(head)
	f, err := w.o.FS.Open(path.Join(w.o.Dir, base))
	require.NoError(w.t, err)
	defer f.Close()
	_, err = f.WriteAt(encodeHead(head), 0)
	require.NoError(w.t, err)
}

func TestSegmentsWithOtherCodesAreRebuilt(t *testing.T) {
	for name, change := range map[string]func(*segmentHead){
		"quantile of rotated codes": func(h *segmentHead) { h.quantile = 0.5 },
		"negative quantile":         func(h *segmentHead) { h.quantile = -1 },
		"quantile that is none":     func(h *segmentHead) { h.quantile = float32(math.NaN()) },
		"codes of another metric":   func(h *segmentHead) { h.codes = codesPlain8 },
		"codes of no kind":          func(h *segmentHead) { h.codes = lastKind + 1 },
		"another seed":              func(h *segmentHead) { h.seed++ },
		"huge stride":               func(h *segmentHead) { h.stride = 1<<32 - 64 },
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := sealed(t)
			require.NoError(t, w.ix.Close())
			w.writeHead(w.saved.Segments[0].File, change)
			require.NotEmpty(t, w.open())
			w.rest()
			w.wantComplete()
			w.wantRecall("rebuilt", 0.95, Request{})
		})
	}
}

// A rotation does not preserve L1: a segment that says so has other codes than it says.
func TestRotatedCodesForL1AreRefused(t *testing.T) {
	for _, kind := range []codeKind{codesRotated8, codesRotated4, codesNibbles4} {
		w := newWorld(t, func(o *Options) { o.Metric = distance.L1 })
		w.add(1000)
		w.rest()
		w.saved = w.ix.Saved()
		require.NoError(t, w.ix.Close())
		w.writeHead(w.saved.Segments[0].File, func(h *segmentHead) { h.codes = kind })
		require.NotEmpty(t, w.open())
		w.rest()
		w.wantComplete()
		w.wantRecall("rebuilt", 0.95, Request{})
	}
}

// appendUnwritten appends n rows that are never written to the store.
func (w *world) appendUnwritten(n uint32) {
	w.t.Helper()
	var slots []uint32
	var rows [][]float32
	for i := range n {
		slots, rows = append(slots, i), append(rows, w.vector(w.heart))
	}
	require.NoError(w.t, w.ix.Append(slots, rows))
}

// Rows that cannot be read are reported and left out, even if that leaves nothing of a merge.
func TestMergeOfUnreadableRowsEnds(t *testing.T) {
	w := newWorld(t, nil)
	w.appendUnwritten(300)
	w.rest()
	require.Equal(t, 1, w.ix.Pending().Segments)
	config := w.o.Config
	config.Codes.Kind = CodesScalar
	require.NoError(t, w.ix.Configure(config))
	w.rest()
	require.NotEmpty(t, w.ix.Problems())
	require.Zero(t, w.ix.Pending().Rows)
	require.Empty(t, w.saved.Segments)
}

func TestConfigureStopsTheGraphOfAMerge(t *testing.T) {
	w := newWorld(t, nil)
	w.add(900)
	w.rest()
	config := w.o.Config
	config.M = 8
	require.NoError(t, w.ix.Configure(config))
	for m := w.ix.merge; m == nil || m.inserted == 0; m = w.ix.merge {
		did, err := w.ix.Work(context.Background())
		require.NoError(t, err)
		require.True(t, did)
	}
	require.Less(t, w.ix.merge.inserted, 900)
	config.NoGraph = true
	require.NoError(t, w.ix.Configure(config))
	w.rest()
	require.Nil(t, w.ix.current.segments[0].graph)
	w.wantComplete()
}

func TestCloseGivesTheMemoryOfAMergeBack(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Budget = NewBudget(1 << 30) })
	w.add(900)
	w.rest()
	config := w.o.Config
	config.M = 8
	require.NoError(t, w.ix.Configure(config))
	for w.ix.merge == nil {
		_, err := w.ix.Work(context.Background())
		require.NoError(t, err)
	}
	require.Positive(t, w.ix.Memory().Merges)
	require.NoError(t, w.ix.Close())
	require.Zero(t, w.o.Budget.Used())
	require.Zero(t, w.ix.Memory().Total())
}

// Who asks for rows gets them compared whatever the plan: what one bit tells plays no part.
func TestRowsAreComparedOnEveryPlan(t *testing.T) {
	w := wide(t, func(o *Options) {
		o.Codes, o.NoGraph = CodeConfig{Kind: CodesTurbo, Bits: 1}, true
	})
	w.add(1500)
	w.rest()
	s := w.wantRecall("scan of all", 1, Request{Rows: true})
	require.Equal(t, PlanCodes, s.Plan)
	require.Zero(t, s.Scanned)
	w.wantRecall("rows beat approximate", 1, Request{Rows: true, Approximate: true})

	w = wide(t, func(o *Options) { o.Codes = CodeConfig{Kind: CodesTurbo, Bits: 1} })
	w.add(2000)
	w.rest()
	w.add(300) // a tail
	some := roaring.New()
	for slot := uint32(0); slot < w.next; slot += 3 {
		some.Add(slot)
	}
	for _, plan := range []Plan{PlanMatches, PlanFiltered, PlanCells, PlanTwoHop} {
		forcePlan(t, plan)
		s := w.wantRecall(string(plan), 0.97, Request{Rows: true, Ef: 300, Filter: NewMatches(some)})
		require.Zero(t, s.Scanned, plan)
		require.Positive(t, s.RowsRead, plan)
	}
	forcePlan(t, "")
	s = w.wantRecall("walk and tail", 0.97, Request{Rows: true, Ef: 300})
	require.Equal(t, PlanWalk, s.Plan)
	require.Zero(t, s.Scanned)
}

// As many candidates are rescored as the request asks for, however narrow the walk would be.
func TestOversamplingWidensWalks(t *testing.T) {
	w := wide(t, func(o *Options) { o.Codes = CodeConfig{Kind: CodesTurbo, Bits: 1} })
	w.add(1500)
	w.rest()
	some := roaring.New()
	for slot := uint32(0); slot < w.next; slot += 2 {
		some.Add(slot)
	}
	for _, plan := range []Plan{PlanWalk, PlanMatches, PlanFiltered, PlanCells, PlanTwoHop} {
		r := Request{Query: w.vector(w.heart), K: 10, Ef: 20, Oversampling: 20}
		if forcePlan(t, plan); plan != PlanWalk {
			r.Filter = NewMatches(some)
		}
		_, s := w.search(r)
		require.GreaterOrEqual(t, s.Rescored, 190, plan)
		require.LessOrEqual(t, s.Rescored, 200, plan)
	}
}

// A damaged segment that could not be taken out is not taken for verified.
func TestDamageOutlivesAFailedCommit(t *testing.T) {
	w, _ := sealed(t)
	ref := w.saved.Segments[0]
	codes := w.ix.current.segments[0].head.section(sectionCodes)
	require.NoError(t, w.ix.Close())
	w.damage(ref.File, codes.off+codes.len-1) // in a block that Open does not read
	w.open()
	fails := 1
	w.ix.o.Commit = func(s Saved) error {
		if fails--; fails >= 0 {
			return errors.New("no manifest today")
		}
		w.saved = s
		return nil
	}
	_, err := w.ix.Work(t.Context())
	require.Error(t, err)
	for range 2 { // mend, then go on
		w.ix.pausedTill = time.Time{}
		_, err = w.ix.Work(t.Context())
		require.NoError(t, err)
	}
	w.rest()
	require.Len(t, w.saved.Segments, 1)
	require.NotEqual(t, ref.File, w.saved.Segments[0].File)
	w.wantComplete()
}

// A walk that is so wide that it takes longer than a scan becomes one, and writers do not wait for it.
func TestTooWideWalksAreScans(t *testing.T) {
	w := wide(t, nil)
	w.add(2500)
	w.rest()
	for _, r := range []Request{{K: 10, Ef: 1025}, {K: 10, Oversampling: 200}, {K: 1200}} {
		s := w.wantRecall("wide", 1, r)
		require.Equal(t, PlanCodes, s.Plan)
		require.Equal(t, 2500, s.Scanned)
	}
	require.Zero(t, w.ix.strain.scans.Load())
	_, s := w.search(Request{Query: w.vector(w.heart), K: 10, Ef: 1000})
	require.Equal(t, PlanWalk, s.Plan)
}
