package vectorindex

import (
	"context"
	"path"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"
)

// smallSteps has a slice of work encode n rows.
func smallSteps(t *testing.T, n int) {
	old := encodeStep
	encodeStep = n
	t.Cleanup(func() { encodeStep = old })
}

// uncodedRows is the number of rows that have no code yet.
func (w *world) uncodedRows() (n int) {
	for _, p := range w.ix.current.parts {
		from, to := p.uncoded(p.len())
		n += to - from
	}
	return n
}

// A start after a crash encodes nothing. Until Work has, searches of every kind compare with the rows.
func TestRowsAreSearchedBeforeTheyHaveCodes(t *testing.T) {
	smallSteps(t, 700)
	w := newWorld(t, func(o *Options) { o.SealRows, o.SealIdle = 1<<15, never })
	w.add(3 * encodeStep)
	w.reopen()
	require.Equal(t, 3*encodeStep, w.uncodedRows(), "Open encodes nothing")
	w.wantComplete()

	third := roaring.New()
	for slot := uint32(0); slot < w.next; slot += 3 {
		third.Add(slot)
	}
	search := func(stage string, compared int) {
		t.Helper()
		for _, r := range []Request{{}, {Rows: true}, {Approximate: true}, {Filter: NewMatches(third)}, {Filter: NewMatches(third), Approximate: true}, {Exact: true}} {
			floor := 1.0 // of distances
			if compared < int(w.next) && !r.Rows && !r.Exact {
				floor = 0.99 // of estimates
			}
			s := w.wantRecall(stage, floor, r)
			if !r.Rows && !r.Exact && r.Filter == nil {
				require.Equal(t, compared, s.RowsRead-s.Rescored, stage)
				require.Equal(t, int(w.next)-compared, s.Distances, "%s: codes that are there", stage)
				require.Positive(t, s.Rescored, "%s: estimates and distances of rows are not for one list", stage)
			}
		}
	}
	search("at the start", int(w.next))
	w.add(300)
	search("with codes behind", 3*encodeStep)
	w.kill(10)
	config := w.o.Config
	config.IndexFromBytes = 1 << 40 // no centre, no graph
	require.NoError(t, w.ix.Configure(config))
	did, err := w.ix.Work(context.Background())
	require.NoError(t, err)
	require.True(t, did)
	require.Equal(t, 2*encodeStep, w.uncodedRows(), "a slice")
	search("with codes on both sides", 2*encodeStep)
	w.wantComplete()
	w.work()
	require.Zero(t, w.uncodedRows())
	w.wantComplete()
	require.Equal(t, PlanCodes, w.wantRecall("at last", 0.99, Request{}).Plan)

	config.IndexFromBytes = -1
	require.NoError(t, w.ix.Configure(config))
	w.rest()
	require.Equal(t, PlanWalk, w.wantRecall("graph", 0.95, Request{}).Plan)
	w.wantComplete()
}

// Other codes are wanted before those of the start are made: none is made twice.
func TestOtherCodesBeforeTheFirst(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.IndexFromBytes = 1 << 40 })
	w.add(700)
	w.reopen()
	config := w.o.Config
	config.Codes = CodeConfig{Kind: CodesScalar}
	require.NoError(t, w.ix.Configure(config))
	did, err := w.ix.Work(context.Background())
	require.NoError(t, err)
	require.True(t, did)
	require.Equal(t, 700, w.uncodedRows())
	require.Equal(t, codesScalar8, w.ix.current.parts[0].book.kind)
	w.work()
	require.Zero(t, w.uncodedRows())
	w.wantComplete()
}

// A damaged row costs itself only, and is reported.
func TestDamagedRowsAreLeftOutWhenTheirTurnComes(t *testing.T) {
	w := newWorld(t, nil)
	w.add(700)
	w.saved = w.ix.Saved()
	names, err := w.o.FS.List("ix/rows")
	require.NoError(t, err)
	w.flip(path.Join("ix/rows", names[0]), 4096+7*128)
	require.Empty(t, w.reopen())
	w.work()
	require.Len(t, w.ix.Problems(), 1)
	require.ErrorContains(t, w.ix.Problems()[0], "is not indexed")
	require.Zero(t, w.uncodedRows())
	gone := roaring.AndNot(w.live, w.ix.Named())
	require.EqualValues(t, 1, gone.GetCardinality())
	w.live.AndNot(gone)
	w.wantComplete()
	w.rest()
	w.wantRecall("the others", 0.95, Request{})
}

