package vectorindex

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCodesAreColdUntilManyBatchesDidNotWait(t *testing.T) {
	var c coldness
	require.True(t, c.cold(), "nothing is known of a file that was just opened")
	for range warmAfter - 1 {
		c.note(coldWait - time.Nanosecond)
	}
	require.True(t, c.cold())
	c.note(0)
	require.False(t, c.cold())
	c.note(coldWait)
	require.True(t, c.cold())
}

// What the disk is asked for ahead is a hint: answers over mapped codes are those over codes in memory, cold or not.
func TestMappedCodesAnswerAlike(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Budget = NewBudget(64 << 20) })
	w.add(2500)
	w.rest()
	require.Equal(t, placed{codes: true, links: true}, w.ix.current.segments[0].inRAM)
	q, r := w.vector(w.heart), Request{K: 10, Ef: 30}
	r.Query = q
	want, _ := w.search(r)

	config := w.o.Config
	config.CodesPlacement = PlaceMapped
	require.NoError(t, w.ix.Configure(config))
	w.rest()
	sg := w.ix.current.segments[0]
	require.False(t, sg.inRAM.codes)
	require.Same(t, &sg.cold, sg.coded().mapped)
	for _, warm := range []int32{0, warmAfter} {
		sg.cold.warm.Store(warm)
		got, stats := w.search(r)
		require.Equal(t, PlanWalk, stats.Plan)
		require.Equal(t, want, got)
		wantNoAllocations(t, w, r, "mapped")
	}
	for _, warm := range []int32{0, warmAfter} { // scans
		sg.cold.warm.Store(warm)
		v := w.ix.View()
		sc := newScratch()
		sc.begin(t.Context(), v, r)
		sc.near.reset(30)
		require.NoError(t, sc.scanCodes())
		require.NoError(t, sc.finish())
		require.Equal(t, w.nearest(q, 10, nil), sc.results)
		sc.end()
		v.Release()
	}
}
