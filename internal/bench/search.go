package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
)

// Search measures recall and throughput in process over the breadth of the search, on one core and
// on all, with hnswlib beside it on one.
func (r *Run) Search(ctx context.Context) (err error) {
	m := r.begin("search")
	defer m.end()
	if err := r.exact(ctx); err != nil {
		return err
	}
	p, err := r.startPeer(ctx, r.Threads, false)
	var none *noPeerError
	if errors.As(err, &none) {
		m.note("%s", none.reason)
	} else if err != nil {
		return err
	} else {
		defer func() { err = errors.Join(err, p.close()) }()
	}
	l, err := r.loaded(ctx, "search", r.set.Rows, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	m.note("isobath: %s", l.shape())

	cores := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(cores)
	l.prepare(cores)
	if err := r.warm(ctx, l, r.Ef); err != nil {
		return err
	}
	ours, err := r.profiled(ctx, l)
	if err != nil {
		return err
	}
	m.curve("isobath in process, one core", ours)
	if p != nil {
		theirs, err := p.sweep(r, 1)
		if err != nil {
			return err
		}
		m.curve("hnswlib, one core", theirs)
		if err := r.compare(ctx, m, l, p, ours, theirs); err != nil {
			return err
		}
	}
	if cores > 1 {
		runtime.GOMAXPROCS(cores)
		all, err := r.sweep(ctx, l, cores)
		if err != nil {
			return err
		}
		m.curve(fmt.Sprintf("isobath in process, %d cores", cores), all)
	}
	return nil
}

// profiled is the sweep on one core, under the profiler if asked for.
func (r *Run) profiled(ctx context.Context, l *local) (_ curve, err error) {
	if r.Profile != "" {
		f, err := os.Create(r.Profile)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		if err := pprof.StartCPUProfile(f); err != nil {
			return nil, err
		}
		defer pprof.StopCPUProfile()
	}
	return r.sweep(ctx, l, 1)
}

// curve adds a curve to the report.
func (m *Mode) curve(title string, c curve) {
	t := m.table(title, pointColumns...)
	for _, p := range c {
		t.add(p.cells()...)
	}
	m.print(t)
}

// compare runs both at the breadths that reach each recall, A B B A.
func (r *Run) compare(ctx context.Context, m *Mode, l *local, p *peer, ours, theirs curve) error {
	t := m.table(fmt.Sprintf("at equal recall, one core: medians of %d rounds A B B A", r.Rounds),
		"recall", "isobath_ef", "isobath_recall", "isobath_queries_per_s", "hnswlib_ef", "hnswlib_recall", "hnswlib_queries_per_s",
		"ratio", "ratio_low", "ratio_high", "cpu_ratio", "cpu_ratio_low", "cpu_ratio_high", "a_a", "a_a_low", "a_a_high", "curves_ratio")
	for _, recall := range r.Recalls {
		ourEf, ok1 := ours.ef(recall)
		theirEf, ok2 := theirs.ef(recall)
		if !ok1 || !ok2 {
			m.note("recall %g is not on both curves: compare with a wider sweep", recall)
			continue
		}
		var wall, cpu, same, ourQPS, theirQPS []float64
		var a, b [2]Point
		for range r.Rounds {
			for i, which := range []int{0, 1, 1, 0} {
				for range 2 { // the first time is not counted: the other one's data lies in the caches
					var err error
					if which == 0 {
						a[i/2], err = measure(ctx, l, measurement{queries: r.set.Queries, truth: r.truth, ef: ourEf, k: r.K, workers: 1})
					} else {
						b[i/2], err = p.measure(theirEf, r.K, 1)
					}
					if err != nil {
						return err
					}
				}
			}
			ourQPS, theirQPS = append(ourQPS, together(a[0].QPS, a[1].QPS)), append(theirQPS, together(b[0].QPS, b[1].QPS))
			wall = append(wall, together(a[0].QPS, a[1].QPS)/together(b[0].QPS, b[1].QPS))
			cpu = append(cpu, together(a[0].CPUQPS, a[1].CPUQPS)/together(b[0].CPUQPS, b[1].CPUQPS))
			same = append(same, a[0].QPS/a[1].QPS)
		}
		onCurves := 0.0
		if x, ok := ours.at(recall); ok {
			if y, ok := theirs.at(recall); ok {
				onCurves = x / y
			}
		}
		w, c, s := spreadOf(wall), spreadOf(cpu), spreadOf(same)
		t.add(recall, ourEf, a[0].Recall, spreadOf(ourQPS).median, theirEf, b[0].Recall, spreadOf(theirQPS).median,
			w.median, w.low, w.high, c.median, c.low, c.high, s.median, s.low, s.high, onCurves)
		if s.median < 0.9 || s.median > 1.1 {
			m.note("void by the clock at recall %g: A against A differs by more than a tenth", recall)
		}
	}
	m.print(t)
	return nil
}

// together returns the throughput of two runs over the same queries.
func together(a, b float64) float64 { return 2 / (1/a + 1/b) }
