package vectorindex

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// wide is a world with enough dimensions for every kind of code, whose rows lie far from the origin.
func wide(t testing.TB, change func(*Options)) *world {
	w := newWorld(t, func(o *Options) {
		o.Dim, o.SealRows = 256, 600
		if change != nil {
			change(o)
		}
	})
	for _, h := range w.heart {
		for i := range h {
			h[i] += 2
		}
	}
	return w
}

func (w *world) kindsOfCodes() []codeKind {
	s := w.ix.pin()
	defer s.release()
	var kinds []codeKind
	for _, b := range s.codebooks {
		kinds = append(kinds, b.kind)
	}
	return kinds
}

func TestCentreIsFixedBeforeTheFirstGraph(t *testing.T) {
	w := wide(t, nil)
	w.add(500)
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
	require.InDelta(t, 2, sum/float64(len(centre)), 0.3)
	w.reopen()
	w.add(700)
	w.rest()
	require.Equal(t, []codeKind{codesRotated4}, w.kindsOfCodes())
	require.Equal(t, centre, w.ix.current.segments[0].book.centre, "the centre outlives restarts and merges")
	w.wantComplete()
	w.wantRecall("centred", 0.95, Request{})
}

func TestConfigureChangesCodesInTheBackground(t *testing.T) {
	w := wide(t, nil)
	w.add(1000)
	w.rest()
	for _, c := range []struct {
		codes CodeConfig
		kind  codeKind
	}{
		{CodeConfig{Kind: CodesTurbo, Bits: 1}, codesRotated1},
		{CodeConfig{Kind: CodesScalar, Quantile: 0.99}, codesScalar8},
		{CodeConfig{Kind: CodesTurbo, Bits: 2}, codesRotated2},
		{CodeConfig{}, codesRotated4},
	} {
		config := w.o.Config
		config.Codes = c.codes
		require.NoError(t, w.ix.Configure(config))
		w.add(100)
		w.wantRecall("two kinds of codes at once", 0.95, Request{})
		got, s := w.search(Request{Query: w.vector(w.heart), K: 5, Approximate: true})
		require.Len(t, got, 5)
		require.GreaterOrEqual(t, s.Rescored, 5, "different codes: rescored all the same")
		w.rest()
		require.Equal(t, []codeKind{c.kind}, w.kindsOfCodes())
		w.wantComplete()
		w.wantRecall("after", 0.95, Request{})
	}
	config := w.o.Config
	config.Dim++
	require.Error(t, w.ix.Configure(config))
	config = w.o.Config
	config.Codes = CodeConfig{Kind: CodesTurbo, Bits: 3}
	require.Error(t, w.ix.Configure(config))
}

func TestConfigureChangesGraphsInTheBackground(t *testing.T) {
	w := newWorld(t, nil)
	w.add(700)
	w.rest()
	config := w.o.Config
	config.M, config.EfConstruct = 8, 40
	require.NoError(t, w.ix.Configure(config))
	require.True(t, w.ix.Pending().Due)
	w.wantRecall("old graph", 0.95, Request{})
	w.rest()
	require.EqualValues(t, 8, w.ix.current.segments[0].head.m)
	require.EqualValues(t, 40, w.ix.current.segments[0].head.efConstruct)
	w.wantRecall("new graph", 0.95, Request{})

	config.NoGraph = true
	require.NoError(t, w.ix.Configure(config))
	w.rest()
	require.Nil(t, w.ix.current.segments[0].graph)
	require.Equal(t, PlanCodes, w.wantRecall("no graph", 0.95, Request{}).Plan)

	config.NoGraph, config.IndexFromBytes = false, 1<<40
	require.NoError(t, w.ix.Configure(config))
	w.rest()
	require.Nil(t, w.ix.current.segments[0].graph, "below the threshold")
	config.IndexFromBytes = -1
	require.NoError(t, w.ix.Configure(config))
	w.rest()
	require.Equal(t, PlanWalk, w.wantRecall("graph again", 0.95, Request{}).Plan)
}

