package vectorindex

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNearestKeepsTheNearest: in whatever order they come, of equal distances the first by the order of slots.
func TestNearestKeepsTheNearest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	orders := []func(a, b uint32) bool{nil, func(a, b uint32) bool { return a > b }}
	var n nearest // used again and again
	for round := range 500 {
		n.before = orders[round%2]
		limit := 1 + rng.IntN(20)
		all := make([]Result, rng.IntN(60))
		for i := range all {
			all[i] = Result{Slot: uint32(i), Distance: float32(rng.IntN(8))}
			if rng.IntN(20) == 0 {
				all[i].Distance = float32(math.Inf(1))
			}
		}
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		n.reset(limit)
		for i, r := range all {
			sofar := slices.SortedFunc(slices.Values(all[:i]), n.compare)
			full := i >= limit
			require.Equal(t, !full || r.Distance <= sofar[limit-1].Distance, n.takes(r.Distance))
			require.Equal(t, full && !math.IsInf(float64(sofar[limit-1].Distance), 1), !math.IsInf(float64(n.bound()), 1))
			if math.IsInf(float64(r.Distance), 1) {
				r.Distance = float32(math.NaN()) // as far as can be
			}
			n.push(r)
		}
		slices.SortFunc(all, n.compare)
		require.Equal(t, all[:min(limit, len(all))], append([]Result{}, n.sorted()...))
		require.Empty(t, n.heap)
	}
}

// TestNearestOfAWalk: an answer comes nearest first, and putting it in order costs next to nothing.
func TestNearestOfAWalk(t *testing.T) {
	const found = 100
	compared := 0
	n := nearest{before: func(a, b uint32) bool { compared++; return a < b }}
	n.reset(2 * found)
	for slot := range uint32(found) {
		n.push(Result{Slot: slot}) // all at one distance: every comparison is counted
	}
	require.Zero(t, compared)
	require.Len(t, n.sorted(), found)
	require.Less(t, compared, 5*found)
}
