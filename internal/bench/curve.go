package bench

import (
	"math"
	"slices"
	"time"
)

// Point is a measurement of all queries at one breadth of the search.
type Point struct {
	Ef       int
	Recall   float64
	QPS      float64 // by the clock
	CPUQPS   float64 // by second of processor time; 0 where that is not known
	Latency  Latency
	Counters Counters
}

// Latency is quantiles of the time of a query.
type Latency struct{ P50, P95, P99, Longest time.Duration }

// latencyOf sorts took.
func latencyOf(took []time.Duration) Latency {
	slices.Sort(took)
	return Latency{quantile(took, 0.5), quantile(took, 0.95), quantile(took, 0.99), quantile(took, 1)}
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func us(d time.Duration) float64 { return float64(d) / 1e3 }
func ms(d time.Duration) float64 { return float64(d) / 1e6 }

// Counters are means a query of what a search did: distances on codes, nodes expanded and seen,
// rows read, bytes of codes, bytes of rows that came from files and not from memory.
type Counters struct {
	Distances, Hops, Visited, RowsRead, CodeBytes, FileBytes float64
}

// curve is points by ascending ef.
type curve []Point

// at returns the throughput at a recall, interpolated on the line between the logarithm of
// throughput and the logit of recall; ok is false outside the curve.
func (c curve) at(recall float64) (qps float64, ok bool) {
	q, _, ok := c.interpolate(recall, func(p Point) float64 { return math.Log(p.QPS) })
	return math.Exp(q), ok
}

// ef returns the least breadth that reaches a recall, interpolated in the same way.
func (c curve) ef(recall float64) (ef int, ok bool) {
	if len(c) > 0 && c[0].Recall >= recall {
		return c[0].Ef, true
	}
	e, i, ok := c.interpolate(recall, func(p Point) float64 { return math.Log(float64(p.Ef)) })
	if !ok {
		return 0, false
	}
	return min(int(math.Ceil(math.Exp(e)-1e-9)), c[i].Ef), true
}

// interpolate returns y at a recall, and the first point that reaches it.
func (c curve) interpolate(recall float64, y func(Point) float64) (float64, int, bool) {
	for i := 1; i < len(c); i++ {
		p, q := c[i-1], c[i]
		if p.Recall > recall || q.Recall < recall {
			continue
		}
		x0, x1 := logit(p.Recall), logit(q.Recall)
		if x1 <= x0 {
			return y(q), i, true
		}
		return y(p) + (logit(recall)-x0)/(x1-x0)*(y(q)-y(p)), i, true
	}
	return 0, 0, false
}

// logit is finite for recalls of 0 and 1 too.
func logit(p float64) float64 {
	p = min(max(p, 1e-6), 1-1e-6)
	return math.Log(p / (1 - p))
}

// spread is the median of some values and their range.
type spread struct{ median, low, high float64 }

func spreadOf(v []float64) spread {
	if len(v) == 0 {
		return spread{math.NaN(), math.NaN(), math.NaN()}
	}
	v = slices.Sorted(slices.Values(v))
	median := v[len(v)/2]
	if len(v)%2 == 0 {
		median = (median + v[len(v)/2-1]) / 2
	}
	return spread{median, v[0], v[len(v)-1]}
}
