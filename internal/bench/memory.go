package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/isobath/isobath/internal/daemon"
)

// Memory loads the set over HTTP into a server in a memory control group, which is smaller than
// the data, and measures queries that were not asked before, one in flight, after the warm-up.
func (r *Run) Memory(ctx context.Context) (err error) {
	m := r.begin("memory")
	defer m.end()
	limit := r.MemoryLimit
	if limit == 0 {
		limit = r.rawBytes() / 4
	}
	if n := r.set.Queries.Len(); n < r.Warmup+100 {
		return fmt.Errorf("bench: %d queries are too few for %d of a warm-up and 100 that are new", n, r.Warmup)
	}
	if r.URL != "" {
		return errors.New("bench: memory wants a server of its own")
	}
	if err := r.exact(ctx); err != nil {
		return err
	}
	g, err := newGroup(limit)
	if err != nil {
		m.note("not measured: %v", err)
		return nil
	}
	defer func() {
		// The kernel takes a moment to let go of the last process.
		removed := poll(context.WithoutCancel(ctx), 10*time.Millisecond, func() (bool, error) { return g.remove() == nil, nil })
		err = errors.Join(err, removed)
	}()
	s, err := r.startChild(ctx, daemon.Options{Dir: r.dir("memory"), Group: g.dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	anon := s.proc.WatchAnon(20 * time.Millisecond)
	began := time.Now()
	if err := r.ensure(ctx, s, overHTTP, m); err != nil {
		return errors.Join(err, errors.New(s.proc.Output()))
	}
	atRest := time.Since(began)
	d := r.openHTTP(s.url, 1)
	d.explain()
	defer func() { err = errors.Join(err, d.close()) }()

	t := m.table(fmt.Sprintf("%d MB of rows in a group of %d MB, distinct queries, one in flight", r.rawBytes()>>20, limit>>20),
		append([]string{"ef", "recall", "queries_per_s"}, append(latencyColumns[1:],
			"rows_read", "file_bytes", "disk_bytes", "distances", "hops")...)...)
	for i, ef := range r.Efs {
		if ef < r.K {
			continue
		}
		// The queries are shared out among the breadths, so that each is new. The warm-up comes first.
		fresh := (r.set.Queries.Len() - r.Warmup) / len(r.Efs)
		if i == 0 || r.Efs[i-1] < r.K {
			if err := r.warm(ctx, d, ef); err != nil {
				return err
			}
		}
		before, err := s.proc.ReadBytes()
		if err != nil {
			return err
		}
		x := measurement{queries: r.set.Queries, truth: r.truth, ef: ef, k: r.K, workers: 1, count: fresh, first: r.Warmup + i*fresh}
		p, err := measure(ctx, d, x)
		if err != nil {
			return err
		}
		after, err := s.proc.ReadBytes()
		if err != nil {
			return err
		}
		t.add(ef, p.Recall, p.QPS, ms(p.Latency.P50), ms(p.Latency.P95), ms(p.Latency.P99), ms(p.Latency.Longest),
			p.Counters.RowsRead, p.Counters.FileBytes, float64(after-before)/float64(fresh), p.Counters.Distances, p.Counters.Hops)
	}
	m.print(t)
	costs := m.table("memory and disk", costColumns...)
	if _, _, err := s.cost(ctx, costs, "after the queries", r.rawBytes()); err != nil {
		return err
	}
	m.print(costs)
	most, err := anon.Peak()
	if err != nil {
		return err
	}
	m.note("at rest after %.0f s; the group was charged %d MB at most, the server's anonymous memory was %d MB at most", atRest.Seconds(), g.peak()>>20, most>>20)
	return s.stop()
}
