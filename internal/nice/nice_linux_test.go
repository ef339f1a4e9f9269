package nice

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// priority returns the nice value of the calling thread; the system call returns 20 less it.
func priority(t *testing.T) int {
	p, err := unix.Getpriority(unix.PRIO_PROCESS, unix.Gettid())
	require.NoError(t, err)
	return 20 - p
}

func TestOnlyTheThreadOfTheGoroutineIsLowered(t *testing.T) {
	before := priority(t)
	for range 20 {
		lowered, other := make(chan int), make(chan int)
		release := make(chan struct{})
		go func() {
			err := Lower()
			p := priority(t)
			if err != nil {
				p = -100
			}
			lowered <- p
			<-release // others run meanwhile, but not on this thread
		}()
		require.Equal(t, min(before+Steps, lowest), <-lowered)
		go func() { other <- priority(t) }()
		require.Equal(t, before, <-other)
		close(release)
	}
	var wg sync.WaitGroup
	for range 20 { // nor do threads that are made later inherit it
		wg.Go(func() {
			if p := priority(t); p != before {
				t.Errorf("priority %d, want %d", p, before)
			}
		})
	}
	wg.Wait()
}
