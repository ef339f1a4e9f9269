package bench

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isobath/isobath/internal/dataset"
)

// searcher answers queries of the set: in process or over a protocol.
type searcher interface {
	// search returns the ids of the k nearest, in memory that is the worker's until its next call,
	// and how long the answer took. Workers count from 0; each asks one query at a time.
	search(ctx context.Context, worker int, query []float32, ef, k int) (answer, error)
}

// answer is what a searcher found.
type answer struct {
	ids      []int32
	took     time.Duration
	counters Counters
	plan     string // in process
}

// measurement is what measure asks.
type measurement struct {
	queries *dataset.Rows
	truth   *dataset.Truth // nil: recall is not asked for
	ef, k   int
	workers int
	count   int // queries asked, the set's over again where there are fewer; 0: each once
	first   int // query to begin with
}

// measure asks queries from several workers and sums up.
func measure(ctx context.Context, s searcher, m measurement) (Point, error) {
	if m.count == 0 {
		m.count = m.queries.Len()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next, hits, wanted atomic.Int64
	took := make([]time.Duration, m.count)
	sums := make([]Counters, m.workers)
	var wg sync.WaitGroup
	began, used := time.Now(), processorTime()
	for w := range m.workers {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= m.count {
					return
				}
				q := (m.first + i) % m.queries.Len()
				a, err := s.search(ctx, w, m.queries.Row(q), m.ef, m.k)
				if err != nil {
					cancel(err)
					return
				}
				took[i] = a.took
				sums[w].add(a.counters)
				if m.truth != nil {
					h, n := overlap(a.ids, m.truth.Of(q), m.k)
					hits.Add(int64(h))
					wanted.Add(int64(n))
				}
			}
		})
	}
	wg.Wait()
	wall, cpu := time.Since(began), processorTime()-used
	if ctx.Err() != nil {
		return Point{}, context.Cause(ctx)
	}
	p := Point{Ef: m.ef, QPS: float64(m.count) / wall.Seconds(), CPUQPS: float64(m.count) / cpu.Seconds(), Latency: latencyOf(took)}
	if m.truth != nil {
		p.Recall = float64(hits.Load()) / float64(max(1, wanted.Load()))
	}
	for _, c := range sums {
		p.Counters.add(c)
	}
	p.Counters.scale(1 / float64(m.count))
	return p, nil
}

// overlap counts how many of the k nearest were found, of how many there are.
func overlap(ids, truth []int32, k int) (hits, wanted int) {
	truth = truth[:min(k, len(truth))]
	for _, id := range ids {
		if slices.Contains(truth, id) {
			hits++
		}
	}
	return hits, len(truth)
}

func (c *Counters) add(o Counters) {
	c.Distances += o.Distances
	c.Hops += o.Hops
	c.Visited += o.Visited
	c.RowsRead += o.RowsRead
	c.CodeBytes += o.CodeBytes
	c.FileBytes += o.FileBytes
}

func (c *Counters) scale(f float64) {
	c.Distances *= f
	c.Hops *= f
	c.Visited *= f
	c.RowsRead *= f
	c.CodeBytes *= f
	c.FileBytes *= f
}

// sweep measures a curve over efs from k on.
func (r *Run) sweep(ctx context.Context, s searcher, workers int) (curve, error) {
	var c curve
	for _, ef := range r.Efs {
		if ef < r.K {
			continue
		}
		p, err := measure(ctx, s, measurement{queries: r.set.Queries, truth: r.truth, ef: ef, k: r.K, workers: workers})
		if err != nil {
			return nil, err
		}
		c = append(c, p)
	}
	if len(c) == 0 {
		return nil, errors.New("bench: no breadth of the sweep is as large as k")
	}
	return c, nil
}

// warm asks queries that are not measured.
func (r *Run) warm(ctx context.Context, s searcher, ef int) error {
	if r.Warmup == 0 {
		return nil
	}
	_, err := measure(ctx, s, measurement{queries: r.set.Queries, ef: ef, k: r.K, workers: 1, count: r.Warmup})
	return err
}

// pointColumns are the columns of a point in a table.
var pointColumns = []string{"ef", "recall", "queries_per_s", "queries_per_cpu_s", "p50_us", "p95_us", "p99_us",
	"distances", "hops", "visited", "rows_read", "code_bytes", "file_bytes"}

func (p Point) cells() []any {
	known := func(v float64, known bool) any {
		if !known {
			return nil
		}
		return v
	}
	c, counted := p.Counters, p.Counters != Counters{}
	return []any{p.Ef, p.Recall, p.QPS, known(p.CPUQPS, p.CPUQPS > 0), us(p.Latency.P50), us(p.Latency.P95), us(p.Latency.P99),
		known(c.Distances, counted), known(c.Hops, counted), known(c.Visited, counted && c.Visited > 0),
		known(c.RowsRead, counted), known(c.CodeBytes, counted), known(c.FileBytes, counted)}
}
