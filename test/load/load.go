package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isobath/isobath/internal/dataset"
)

// door is one of the two protocols.
type door interface {
	open() error                      // connects to the process of now
	create(ctx context.Context) error // the collection or index
	encode(from, to int) request      // that stores the rows from to to (exclusive)
	put(ctx context.Context, client int, r request) error
	nearest(ctx context.Context, v []float32, k int, exact bool) ([]int, error)
	indexed(ctx context.Context) (rows int, idle bool, err error)
	rowsOf(ctx context.Context) (int, error)
}

// request is one batch as it goes over the wire.
type request struct {
	body []byte
	rows int
}

// aheadBytes bounds the requests that are encoded before the clock starts: client and server share the processors.
const aheadBytes = 1 << 30

// indexFrom is the size in bytes below which the server builds no graphs by default.
const indexFrom = 10_000 << 10

// load runs the whole programme of one protocol.
func (s *server) load(ctx context.Context, rows *dataset.Rows, d door) error {
	if err := errors.Join(d.open(), d.create(ctx)); err != nil {
		return err
	}
	raw := int64(rows.Len()) * int64(rows.Dim) * 4
	fmt.Printf("%s: %d rows x %d, %s raw, %d rows a request, %d clients\n", s.mode, rows.Len(), rows.Dim, mb(raw), s.batch, s.clients)
	took, asking, err := s.fill(ctx, rows, d)
	if err != nil {
		return err
	}
	fmt.Printf("loaded in %.1f s: %.0f rows/s with %d searches for fresh rows, all found (these took %.1f s of the clients' time)\n",
		took.Seconds(), float64(rows.Len())/took.Seconds(), s.samples, asking.Seconds())
	if s.kill {
		if err := s.restart(ctx, "right after the last acknowledgement", rows, d); err != nil {
			return err
		}
	}
	if _, _, err := s.cost("after the load", raw); err != nil {
		return err
	}
	start := time.Now()
	err = wait(ctx, 200*time.Millisecond, func() (bool, error) {
		n, idle, err := d.indexed(ctx)
		return idle && (n == rows.Len() || raw < indexFrom), err
	})
	if err != nil {
		return err
	}
	fmt.Printf("all rows in graphs %.1f s later\n", time.Since(start).Seconds())
	time.Sleep(5 * time.Second) // the heap shrinks, maps settle
	if _, _, err := s.cost("indexed", raw); err != nil {
		return err
	}
	if err := s.recall(ctx, d); err != nil {
		return err
	}
	if s.kill {
		return s.restart(ctx, "when all is indexed", rows, d)
	}
	return nil
}

// fill loads all rows and samples fresh ones.
func (s *server) fill(ctx context.Context, rows *dataset.Rows, d door) (took, asking time.Duration, err error) {
	var next, asked atomic.Int64
	requests := (rows.Len() + s.batch - 1) / s.batch
	every := max(1, requests/max(1, s.samples))
	errs := make([]error, s.clients)
	encode := func(i int) request { return d.encode(i*s.batch, min((i+1)*s.batch, rows.Len())) }
	var ahead []request
	for bytes := 0; len(ahead) < requests && bytes < aheadBytes; {
		ahead = append(ahead, encode(len(ahead)))
		bytes += len(ahead[len(ahead)-1].body)
	}
	fmt.Printf("%d of %d requests are encoded before the clock starts\n", len(ahead), requests)
	start := time.Now()
	var wg sync.WaitGroup
	for client := range s.clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= requests {
					return
				}
				var r request
				if i < len(ahead) {
					r = ahead[i]
				} else {
					r = encode(i)
				}
				if errs[client] = d.put(ctx, client, r); errs[client] != nil {
					return
				}
				if i%every != 0 {
					continue
				}
				began := time.Now()
				errs[client] = find(ctx, d, rows, i*s.batch+rand.IntN(r.rows))
				asked.Add(int64(time.Since(began)))
				if errs[client] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	s.samples = (requests + every - 1) / every
	return time.Since(start), time.Duration(asked.Load()), errors.Join(append(errs, ctx.Err())...)
}

// find asks for a row by its own vector.
func find(ctx context.Context, d door, rows *dataset.Rows, row int) error {
	ids, err := d.nearest(ctx, rows.Row(row), 3, true)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if id == row {
			return nil
		}
	}
	return fmt.Errorf("row %d is acknowledged and exact search does not find it, but %v", row, ids)
}

// restart kills the server and times the first answer of the next one.
func (s *server) restart(ctx context.Context, when string, rows *dataset.Rows, d door) error {
	if err := s.proc.Kill(); err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := d.open(); err != nil {
		return err
	}
	if _, err := d.nearest(ctx, rows.Row(rows.Len()/2), 10, false); err != nil {
		return err
	}
	fmt.Printf("killed %s: first answer %.2f s after the restart\n", when, time.Since(s.proc.Started).Seconds())
	if n, err := d.rowsOf(ctx); err != nil || n != rows.Len() {
		return fmt.Errorf("%d rows after the restart, %d were acknowledged: %w", n, rows.Len(), err)
	}
	for range 50 {
		if err := find(ctx, d, rows, rand.IntN(rows.Len())); err != nil {
			return err
		}
	}
	return nil
}

// recall asks some queries over the protocol and compares with the exact neighbours.
func (s *server) recall(ctx context.Context, d door) error {
	if s.query == "" || s.truth == "" {
		return nil
	}
	const k, depth, most = 10, 100, 1000
	queries, err := dataset.ReadFvecs(s.query, most)
	if err != nil {
		return err
	}
	truth, err := os.ReadFile(s.truth)
	if err != nil {
		return err
	}
	hits := 0
	start := time.Now()
	for i := range queries.Len() {
		ids, err := d.nearest(ctx, queries.Row(i), k, false)
		if err != nil {
			return err
		}
		near := map[int]bool{}
		for _, id := range ids {
			near[id] = true
		}
		for j := range k {
			if near[int(binary.LittleEndian.Uint32(truth[4*(i*depth+j):]))] {
				hits++
			}
		}
	}
	took := time.Since(start)
	fmt.Printf("recall@%d %.4f with default parameters, %d queries one after the other, %.0f a second\n",
		k, float64(hits)/float64(k*queries.Len()), queries.Len(), float64(queries.Len())/took.Seconds())
	return nil
}
