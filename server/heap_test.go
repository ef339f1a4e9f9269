package server

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGarbageMayTakeRoomWhereTheHeapIsSmall(t *testing.T) {
	for live, want := range map[uint64]int{0: heapMost, 8 << 20: heapMost, 32 << 20: heapMost, 40 << 20: 80, 64 << 20: 50, 128 << 20: heapGrowth, 4 << 30: heapGrowth} {
		require.Equal(t, want, growthOf(live), "%d", live)
	}
}

func TestTheCollectorFollowsTheLiveHeap(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	percent := func() int {
		p := debug.SetGCPercent(100)
		debug.SetGCPercent(p)
		return p
	}
	t.Setenv("GOGC", "")
	h := newHeap()
	h.tune(1 << 30)
	require.Equal(t, heapGrowth, percent())
	h.tune(64 << 20)
	require.Equal(t, 50, percent())
	h.tune(70 << 20)
	require.Equal(t, 50, percent(), "a small step")
	h.tune(1 << 30)
	require.Equal(t, heapGrowth, percent())

	t.Setenv("GOGC", "77")
	debug.SetGCPercent(77)
	newHeap().tune(1 << 30)
	require.Equal(t, 77, percent(), "the user's own number stands")
}
