package vectorindex

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/vfs"
	"github.com/isobath/isobath/mmapvec/distance"
)

// The centre is the mean of all rows, also where codes without one are to be replaced and few rows are in no segment.
func TestCentreIsOfSegmentsToo(t *testing.T) {
	w := wide(t, func(o *Options) { o.Codes.Kind = CodesScalar })
	w.add(1000)
	w.rest()
	w.reopen()
	config := w.o.Config
	config.Codes = CodeConfig{}
	require.NoError(t, w.ix.Configure(config))
	odd := make([]float32, w.o.Dim)
	for i := range odd {
		odd[i] = -50
	}
	w.addRow(odd)
	w.rest()
	s := w.ix.pin()
	defer s.release()
	require.Len(t, s.segments, 1)
	centre := s.segments[0].book.centre
	require.Len(t, centre, w.o.Dim)
	var sum float64
	for _, x := range centre {
		sum += float64(x)
	}
	require.InDelta(t, 2, sum/float64(len(centre)), 0.4)
	files := w.ix.Saved().NextFile
	w.add(1)
	w.rest()
	require.LessOrEqual(t, w.ix.Saved().NextFile, files+2, "one row changes no codes")
	w.wantComplete()
}

// Rows are appended while those of the part that takes them get other codes.
func TestAppendsDoNotWaitForOtherCodes(t *testing.T) {
	for _, full := range []bool{false, true} { // while it is recoded
		w := newWorld(t, func(o *Options) { o.NoGraph, o.SealRows = true, map[bool]int{false: 1 << 15, true: 2600}[full] })
		w.add(2000)
		wantRecoded(t, w, full)
	}
}

func wantRecoded(t *testing.T, w *world, full bool) {
	config := w.o.Config
	config.Codes = CodeConfig{Kind: CodesScalar}
	require.NoError(t, w.ix.Configure(config))
	p := w.ix.current.parts[0]
	require.False(t, p.frozen.Load())
	require.NotEqual(t, p.book.kind, w.ix.target.Load().kind)
	var filled []int
	w.ix.workMu.Lock()
	err := w.ix.refill(p, func(fresh *part, slots []uint32) error {
		if filled = append(filled, len(slots)); len(filled) <= 2 {
			w.add(1100) // waits for ever if appends do
			w.kill(7)
		}
		return w.ix.recodeRows(fresh, slots)
	})
	w.ix.workMu.Unlock()
	require.NoError(t, err)
	parts := w.ix.current.parts
	require.Equal(t, w.ix.target.Load(), parts[0].book)
	if full {
		require.Equal(t, []int{2000, 600}, filled)
		require.Len(t, parts, 2)
		require.True(t, parts[0].frozen.Load())
	} else {
		require.Equal(t, []int{2000, 1100, 1100}, filled)
		w.add(10)
		require.Len(t, w.ix.current.parts, 1, "it takes rows as before")
	}
	require.Equal(t, int(w.next)-int(w.live.GetCardinality()), w.ix.Pending().Dead)
	w.wantComplete()
	w.wantRecall("recoded", 0.97, Request{})
}

func TestQuantileUnderManhattan(t *testing.T) {
	w := newWorld(t, func(o *Options) {
		o.Metric, o.Codes = distance.L1, CodeConfig{Kind: CodesScalar, Quantile: 0.9}
	})
	w.add(700)
	w.rest()
	require.EqualValues(t, float32(0.9), w.ix.current.segments[0].book.quantile)
	w.wantRecall("quantile", 0.95, Request{})
	w.reopen()
	files := w.ix.Saved().NextFile
	w.rest()
	require.Equal(t, files, w.ix.Saved().NextFile)
	w.wantComplete()
}

// A segment that cannot be loaded into memory stays mapped, and is not tried again and again.
func TestPlacementThatFailsWaits(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.CodesPlacement, o.LinksPlacement = PlaceMapped, PlaceMapped })
	w.add(700)
	w.rest()
	w.saved = w.ix.Saved()
	require.NoError(t, w.ix.Close())
	failing := vfs.NewFailing(w.o.FS, vfs.Fault{Op: vfs.OpOpen, Nth: 2, Sticky: true})
	w.o.FS, w.o.Budget = failing, NewBudget(1<<30)
	w.open()
	config := w.o.Config
	config.CodesPlacement = PlaceAuto
	require.NoError(t, w.ix.Configure(config))
	var errs int
	for range 50 {
		did, err := w.ix.Work(t.Context())
		if err != nil {
			errs++
		} else if !did {
			break
		}
	}
	require.Equal(t, 1, errs)
	require.Zero(t, w.o.Budget.Used())
	require.Equal(t, placed{}, w.ix.current.segments[0].inRAM)
	w.wantRecall("mapped", 0.95, Request{})
	w.ix.pausedTill = time.Time{}
	_, err := w.ix.Work(t.Context())
	require.Error(t, err)
}

// All rows dead in a view that is older than the last deaths: costs stay numbers.
func TestCostsAreNumbers(t *testing.T) {
	w := newWorld(t, nil)
	w.add(1000)
	w.rest()
	sc := newScratch()
	v := w.ix.View()
	defer v.Release()
	for _, r := range []Request{{K: 1}, {K: 5000}, {K: 10, Ef: 1 << 40}, {K: 10, Ef: 1}} {
		r.Filter = NewMatches(w.live)
		sc.begin(t.Context(), v, r)
		for _, live := range []int{0, 1, 1000, 1 << 40} {
			for _, sc.matches = range []int{1, 1000, 1 << 40} {
				c := sc.costs(1, live)
				require.False(t, math.IsNaN(c.scan+c.walk), "%+v of %d live: %+v", r, live, c)
				require.False(t, math.IsNaN(c.twoHop))
			}
		}
	}
}
