package vectorindex

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// budgetWithRoom returns a budget of which segments may hold so many bytes.
func budgetWithRoom(bytes int64) *Budget { return NewBudget(bytes * spareShare / (spareShare - 1)) }

// What the last searches read of segments that were replaced is no reason for smaller codes.
func TestPinnedMemoryDoesNotChangeCodes(t *testing.T) {
	w := wide(t, func(o *Options) { o.Budget, o.SpillDir = NewBudget(2000*340*2), t.TempDir() })
	w.add(2000)
	w.rest()
	require.Equal(t, []codeKind{codesRotated4}, w.kindsOfCodes())
	v := w.ix.View()
	w.kill(3)
	w.rest()
	require.Equal(t, []codeKind{codesRotated4}, w.kindsOfCodes())
	require.Greater(t, w.o.Budget.Used(), w.ix.held())
	v.Release()
	require.Equal(t, w.o.Budget.Used(), w.ix.held())
	require.Zero(t, w.o.Budget.passing)
	require.NoError(t, w.ix.Close())
	require.Zero(t, w.o.Budget.Used())
	require.Zero(t, w.o.Budget.passing)
}

// The merge of one index does not change the codes of another.
func TestMergeDoesNotChangeCodesOfOthers(t *testing.T) {
	budget := budgetWithRoom(2000 * 340 * 26 / 10)
	a := wide(t, func(o *Options) { o.Budget, o.SpillDir = budget, t.TempDir() })
	b := wide(t, func(o *Options) { o.Budget, o.SpillDir = budget, t.TempDir() })
	for _, w := range []*world{a, b} {
		w.add(2000)
		w.rest()
	}
	a.kill(3)
	a.ix.o.SealIdle = -1
	for a.ix.merge == nil {
		did, err := a.ix.Work(t.Context())
		require.NoError(t, err)
		require.True(t, did)
	}
	require.Positive(t, a.ix.merge.taken)
	files := b.ix.Saved().NextFile
	b.rest()
	require.Equal(t, []codeKind{codesRotated4}, b.kindsOfCodes())
	require.Equal(t, files, b.ix.Saved().NextFile, "nothing is written anew")
	a.rest()
	require.NoError(t, a.ix.Close())
	require.NoError(t, b.ix.Close())
	require.Zero(t, budget.Used())
	require.Zero(t, budget.passing)
}

// Segments stay in memory while rows that arrive use what is spare for them, and give way when there is no more.
func TestPlacedSegmentsLeaveWhenMemoryIsExceeded(t *testing.T) {
	const perRow = 192 + 148
	w := wide(t, func(o *Options) {
		o.SealRows, o.SpillDir, o.Budget = 4000, t.TempDir(), budgetWithRoom(1000*perRow+1500)
		o.Codes = CodeConfig{Kind: CodesTurbo, Bits: 4}
	})
	w.add(1000)
	w.rest()
	before := w.ix.current.segments[0]
	require.Equal(t, placed{true, true}, before.inRAM)
	w.add(60)
	w.work()
	require.Less(t, w.o.Budget.left(), w.o.Budget.spare())
	require.Positive(t, w.o.Budget.left())
	require.Same(t, before, w.ix.current.segments[0], "not loaded anew")
	w.add(1200)
	w.work()
	require.NotEqual(t, placed{true, true}, w.ix.current.segments[0].inRAM)
	w.wantRecall("mapped", 0.95, Request{})
}

// Memory that others have back after a moment does not make an index write everything anew.
func TestRicherCodesWaitUntilTheMemoryStays(t *testing.T) {
	w := wide(t, func(o *Options) { o.Budget, o.SpillDir = budgetWithRoom(2000*340*3/2), t.TempDir() })
	const others = 2000 * 340
	w.o.Budget.take(others)
	w.add(2000)
	w.rest()
	require.Equal(t, []codeKind{codesRotated1}, w.kindsOfCodes())
	files := w.ix.Saved().NextFile
	w.o.Budget.give(others)
	w.rest()
	w.o.Budget.take(others)
	w.rest()
	require.Equal(t, files, w.ix.Saved().NextFile)
	w.o.Budget.give(others)
	w.rest()
	require.Equal(t, []codeKind{codesRotated1}, w.kindsOfCodes())
	w.ix.richerSince = w.ix.richerSince.Add(-richerAfter)
	w.rest()
	require.Equal(t, []codeKind{codesRotated4}, w.kindsOfCodes())
}

// An index that is opened before others have taken their memory keeps its codes.
func TestPoorerCodesOutliveRestart(t *testing.T) {
	w := wide(t, func(o *Options) { o.Budget, o.SpillDir = budgetWithRoom(2000*340*3/2), t.TempDir() })
	const others = 2000 * 340
	w.o.Budget.take(others)
	w.add(2000)
	w.rest()
	require.Equal(t, []codeKind{codesRotated1}, w.kindsOfCodes())
	w.o.Budget.give(others)
	w.reopen()
	files := w.ix.Saved().NextFile
	w.rest()
	w.o.Budget.take(others)
	w.add(10)
	w.rest()
	require.Equal(t, []codeKind{codesRotated1}, w.kindsOfCodes())
	require.LessOrEqual(t, w.ix.Saved().NextFile, files+1)
}

// A budget that shrinks below what segments hold has them read from their files, one that grows loads them again.
func TestPlacementFollowsABudgetThatIsResized(t *testing.T) {
	const perRow = 192 + 148
	w := wide(t, func(o *Options) {
		o.SpillDir, o.Budget = t.TempDir(), budgetWithRoom(1000*perRow+1500)
		o.Codes = CodeConfig{Kind: CodesTurbo, Bits: 4}
	})
	w.add(1000)
	w.rest()
	inRAM := func() placed { return w.ix.current.segments[0].inRAM }
	require.Equal(t, placed{true, true}, inRAM())
	total := w.o.Budget.Total()
	w.o.Budget.Resize(total-2000, total) // less is spare
	w.rest()
	require.Equal(t, placed{true, true}, inRAM())
	w.o.Budget.Resize(total/2, total)
	w.rest()
	require.Equal(t, placed{links: true}, inRAM())
	require.LessOrEqual(t, w.o.Budget.Used(), w.o.Budget.Total())
	w.o.Budget.Resize(total, total)
	w.rest()
	require.Equal(t, placed{true, true}, inRAM())
	w.wantRecall("loaded again", 0.95, Request{})
}
