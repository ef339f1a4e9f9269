package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/isobath/isobath/internal/dataset"
)

// loading is the outcome of fill.
type loading struct {
	took    time.Duration // first byte to last acknowledgement
	ahead   int           // requests that were encoded before the clock started
	asked   int           // fresh rows that were looked for right after their acknowledgement
	longest time.Duration // from an acknowledgement to the row in an answer
}

// aheadBytes bounds the requests that are encoded before the clock starts: client and server share
// the processors.
const aheadBytes = 1 << 30

// fill loads the rows up to to, the first of them by requests made ahead. Some are asked for by their own vector as soon as they are
// acknowledged; one that is not found at once is an error.
func (r *Run) fill(ctx context.Context, d door, to int, ahead []request) (loading, error) {
	requests := (to + r.Batch - 1) / r.Batch
	every := max(1, requests/r.Fresh)
	var asked, longest atomic.Int64
	load := func(worker, from int, q request, row func(i int) ([]float32, error)) error {
		if err := d.put(ctx, worker, q); err != nil {
			return err
		}
		if (from/r.Batch)%every != 0 {
			return nil
		}
		i := (from * 7919) % q.rows
		vector, err := row(i)
		if err != nil {
			return err
		}
		acknowledged := time.Now()
		if err := r.find(ctx, d, worker, from+i, vector, freshEf, freshK); err != nil {
			return fmt.Errorf("after its acknowledgement: %w", err)
		}
		asked.Add(1)
		took := int64(time.Since(acknowledged))
		for old := longest.Load(); took > old && !longest.CompareAndSwap(old, took); old = longest.Load() {
		}
		return nil
	}
	began := time.Now()
	err := dataset.InParts(ctx, 0, len(ahead), 1, r.Loaders, func(worker, at, _ int) error {
		from := at * r.Batch
		return load(worker, from, ahead[at], func(i int) ([]float32, error) {
			rows, err := r.set.Read(from+i, from+i+1)
			if err != nil {
				return nil, err
			}
			return rows.Row(0), nil
		})
	})
	if err == nil {
		err = r.set.Each(ctx, len(ahead)*r.Batch, to, r.Batch, r.Loaders, func(worker, from int, rows *dataset.Rows) error {
			return load(worker, from, d.encode(worker, from, rows), func(i int) ([]float32, error) { return rows.Row(i), nil })
		})
	}
	return loading{time.Since(began), len(ahead), int(asked.Load()), time.Duration(longest.Load())}, err
}

// encodeAhead encodes the first requests.
func (r *Run) encodeAhead(ctx context.Context, d door, to int) ([]request, error) {
	var ahead []request
	for from, bytes := 0, 0; from < to && bytes < aheadBytes; from += r.Batch {
		rows, err := r.set.Read(from, min(from+r.Batch, to))
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		q := d.encode(0, from, rows)
		ahead, bytes = append(ahead, q), bytes+len(q.body)
	}
	return ahead, nil
}

// freshEf is the breadth at which a row must find itself, and freshK the place: equal rows may be
// in front of it.
const (
	freshEf = 500
	freshK  = 100
)

var errNotFound = errors.New("not found by its own vector")

// find asks for a row by its own vector.
func (r *Run) find(ctx context.Context, s searcher, worker, row int, vector []float32, ef, k int) error {
	a, err := s.search(ctx, worker, vector, ef, min(k, r.set.Rows))
	if err != nil {
		return err
	}
	if !slices.Contains(a.ids, int32(row)) {
		return fmt.Errorf("bench: row %d: %w", row, errNotFound)
	}
	return nil
}

// graphBytes is the size of the raw rows below which the server builds no graph by default.
const graphBytes = 10_000 << 10

// settled waits until all rows are in graphs.
func (r *Run) settled(ctx context.Context, d door, rows int) error {
	return poll(ctx, 100*time.Millisecond, func() (bool, error) {
		n, idle, err := d.progress(ctx)
		return idle && (n >= rows || int64(rows)*int64(r.set.Dim)*4 < graphBytes), err
	})
}
