package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/isobath/isobath/engine"
)

// Share is how near whole queries come to the limit of the hardware: the time in which the kernels alone compute the
// distances they asked for, batch by batch, over the time they took; of codes alone, and with those of the rows that
// were read to rescore.
type Share struct {
	Codes, All                  spread
	Distances                   float64 // of codes, a query
	WholeUS, ReplayUS, WithRows float64 // a query, medians, microseconds
}

// replays is the searches of a mode: asked whole, and their traces.
type replays interface {
	whole(i int) error
	replay(i int) (distances int)
	rows(i int) error
}

// shareOf times n whole searches, the replay of their codes and that of codes and rows in rounds A B C C B A.
func shareOf(ctx context.Context, r replays, n, rounds int) (Share, error) {
	if n < 1 || rounds < 1 {
		return Share{}, errors.New("bench: a replay needs searches and rounds")
	}
	distances := 0
	asked := func() error {
		for i := range n {
			if err := r.whole(i); err != nil {
				return err
			}
		}
		return ctx.Err()
	}
	replayed := func() error {
		distances = 0
		for i := range n {
			distances += r.replay(i)
		}
		return ctx.Err()
	}
	all := func() error {
		for i := range n {
			r.replay(i)
			if err := r.rows(i); err != nil {
				return err
			}
		}
		return ctx.Err()
	}
	var codes, both, wholes, replays, withRows []float64
	for round := range rounds + 1 { // the first one warms up
		var took [3]time.Duration
		for i, side := range []func() error{asked, replayed, all, all, replayed, asked} {
			which := min(i, 5-i)
			began := time.Now()
			if err := side(); err != nil {
				return Share{}, err
			}
			took[which] += time.Since(began)
		}
		if round > 0 {
			codes, both = append(codes, float64(took[1])/float64(took[0])), append(both, float64(took[2])/float64(took[0]))
			wholes, replays, withRows = append(wholes, us(took[0])/2), append(replays, us(took[1])/2), append(withRows, us(took[2])/2)
		}
	}
	each := float64(n)
	return Share{Codes: spreadOf(codes), All: spreadOf(both), Distances: float64(distances) / each, WholeUS: spreadOf(wholes).median / each,
		ReplayUS: spreadOf(replays).median / each, WithRows: spreadOf(withRows).median / each}, nil
}

// Limit measures how near searches in process come to the limit of the hardware: their distances alone, in the same
// batches through the same kernels, against the whole searches, in the same run, on one core. The rows that a search rescores
// are replayed by the kernels for many rows, which is the least that reading them takes.
func (r *Run) Limit(ctx context.Context) (err error) {
	m := r.begin("limit")
	defer m.end()
	l, err := r.loaded(ctx, "search", r.set.Rows, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	m.note("isobath: %s", l.shape())
	cores := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(cores)
	l.prepare(1)
	if err := r.warm(ctx, l, r.Ef); err != nil {
		return err
	}
	t := m.table("distances alone over whole searches: of codes, and with those of the rows that are rescored",
		"ef", "distances", "search_us", "codes_us", "codes_share", "codes_range", "with_rows_us", "with_rows_share", "with_rows_range")
	for _, ef := range r.Efs {
		s, err := r.limitAt(ctx, l, ef)
		if err != nil {
			return err
		}
		t.add(ef, s.Distances, s.WholeUS, s.ReplayUS, s.Codes.median, fmt.Sprintf("%.2f to %.2f", s.Codes.low, s.Codes.high),
			s.WithRows, s.All.median, fmt.Sprintf("%.2f to %.2f", s.All.low, s.All.high))
	}
	m.print(t)
	return nil
}

func (r *Run) limitAt(ctx context.Context, l *local, ef int) (Share, error) {
	x := &traced{run: r, ctx: ctx, l: l, ef: ef}
	defer x.close()
	n := min(r.set.Queries.Len(), 1000)
	for i := range n {
		t, err := l.c.Trace(ctx, engine.SearchRequest{Vector: l.vector, Query: r.set.Queries.Row(i), K: r.K, Ef: ef})
		if err != nil {
			return Share{}, err
		}
		x.traces = append(x.traces, t)
		if t.Distances() == 0 {
			return Share{}, errors.New("bench: the searches score no codes: too few rows, or no graph")
		}
	}
	return shareOf(ctx, x, n, r.Rounds)
}

// traced are searches at one beam, in process.
type traced struct {
	run    *Run
	ctx    context.Context
	l      *local
	ef     int
	traces []*engine.Trace
}

func (x *traced) whole(i int) error {
	_, err := x.l.search(x.ctx, 0, x.run.set.Queries.Row(i), x.ef, x.run.K)
	return err
}

func (x *traced) replay(i int) int {
	x.traces[i].Replay()
	return x.traces[i].Distances()
}

func (x *traced) rows(i int) error { return x.traces[i].ReplayRows() }

func (x *traced) close() {
	for _, t := range x.traces {
		t.Close()
	}
}
