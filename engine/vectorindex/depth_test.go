package vectorindex

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What is rescored is bounded, but never fewer than were asked for.
func TestDepthOfOversampling(t *testing.T) {
	depth := func(k int, oversampling float64) int {
		sc := newScratch()
		sc.r = Request{K: k, Oversampling: oversampling}
		return sc.depth()
	}
	require.Equal(t, 47, depth(10, 4.74))
	require.Equal(t, 1<<20, depth(10, 1e300))
	require.Equal(t, 3<<20, depth(3<<20, 1.5))
}
