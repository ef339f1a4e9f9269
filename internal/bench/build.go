package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/isobath/isobath/engine"
)

// Build measures how many rows a second of processor time go into a graph, beside hnswlib, and the
// recall curve of both graphs. The rows are loaded into a collection that wants no graph; then it does, and everything
// from there to rest is counted.
func (r *Run) Build(ctx context.Context) (err error) {
	m := r.begin("build")
	defer m.end()
	if r.Dir != "" && exists(r.Dir) {
		return fmt.Errorf("bench: %s exists: a build wants an empty directory", r.Dir)
	}
	if err := r.exact(ctx); err != nil {
		return err
	}
	_, err = r.peerProgram(ctx)
	var none *noPeerError
	if errors.As(err, &none) {
		m.note("%s", none.reason)
	} else if err != nil {
		return err
	}
	rounds := m.table("graph builds, A B B A", "round", "isobath_s", "isobath_cpu_s", "isobath_rows_per_cpu_s",
		"hnswlib_threads", "hnswlib_s", "hnswlib_cpu_s", "hnswlib_rows_per_cpu_s", "cpu_ratio")
	var ours, theirs curve
	var ratios []float64
	for round := range r.Rounds {
		var a, b [2]built
		for i, which := range []int{0, 1, 1, 0} {
			switch {
			case which == 0:
				a[i/2], ours, err = r.buildOurs(ctx, round == 0 && i == 0)
			case none == nil:
				b[i/2], theirs, err = r.buildTheirs(ctx, round == 0 && i == 1, theirs)
			}
			if err != nil {
				return err
			}
			if which == 0 && round == 0 && i == 0 {
				m.curve("isobath's graph, one core", ours)
			}
		}
		us, them := a[0].plus(a[1]), b[0].plus(b[1])
		n := float64(2 * r.set.Rows)
		if none != nil {
			rounds.add(round, us.wall.Seconds()/2, us.cpu.Seconds()/2, n/us.cpu.Seconds(), nil, nil, nil, nil, nil)
			continue
		}
		ratio := them.cpu.Seconds() / us.cpu.Seconds()
		ratios = append(ratios, ratio)
		rounds.add(round, us.wall.Seconds()/2, us.cpu.Seconds()/2, n/us.cpu.Seconds(), r.Threads,
			them.wall.Seconds()/2, them.cpu.Seconds()/2, n/them.cpu.Seconds(), ratio)
	}
	if none == nil {
		m.curve("hnswlib's graph, one core", theirs)
	}
	m.print(rounds)
	if none == nil {
		x := spreadOf(ratios)
		m.note("rows by second of processor time, isobath to hnswlib: %.2f (%.2f to %.2f)", x.median, x.low, x.high)
	}
	return nil
}

// built is what a build took.
type built struct{ wall, cpu time.Duration }

func (b built) plus(o built) built { return built{b.wall + o.wall, b.cpu + o.cpu} }

// buildOurs loads the rows into a new database, builds the graph and, with curve, measures it.
func (r *Run) buildOurs(ctx context.Context, withCurve bool) (_ built, c curve, err error) {
	dir := r.dir("build")
	l, err := openLocal(dir, engine.Options{})
	if err != nil {
		return built{}, nil, err
	}
	defer func() { err = errors.Join(err, l.close(), os.RemoveAll(dir)) }()
	const never = -1
	if err := r.createLocal(ctx, l, never, nil); err != nil {
		return built{}, nil, err
	}
	if err := errors.Join(r.fillLocal(ctx, l, r.set.Rows, nil), l.settle(ctx)); err != nil {
		return built{}, nil, err
	}
	began, used := time.Now(), processorTime()
	err = l.db.UpdateCollection(ctx, collection, func(s engine.Schema) (engine.Schema, error) {
		s.IndexFromBytes = 0
		return s, nil
	})
	if err := errors.Join(err, l.settle(ctx)); err != nil {
		return built{}, nil, err
	}
	b := built{time.Since(began), processorTime() - used}
	if !withCurve {
		return b, nil, nil
	}
	cores := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(cores)
	c, err = r.sweep(ctx, l.prepare(1), 1)
	return b, c, err
}

// buildTheirs does the same with hnswlib; it returns old unless it measures.
func (r *Run) buildTheirs(ctx context.Context, withCurve bool, old curve) (_ built, c curve, err error) {
	p, err := r.startPeer(ctx, r.Threads, true)
	if err != nil {
		return built{}, nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	b := built{p.built, p.builtCPU}
	if !withCurve {
		return b, old, nil
	}
	c, err = p.sweep(r, 1)
	return b, c, err
}
