package bench

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCurveIsInterpolated(t *testing.T) {
	// log QPS is linear in the logit of recall here, and so is log ef.
	point := func(ef int, recall float64) Point { return Point{Ef: ef, Recall: recall, QPS: 1e5 / float64(ef)} }
	recallOf := func(ef float64) float64 { return 1 / (1 + 10/ef) }
	c := curve{point(10, recallOf(10)), point(40, recallOf(40)), point(160, recallOf(160))}
	qps, ok := c.at(recallOf(80))
	require.True(t, ok)
	require.InDelta(t, 1e5/80, qps, 1e-6)
	for ef, want := range map[float64]int{10: 10, 20: 20, 40: 40, 41: 41, 79.5: 80, 160: 160} {
		got, ok := c.ef(recallOf(ef))
		require.True(t, ok)
		require.Equal(t, want, got)
	}
	got, ok := c.ef(0.01)
	require.True(t, ok)
	require.Equal(t, 10, got, "the whole curve is better")
	_, ok = c.ef(0.99)
	require.False(t, ok)
	_, ok = c.at(0.01)
	require.False(t, ok)

	flat := curve{point(10, 1), point(20, 1)}
	got, ok = flat.ef(0.9)
	require.True(t, ok)
	require.Equal(t, 10, got)
	_, ok = curve{}.ef(0.9)
	require.False(t, ok)
}

func TestQuantiles(t *testing.T) {
	var took []time.Duration
	for i := range 100 {
		took = append(took, time.Duration(100-i))
	}
	require.Equal(t, Latency{51, 96, 100, 100}, latencyOf(took))
	require.Equal(t, Latency{}, latencyOf(nil))
}

func TestSpread(t *testing.T) {
	require.Equal(t, spread{2, 1, 9}, spreadOf([]float64{9, 1, 2}))
	require.Equal(t, spread{2.5, 1, 9}, spreadOf([]float64{9, 1, 2, 3}))
	require.True(t, math.IsNaN(spreadOf(nil).median))
}
