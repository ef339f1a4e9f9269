package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isobath/isobath/engine"
)

// Ingest measures a load over a protocol ("http" or "resp"): time to the last acknowledgement,
// until fresh rows are found and until nothing is left to do, with the latency of queries that are
// asked at a fixed rate meanwhile and when the server is idle.
func (r *Run) Ingest(ctx context.Context, protocol string) (err error) {
	m := r.begin("ingest " + protocol)
	defer m.end()
	dir := r.dir("ingest-" + protocol)
	if r.URL == "" && r.RESPAddr == "" && exists(dir) {
		return fmt.Errorf("bench: %s exists: a load wants an empty directory", dir)
	}
	s, err := r.startServer(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	d, err := r.open(ctx, s, protocol, r.Loaders+askers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.create(ctx); err != nil {
		return err
	}
	rows, raw := r.set.Rows, r.rawBytes()
	costs := &Table{Title: "memory and disk", Columns: costColumns}
	cost := func(when string) error {
		if s.proc == nil {
			return nil
		}
		_, _, err := s.cost(ctx, costs, when, raw)
		return err
	}

	ahead, err := r.encodeAhead(ctx, d, rows)
	if err != nil {
		return err
	}
	// An application that asks is another process: loaders must not keep a processor of the Go scheduler from it.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), r.Loaders+askers)))
	loading := r.probe(ctx, d)
	l, err := r.fill(ctx, d, rows, ahead)

	began := time.Now().Add(-l.took)
	whileLoading, probeErr := loading.end()
	if err := errors.Join(err, probeErr, cost("after the load")); err != nil {
		return err
	}
	indexing := r.probe(ctx, d)
	err = r.settled(ctx, d, rows)
	atRest := time.Since(began)
	whileIndexing, probeErr := indexing.end()
	if err := errors.Join(err, probeErr); err != nil {
		return err
	}
	if s.proc != nil {
		if err := wait(ctx, r.Pause); err != nil {
			return err
		}
	}
	if err := cost("indexed"); err != nil {
		return err
	}
	idling := r.probe(ctx, d)
	if err := wait(ctx, 2*r.Pause); err != nil {
		return errors.Join(err, ctx.Err())
	}
	whileIdle, err := idling.end()
	if err != nil {
		return err
	}

	t := m.table(fmt.Sprintf("load over %s: %d rows a request, %d connections", protocol, r.Batch, r.Loaders),
		"rows", "acknowledged_s", "rows_per_s", "raw_mb_per_s", "encoded_ahead_share", "fresh_rows_asked", "fresh_longest_ms", "at_rest_s", "rows_per_s_to_rest")
	t.add(rows, l.took.Seconds(), float64(rows)/l.took.Seconds(), float64(raw)/1e6/l.took.Seconds(),
		min(1, float64(l.ahead*r.Batch)/float64(rows)), l.asked, ms(l.longest),
		atRest.Seconds(), float64(rows)/atRest.Seconds())
	m.print(t)
	t = m.table(fmt.Sprintf("queries meanwhile, %d a second, ef %d", r.ProbeRate, r.Ef), append([]string{"while"}, latencyColumns...)...)
	for _, x := range []struct {
		name string
		took []time.Duration
	}{{"loading", whileLoading}, {"indexing", whileIndexing}, {"both", append(whileLoading[:len(whileLoading):len(whileLoading)], whileIndexing...)}, {"idle", whileIdle}} {
		t.add(append([]any{x.name}, latencyCells(x.took)...)...)
	}
	m.print(t)
	if s.proc == nil {
		return nil
	}
	m.Tables = append(m.Tables, costs)
	m.print(costs)
	if err := s.stop(); err != nil {
		return err
	}
	return r.shapeAfter(m, dir, protocol)
}

// shapeAfter notes what the vector index of a stopped server is made of.
func (r *Run) shapeAfter(m *Mode, dir, protocol string) error {
	l, err := openLocal(dir, engine.Options{Workers: -1})
	if err != nil {
		return err
	}
	m.note("isobath over %s: %s", protocol, l.shape())
	return l.close()
}

// askers is how many connections probe has: a query that takes long does not keep the next ones from being sent, as it
// would not in an application with a pool of connections.
const askers = 8

// probe asks the set's queries at a fixed rate until it is ended. Queries are counted from the
// moment they were due, so that a stalled server is charged for those that queue behind it.
type probe struct {
	stop context.CancelFunc
	next atomic.Int64
	done sync.WaitGroup

	mu   sync.Mutex // guards the fields below
	took []time.Duration
	err  error
}

// probe starts to ask over a door, as its last workers.
func (r *Run) probe(ctx context.Context, d door) *probe {
	ctx, cancel := context.WithCancel(ctx)
	p := &probe{stop: cancel}
	began, every := time.Now(), time.Second/time.Duration(r.ProbeRate)
	for asker := range askers {
		p.done.Go(func() {
			for {
				i := int(p.next.Add(1)) - 1
				due := began.Add(time.Duration(i) * every)
				if wait(ctx, time.Until(due)) != nil {
					return
				}
				_, err := d.search(context.WithoutCancel(ctx), r.Loaders+asker, r.set.Queries.Row(i%r.set.Queries.Len()), r.Ef, r.K)
				p.note(time.Since(due), err)
				if err != nil {
					cancel()
				}
			}
		})
	}
	return p
}

func (p *probe) note(took time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.err = errors.Join(p.err, err)
		return
	}
	p.took = append(p.took, took)
}

func (p *probe) end() ([]time.Duration, error) {
	p.stop()
	p.done.Wait()
	return p.took, p.err
}

// wait returns after a time or with ctx's error.
func wait(ctx context.Context, t time.Duration) error {
	if t <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
