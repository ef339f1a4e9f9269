package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/isobath/isobath/internal/daemon"
	"github.com/isobath/isobath/internal/dataset"
)

// churnRounds is the number of rounds in which half of the points are replaced.
const churnRounds = 10

// churnQueries bounds the queries of a round.
const churnQueries = 1000

// Churn loads two thirds of the set and replaces half of these points by the last third, in ten
// rounds, under the ids that are there. After each it measures recall and throughput on one core, once
// all rows are in graphs and again at rest: after Pause, and what the engine does then. The disk is
// measured at rest.
func (r *Run) Churn(ctx context.Context) (err error) {
	m := r.begin("churn")
	defer m.end()
	if r.Dir != "" && exists(r.Dir) {
		return fmt.Errorf("bench: %s exists: churn wants an empty directory", r.Dir)
	}
	points := r.set.Rows * 2 / 3
	part := (r.set.Rows - points) / churnRounds
	if part == 0 {
		return fmt.Errorf("bench: %d rows are too few for churn", r.set.Rows)
	}
	l, err := r.loaded(ctx, "churn", points, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	cores := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(cores)

	c := churn{r: r, l: l.prepare(1), queries: r.set.Queries.Slice(0, min(churnQueries, r.set.Queries.Len())), idOf: make([]int32, r.set.Rows)}
	for row := range c.idOf {
		c.idOf[row] = -1
		if row < points {
			c.idOf[row] = int32(row)
		}
	}
	order := rand.New(rand.NewPCG(1, 2)).Perm(points)
	found := []string{"round", "recall", "queries_per_s", "queries_per_cpu_s", "p99_us", "distances", "hops"}
	early := m.table(fmt.Sprintf("%d points, %d replaced a round, ef %d, one core, all rows in graphs", points, part, r.Ef),
		append(found, "replace_s", "indexed_s", "segments", "dead")...)
	t := m.table(fmt.Sprintf("the same %v later, at rest", r.Pause), append(found, "segments", "tail", "dead", "disk_bytes", "disk_to_live")...)
	for round := range churnRounds + 1 {
		var replaced, indexed time.Duration
		if round > 0 {
			at := (round - 1) * part
			if replaced, indexed, err = c.replace(ctx, points+at, order[at:at+part]); err != nil {
				return err
			}
		}
		p, err := c.measure(ctx, cores)
		if err != nil {
			return err
		}
		now := l.c.Info().Vectors[""]
		early.add(append(churned(round, p), replaced.Seconds(), indexed.Seconds(), now.Segments, now.Deleted)...)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(r.Pause):
		}
		if err := l.settle(ctx); err != nil {
			return err
		}
		if p, err = c.measure(ctx, cores); err != nil {
			return err
		}
		disk, _, err := daemon.Disk(r.dir("churn"))
		if err != nil {
			return err
		}
		v := l.c.Info().Vectors[""]
		live := float64(points) * float64(r.set.Dim) * 4
		t.add(append(churned(round, p), v.Segments, v.Tail, v.Deleted, disk, float64(disk)/live)...)
	}
	m.print(early)
	m.print(t)
	first, last := t.Rows[0], t.Rows[len(t.Rows)-1]
	m.note("at rest: recall %+.4f, throughput %+.1f %% by the clock and %+.1f %% by processor time", last[1].(float64)-first[1].(float64),
		100*(last[2].(float64)/first[2].(float64)-1), 100*(last[3].(float64)/first[3].(float64)-1))
	return nil
}

// churned is what a round's row begins with.
func churned(round int, p Point) []any {
	return []any{round, p.Recall, p.QPS, p.CPUQPS, us(p.Latency.P99), p.Counters.Distances, p.Counters.Hops}
}

// churn is the state of Churn.
type churn struct {
	r       *Run
	l       *local
	queries *dataset.Rows
	idOf    []int32 // of each row of the set, -1 while it is no point's
}

// replace gives the points ids the rows from from on, and waits until graphs hold them.
func (c *churn) replace(ctx context.Context, from int, ids []int) (replaced, indexed time.Duration, err error) {
	gone := map[int32]bool{}
	for _, id := range ids {
		gone[int32(id)] = true
	}
	for row, id := range c.idOf {
		if gone[id] {
			c.idOf[row] = -1
		}
	}
	began := time.Now()
	for at := 0; at < len(ids); at += c.r.Batch {
		to := min(at+c.r.Batch, len(ids))
		rows, err := c.r.set.Read(from+at, from+to)
		if err != nil {
			return 0, 0, err
		}
		if err := c.l.replace(ctx, ids[at:to], rows); err != nil {
			return 0, 0, err
		}
		for i, id := range ids[at:to] {
			c.idOf[from+at+i] = int32(id)
		}
	}
	replaced = time.Since(began)
	err = c.l.settle(ctx)
	return replaced, time.Since(began), err
}

// measure asks the queries on one core, against the exact neighbours among the rows of now.
func (c *churn) measure(ctx context.Context, cores int) (Point, error) {
	runtime.GOMAXPROCS(cores)
	truth, err := c.r.set.Nearest(ctx, c.queries, c.r.K, 0, c.r.set.Rows, func(row int) bool { return c.idOf[row] >= 0 }, nil)
	if err != nil {
		return Point{}, err
	}
	truth = truth.Renamed(func(row int32) int32 { return c.idOf[row] })
	runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(cores)
	if err := c.r.warm(ctx, c.l, c.r.Ef); err != nil {
		return Point{}, err
	}
	return measure(ctx, c.l, measurement{queries: c.queries, truth: truth, ef: c.r.Ef, k: c.r.K, workers: 1})
}