// Codes that were written before any graph was wanted do not keep the graphs from having a centre after a start.
func TestTheCentreIsDecidedAfterAStart(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.IndexFromBytes = 1 << 40 })
	w.add(1000) // a full part
	w.work()
	require.Len(t, w.ix.current.segments, 1)
	w.reopen()
	config := w.o.Config
	config.IndexFromBytes = -1
	require.NoError(t, w.ix.Configure(config))
	w.rest()
	require.Len(t, w.ix.current.segments, 1)
	require.NotEmpty(t, w.ix.current.segments[0].book.centre)
	w.wantComplete()
	w.reopen()
	require.True(t, w.ix.centred)
	require.NotEmpty(t, w.ix.centre)
}

// A segment that turns out damaged serves until its rows have codes elsewhere.
func TestADamagedSegmentGoesWhenItsRowsHaveCodes(t *testing.T) {
	w := newWorld(t, nil)
	w.add(700)
	w.rest()
	require.NoError(t, w.ix.dissolve(w.ix.current.segments[0]))
	require.Empty(t, w.ix.current.segments)
	require.Zero(t, w.uncodedRows())
	w.wantComplete()
}

// A stop in no hurry writes what is worth a file, with a graph or without; one that has no time leaves the codes to the
// next start.
func TestAStopWritesCodesWithoutAGraph(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"no graph":      func(o *Options) { o.NoGraph, o.IndexFromBytes = true, 1<<40 },
		"no threshold":  func(o *Options) { o.IndexFromBytes = 1 << 40 },
		"no background": func(o *Options) { o.IndexFromBytes, o.NoBackground = 1<<40, true },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(o *Options) { change(o); o.SealRows, o.Dim = 1<<15, 512 })
			const rows = defaultThresholdBytes/(4*512) + 1
			w.add(rows)
			w.reopen()
			ended, cancel := context.WithCancel(context.Background())
			cancel()
			require.NoError(t, w.ix.SealAll(ended))
			require.Empty(t, w.ix.Saved().Segments)
			require.Equal(t, rows, w.uncodedRows())
			w.add(10)
			require.NoError(t, w.ix.SealAll(context.Background()))
			require.Len(t, w.ix.Saved().Segments, 1)
			w.reopen()
			require.Zero(t, w.uncodedRows())
			w.wantComplete()
			require.Equal(t, PlanCodes, w.wantRecall("sealed", 0.99, Request{}).Plan)

			w.add(500) // less than a file is worth
			require.NoError(t, w.ix.SealAll(context.Background()))
			require.Len(t, w.ix.Saved().Segments, 1)
		})
	}
}

// Without background work full parts are written all the same, so that memory does not grow with the rows; nothing else is.
func TestUpkeepWithoutBackgroundWork(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.NoBackground, o.IndexFromBytes, o.SealIdle = true, 1<<40, -1 })
	w.add(900)
	w.kill(2) // many dead rows are written, too: there is no merge
	w.add(1400)
	w.work()
	require.Nil(t, w.ix.merge)
	require.Len(t, w.ix.current.segments, 2, "and none is merged")
	require.Equal(t, 300, w.ix.Pending().Tail)
	require.True(t, w.ix.Pending().Due, "were it not switched off")
	require.Nil(t, w.ix.current.segments[0].graph)
	w.wantComplete()
	w.reopen()
	require.Equal(t, 300, w.uncodedRows())
	w.work()
	require.Zero(t, w.uncodedRows())
	require.Len(t, w.ix.current.segments, 2)
	w.wantRecall("scanned", 0.99, Request{})

	config := w.o.Config
	config.NoBackground, config.IndexFromBytes = false, -1
	require.NoError(t, w.ix.Configure(config))
	w.rest()
	require.Len(t, w.ix.current.segments, 1)
	require.Equal(t, PlanWalk, w.wantRecall("graph", 0.95, Request{}).Plan)
}
