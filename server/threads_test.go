package server

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProcessorsAreCoresAndWorkers(t *testing.T) {
	t.Setenv("GOMAXPROCS", "")
	cores := processors()
	defer runtime.GOMAXPROCS(cores)
	for range 2 { // a second server in the process adds nothing
		run(t, Config{Workers: 3})
		require.Equal(t, cores+3, runtime.GOMAXPROCS(0))
	}
	require.Equal(t, max(1, cores-1), Config{}.workers())
	t.Setenv("GOMAXPROCS", "1")
	runtime.GOMAXPROCS(1)
	run(t, Config{})
	require.Equal(t, 1, runtime.GOMAXPROCS(0), "the user's own number stands")
	schedule.report(3, true)
	require.Equal(t, 1, runtime.GOMAXPROCS(0))
	schedule.report(3, false)
}

func TestProcessorsAreMoreWhileWorkersAreBusy(t *testing.T) {
	t.Setenv("GOMAXPROCS", "")
	defer runtime.GOMAXPROCS(processors())
	most := wanted(processors(), runtime.NumCPU(), 1, true)
	for _, step := range []struct {
		busy bool
		want int
	}{{true, most}, {true, most}, {false, most}, {false, processors() + 1}} { // of two servers
		schedule.report(1, step.busy)
		require.Equal(t, step.want, runtime.GOMAXPROCS(0))
	}
}

func TestWantedProcessors(t *testing.T) {
	require.Equal(t, 3, wanted(2, 2, 1, false))
	require.Equal(t, 2, wanted(2, 2, -1, false))
	require.Equal(t, 8, wanted(2, 2, 1, true))
	require.Equal(t, 10, wanted(2, 2, 8, true), "workers that wait for the disk leave one for each core")
	require.Equal(t, 3, wanted(2, 16, 1, true), "a control group grants less time than that of all threads")
	require.Equal(t, 2, wanted(2, 16, -1, true))
}
