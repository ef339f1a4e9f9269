package nice

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func value(t *testing.T) int {
	n, err := Value()
	assert.NoError(t, err)
	return n
}

func TestOnlyTheThreadOfTheGoroutineIsLowered(t *testing.T) {
	before := value(t)
	require.NoError(t, Check())
	for range 20 {
		lowered, release, other := make(chan int), make(chan struct{}), make(chan int)
		var wg sync.WaitGroup
		Go(&wg, func() {
			lowered <- value(t)
			<-release // others run meanwhile, but not on this thread
		})
		require.Equal(t, min(before+Steps, lowest), <-lowered)
		go func() { other <- value(t) }()
		require.Equal(t, before, <-other)
		close(release)
		wg.Wait()
	}
	var wg sync.WaitGroup
	for range 20 { // nor do threads that are made later inherit it
		wg.Go(func() { assert.Equal(t, before, value(t)) })
	}
	wg.Wait()
	require.Equal(t, before, value(t))
}
