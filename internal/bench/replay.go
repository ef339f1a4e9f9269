package bench

import (
	"context"
	"errors"
	"time"

	"github.com/isobath/isobath/internal/dataset"
)

// Trace is the row numbers of one query's walk, in the batches in which their distances were asked
// for.
type Trace [][]uint32

// Kernel computes distances of code rows, as a walk has them computed.
type Kernel interface {
	// Reset makes a vector the query.
	Reset(query []float32)
	// Distances computes one batch and throws the result away.
	Distances(rows []uint32)
}

// Share is how near whole queries come to the limit of the hardware: the time in which the kernel
// alone computes the distances they asked for, batch by batch, over the time they took.
type Share struct {
	Median, Low, High float64
	Distances         float64 // a query
	WholeUS, ReplayUS float64 // a query, medians
}

// ReplayShare times whole queries and the replay of their traces in rounds A B B A. whole asks one
// query, with recording off; traces[i] was recorded from queries' row i.
func ReplayShare(ctx context.Context, queries *dataset.Rows, traces []Trace, kernel Kernel, whole func(query []float32) error, rounds int) (Share, error) {
	if len(traces) == 0 || len(traces) != queries.Len() || rounds < 1 {
		return Share{}, errors.New("bench: a replay needs one trace a query, and rounds")
	}
	asked := func() error {
		for i := range traces {
			if err := whole(queries.Row(i)); err != nil {
				return err
			}
		}
		return ctx.Err()
	}
	replayed := func() error {
		for i, trace := range traces {
			kernel.Reset(queries.Row(i))
			for _, batch := range trace {
				kernel.Distances(batch)
			}
		}
		return ctx.Err()
	}
	var shares, wholes, replays []float64
	for round := range rounds + 1 { // the first one warms up
		var took [2]time.Duration
		for i, side := range []func() error{asked, replayed, replayed, asked} {
			which := min(i, 3-i)
			began := time.Now()
			if err := side(); err != nil {
				return Share{}, err
			}
			took[which] += time.Since(began)
		}
		if round > 0 {
			shares = append(shares, float64(took[1])/float64(took[0]))
			wholes, replays = append(wholes, us(took[0])/2), append(replays, us(took[1])/2)
		}
	}
	n := float64(len(traces))
	s := Share{WholeUS: spreadOf(wholes).median / n, ReplayUS: spreadOf(replays).median / n}
	x := spreadOf(shares)
	s.Median, s.Low, s.High = x.median, x.low, x.high
	for _, trace := range traces {
		for _, batch := range trace {
			s.Distances += float64(len(batch)) / n
		}
	}
	return s, nil
}
