package server

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProcessorsAreFourForEachCore(t *testing.T) {
	t.Setenv("GOMAXPROCS", "")
	cores := processors()
	defer runtime.GOMAXPROCS(cores)
	for range 2 { // a second server in the process adds nothing
		run(t, Config{Workers: 3})
		require.Equal(t, max(4*cores, cores+3), runtime.GOMAXPROCS(0))
	}
	run(t, Config{Workers: 4 * cores})
	require.Equal(t, 5*cores, runtime.GOMAXPROCS(0), "workers that wait for the disk leave one for each core")
	require.Equal(t, max(1, cores-1), Config{}.workers())
	t.Setenv("GOMAXPROCS", "1")
	runtime.GOMAXPROCS(1)
	run(t, Config{})
	require.Equal(t, 1, runtime.GOMAXPROCS(0), "the user's own number stands")
}
