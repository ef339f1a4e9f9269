package server

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAServerAddsProcessors(t *testing.T) {
	t.Setenv("GOMAXPROCS", "")
	cores := processors()
	defer runtime.GOMAXPROCS(cores)
	for range 2 { // a second server in the process adds nothing
		run(t, Config{Workers: 3})
		require.Equal(t, wanted(cores, runtime.NumCPU(), 3), runtime.GOMAXPROCS(0))
	}
	require.Equal(t, max(1, cores-1), Config{}.workers())
	t.Setenv("GOMAXPROCS", "1")
	runtime.GOMAXPROCS(1)
	run(t, Config{})
	require.Equal(t, 1, runtime.GOMAXPROCS(0), "the user's own number stands")
}

func TestProcessorsAreFourForEachCoreOfTheMachine(t *testing.T) {
	require.Equal(t, 8, wanted(2, 2, 1))
	require.Equal(t, 8, wanted(2, 2, -1))
	require.Equal(t, 10, wanted(2, 2, 8), "workers that wait for the disk leave one for each core")
	require.Equal(t, 3, wanted(2, 16, 1), "a control group grants less time than that of all threads")
	require.Equal(t, 2, wanted(2, 16, -1))
}
