package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/isobath/isobath/engine"
)

// HTTP measures the recall curve over HTTP, with one query in flight and with many, and what the
// server adds to the engine's own time.
func (r *Run) HTTP(ctx context.Context) error { return r.protocol(ctx, overHTTP) }

// RESP is HTTP over RESP.
func (r *Run) RESP(ctx context.Context) error { return r.protocol(ctx, overRESP) }

func (r *Run) protocol(ctx context.Context, protocol string) (err error) {
	m := r.begin(protocol)
	defer m.end()
	if err := r.exact(ctx); err != nil {
		return err
	}
	dir := r.dir(protocol)
	s, err := r.startServer(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := r.ensure(ctx, s, protocol, m); err != nil {
		return err
	}
	counters, err := r.counters(ctx, s, protocol, m)
	if err != nil {
		return err
	}
	for _, clients := range r.Clients {
		c, err := r.overProtocol(ctx, s, protocol, clients)
		if err != nil {
			return err
		}
		for i := range c {
			c[i].CPUQPS = 0 // of the client: says nothing about the server
			c[i].Counters = counters[c[i].Ef]
		}
		m.curve(fmt.Sprintf("%s, %d in flight", protocol, clients), c)
	}
	if s.proc == nil {
		m.note("the server's own part is not measured: its database cannot be opened here")
		return nil
	}
	if err := s.stop(); err != nil {
		return err
	}
	return r.overhead(ctx, m, dir, protocol)
}

// ensure loads the rows unless the server has them.
func (r *Run) ensure(ctx context.Context, s *server, protocol string, m *Mode) (err error) {
	d, err := r.open(ctx, s, protocol, r.Loaders)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if n, err := d.count(ctx); err == nil {
		if n != r.set.Rows {
			return fmt.Errorf("bench: the server's %q holds %d rows, want %d: name another directory", collection, n, r.set.Rows)
		}
		return r.settled(ctx, d, r.set.Rows)
	}
	if err := d.create(ctx); err != nil {
		return err
	}
	ahead, err := r.encodeAhead(ctx, d, r.set.Rows)
	if err != nil {
		return err
	}
	l, err := r.fill(ctx, d, r.set.Rows, ahead)
	if err != nil {
		return err
	}
	m.note("loaded in %.1f s, %.0f rows/s", l.took.Seconds(), float64(r.set.Rows)/l.took.Seconds())
	return r.settled(ctx, d, r.set.Rows)
}

// overProtocol measures the curve with some clients.
func (r *Run) overProtocol(ctx context.Context, s *server, protocol string, clients int) (_ curve, err error) {
	d, err := r.open(ctx, s, protocol, clients)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := r.warm(ctx, d, r.Ef); err != nil {
		return nil, err
	}
	return r.sweep(ctx, d, clients)
}

// counters asks every query once with what it took, by breadth: that takes time, so it is not measured. A server that does
// not tell is noted.
func (r *Run) counters(ctx context.Context, s *server, protocol string, m *Mode) (_ map[int]Counters, err error) {
	d, err := r.open(ctx, s, protocol, 1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	d.explain()
	c, err := r.sweep(ctx, d, 1)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		m.note("without counters: %v", err)
	}
	counters := map[int]Counters{}
	for _, p := range c {
		counters[p.Ef] = p.Counters
	}
	return counters, nil
}

// overhead compares round trips, one in flight, with searches in process on the same files. A
// directory belongs to one process, so the sides take turns, A B B A, each after a warm-up.
func (r *Run) overhead(ctx context.Context, m *Mode, dir, protocol string) error {
	const most = 2000 // queries a turn
	count := min(most, r.set.Queries.Len())
	inProcess := func() (_ Point, err error) {
		l, err := openLocal(dir, engine.Options{})
		if err != nil {
			return Point{}, err
		}
		defer func() { err = errors.Join(err, l.close()) }()
		l.prepare(1)
		return r.turn(ctx, l, count)
	}
	served := func() (_ Point, err error) {
		s, err := r.startServer(ctx, dir)
		if err != nil {
			return Point{}, err
		}
		defer func() { err = errors.Join(err, s.stop()) }()
		d, err := r.open(ctx, s, protocol, 1)
		if err != nil {
			return Point{}, err
		}
		defer func() { err = errors.Join(err, d.close()) }()
		return r.turn(ctx, d, count)
	}
	var alone, through, added, same []float64
	for range r.Rounds {
		var a, b [2]time.Duration
		for i, side := range []func() (Point, error){served, inProcess, inProcess, served} {
			p, err := side()
			if err != nil {
				return err
			}
			if i == 0 || i == 3 {
				a[i/2] = p.Latency.P50
			} else {
				b[i/2] = p.Latency.P50
			}
		}
		through, alone = append(through, us(a[0]+a[1])/2), append(alone, us(b[0]+b[1])/2)
		added = append(added, us(a[0]+a[1]-b[0]-b[1])/2)
		same = append(same, us(a[0])/us(a[1]))
	}
	t := m.table(fmt.Sprintf("what the server adds, one query in flight at ef %d: medians of %d rounds A B B A", r.Ef, r.Rounds),
		"in_process_p50_us", "round_trip_p50_us", "added_us", "added_low_us", "added_high_us", "a_a")
	x := spreadOf(added)
	t.add(spreadOf(alone).median, spreadOf(through).median, x.median, x.low, x.high, spreadOf(same).median)
	m.print(t)
	return nil
}

// turn is one side of overhead.
func (r *Run) turn(ctx context.Context, s searcher, count int) (Point, error) {
	if err := r.warm(ctx, s, r.Ef); err != nil {
		return Point{}, err
	}
	return measure(ctx, s, measurement{queries: r.set.Queries, ef: r.Ef, k: r.K, workers: 1, count: count})
}

// latencyCells are the quantiles of some queries in milliseconds; it sorts took.
func latencyCells(took []time.Duration) []any {
	l := latencyOf(took)
	return []any{len(took), ms(l.P50), ms(l.P95), ms(l.P99), ms(l.Longest)}
}

var latencyColumns = []string{"queries", "p50_ms", "p95_ms", "p99_ms", "longest_ms"}