func TestPlacementFollowsTheConfiguration(t *testing.T) {
	w := newWorld(t, nil)
	w.add(700)
	w.rest()
	inRAM := func() placed { return w.ix.current.segments[0].inRAM }
	require.Equal(t, placed{codes: true, links: true}, inRAM())
	config := w.o.Config
	config.CodesPlacement = PlaceMapped
	require.NoError(t, w.ix.Configure(config))
	w.rest()
	require.Equal(t, placed{links: true}, inRAM())
	config.LinksPlacement = PlaceMapped
	require.NoError(t, w.ix.Configure(config))
	w.rest()
	require.Equal(t, placed{}, inRAM())
	require.Zero(t, w.ix.Memory().Total())
	w.wantRecall("mapped", 0.95, Request{})
}

// With less and less memory codes get fewer bits, then links and codes stay mapped; nothing is refused.
func TestBudgetChoosesCodesAndPlacement(t *testing.T) {
	const rows = 2000
	perRow := func(bits int) int64 { // code and links, see rowBytes
		return int64(map[int]int{4: 192, 2: 128, 1: 64}[bits]) + 4 + 4*(2*16+4)
	}
	for name, c := range map[string]struct {
		room int64 // of segments
		kind codeKind
		held placed
	}{
		"plenty":  {1 << 30, codesRotated4, placed{true, true}},
		"fewer":   {rows * perRow(2) * 105 / 100, codesRotated2, placed{true, true}},
		"fewest":  {rows * perRow(1) * 105 / 100, codesRotated1, placed{true, true}},
		"scarce":  {rows * 150, codesRotated1, placed{links: true}},
		"nothing": {1000, codesRotated1, placed{}},
	} {
		t.Run(name, func(t *testing.T) {
			w := wide(t, func(o *Options) { o.Budget, o.SpillDir = budgetWithRoom(c.room), t.TempDir() })
			w.add(rows)
			w.rest()
			require.Equal(t, []codeKind{c.kind}, w.kindsOfCodes())
			require.Len(t, w.ix.current.segments, 1)
			require.Equal(t, c.held, w.ix.current.segments[0].inRAM)
			require.Equal(t, w.o.Budget.Used(), w.ix.held())
			w.wantRecall(name, 0.95, Request{})
			require.NoError(t, w.ix.Close())
			require.Zero(t, w.o.Budget.Used())
		})
	}
}

// What is asked for in memory may use what is spare for others.
func TestPinnedPlacementUsesWhatIsSpare(t *testing.T) {
	const rows = 2000
	const need = rows * (192 + 4 + 4*(2*16+4)) // see rowBytes
	for place, held := range map[Placement]placed{PlaceAuto: {links: true}, PlaceMemory: {true, true}} {
		w := wide(t, func(o *Options) {
			o.Budget, o.SpillDir = NewBudget(need*106/100), t.TempDir() // less an eighth it is too little
			o.Codes = CodeConfig{Kind: CodesTurbo, Bits: 4}
			o.CodesPlacement, o.LinksPlacement = place, place
		})
		w.add(rows)
		w.rest()
		require.Len(t, w.ix.current.segments, 1)
		require.Equal(t, held, w.ix.current.segments[0].inRAM, "placement %d", place)
		w.wantRecall("placed", 0.95, Request{})
	}
}

// Rows of few dimensions are not rotated: fewer bits would tell little and save nothing.
func TestShortRowsHaveWholeCodes(t *testing.T) {
	for dim, kind := range map[int]codeKind{4: codesRotated8, 7: codesRotated8, 8: codesRotated1} {
		w := newWorld(t, func(o *Options) { o.Dim, o.Codes = dim, CodeConfig{Kind: CodesTurbo, Bits: 1} })
		w.add(300)
		w.rest()
		require.Equal(t, []codeKind{kind}, w.kindsOfCodes(), dim)
		require.Equal(t, 64, w.ix.current.segments[0].stride)
	}
}

// Codes of rows too short for planes get half as long, too.
func TestBudgetHalvesShortCodes(t *testing.T) {
	const rows = 2000
	const rest = 4 + 4*(2*16+4) // of a row beside its code, see rowBytes
	for kind, c := range map[codeKind]struct {
		dim  int
		room int64
	}{
		codesRotated8: {100, 1 << 30}, codesNibbles4: {100, rows * (64 + rest) * 105 / 100},
		codesRotated4: {128, rows * (128 + rest) * 105 / 100}, codesRotated2: {128, rows * (64 + rest) * 105 / 100},
	} {
		w := wide(t, func(o *Options) {
			o.Dim, o.Budget, o.SpillDir = c.dim, budgetWithRoom(c.room), t.TempDir()
		})
		w.add(rows)
		w.rest()
		require.Equal(t, []codeKind{kind}, w.kindsOfCodes())
		require.Equal(t, placed{true, true}, w.ix.current.segments[0].inRAM)
		w.wantRecall("within memory", 0.95, Request{})
		w.wantComplete()
		w.reopen()
		require.Equal(t, []codeKind{kind}, w.kindsOfCodes())
		w.wantRecall("opened again", 0.95, Request{})
	}
	w := wide(t, func(o *Options) { o.Dim, o.Codes = nibbleDim+1, CodeConfig{Kind: CodesTurbo} })
	w.add(rows)
	w.rest()
	require.Equal(t, []codeKind{codesRotated4}, w.kindsOfCodes(), "two lines anyway")
}

// An index that grows under one budget has ever fewer bits in memory: then its codes, at last its links are read from files.
func TestCodesShrinkAsAnIndexGrows(t *testing.T) {
	for _, c := range []struct {
		dim   int
		kinds []codeKind
	}{{256, []codeKind{codesRotated4, codesRotated2, codesRotated1}}, {128, []codeKind{codesRotated8, codesRotated4, codesRotated2}}} {
		w := newWorld(t, func(o *Options) {
			o.Dim, o.SealRows, o.Budget, o.SpillDir = c.dim, 1<<15, budgetWithRoom(500<<10), t.TempDir()
		})
		var kinds []codeKind
		var places []placed
		for range 28 {
			w.add(150)
			w.rest()
			require.Len(t, w.ix.current.segments, 1)
			kind := w.kindsOfCodes()
			require.Len(t, kind, 1)
			kinds, places = append(kinds, kind[0]), append(places, w.ix.current.segments[0].inRAM)
			w.wantRecall("grown", 0.95, Request{Ef: 150})
		}
		require.Equal(t, c.kinds, slices.Compact(kinds))
		require.Equal(t, []placed{{true, true}, {links: true}, {codes: true}}, slices.Compact(places), "links alone are more than the room at last")
		w.wantComplete()
	}
}

func TestApproximateAndRows(t *testing.T) {
	w := wide(t, nil)
	w.add(1500)
	w.rest()
	q := w.vector(w.heart)
	v := w.ix.View()
	defer v.Release()
	got, stats, err := v.Search(context.Background(), Request{Query: q, K: 10, Approximate: true}, nil)
	require.NoError(t, err)
	require.Len(t, got, 10)
	require.Zero(t, stats.Rescored)
	require.Zero(t, stats.RowsRead)
	exact := 0
	for i, r := range got {
		if i > 0 {
			require.GreaterOrEqual(t, r.Distance, got[i-1].Distance)
		}
		want := w.o.Metric.Distance(q, w.rows[r.Slot])
		require.InEpsilon(t, want, r.Distance, 0.2)
		if want == r.Distance {
			exact++
		}
	}
	require.Less(t, exact, 10)
	s := w.wantRecall("rows", 0.95, Request{Rows: true})
	require.Greater(t, s.RowsRead, 100, "the walk reads rows")
	require.Equal(t, s.Scanned, s.Distances, "and no codes")
}

// A part is small beside the budget, or its memory and that of the segment that replaces it would not fit.
func TestPartsAreSmallBesideTheBudget(t *testing.T) {
	w := wide(t, func(o *Options) { o.SealRows, o.Budget, o.SpillDir = 200_000, NewBudget(32<<20), t.TempDir() })
	book := w.ix.target.Load()
	n := w.ix.partRows(book)
	require.Less(t, n, 200_000)
	require.InDelta(t, 4<<20, int64(n)*(w.ix.rowBytes(book)+partRowBytes), 1<<12)
	w.o.Budget = NewBudget(1)
	w.reopen()
	require.Equal(t, 4096, w.ix.partRows(book))
}

// Where fewer bits save nothing, because codes are whole cache lines, the richer codes serve.
func TestPoorerCodesMustBeSmaller(t *testing.T) {
	w := wide(t, func(o *Options) { o.Budget, o.SpillDir, o.Dim = NewBudget(1000), t.TempDir(), 192 }) // 2 bits and 1 bit are a line both
	w.add(1000)
	w.rest()
	require.Equal(t, []codeKind{codesRotated2}, w.kindsOfCodes())
}
