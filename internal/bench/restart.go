package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/isobath/isobath/internal/daemon"
	"github.com/isobath/isobath/internal/dataset"
)

// Restart measures the time from the start of the process to the first correct answer over HTTP,
// with no page of the files cached: after a clean stop, after a kill at rest, and after a kill
// right behind acknowledged writes.
func (r *Run) Restart(ctx context.Context) (err error) {
	m := r.begin("restart")
	defer m.end()
	if r.URL != "" {
		return errors.New("bench: restart wants a server of its own")
	}
	dir := r.dir("restart")
	s, err := r.startServer(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := r.ensure(ctx, s, overHTTP, m); err != nil {
		return err
	}
	d := r.openHTTP(s.url, 1)
	rewrite := func() error {
		// The same rows under the same ids: the content does not change.
		return r.set.Each(ctx, 0, min(r.set.Rows, restartBatches*r.Batch), r.Batch, 1, func(_, from int, rows *dataset.Rows) error {
			return d.put(ctx, 0, d.encode(0, from, rows))
		})
	}
	t := m.table(fmt.Sprintf("start on cold files to the first correct answer, %d times", r.Rounds),
		"after", "first_answer_ms", "low_ms", "high_ms", "ready_ms", "disk_read_bytes")
	for _, x := range []struct {
		name   string
		before func() error
		end    func() error
	}{
		{"a clean stop", nil, func() error { return s.proc.Stop() }},
		{"a kill at rest", nil, func() error { return s.proc.Kill() }},
		{fmt.Sprintf("a kill behind %d rewritten rows", min(r.set.Rows, restartBatches*r.Batch)), rewrite, func() error { return s.proc.Kill() }},
	} {
		var first, ready []float64
		var read int64
		for range r.Rounds {
			if err := r.settled(ctx, d, r.set.Rows); err != nil {
				return err
			}
			if x.before != nil {
				if err := x.before(); err != nil {
					return err
				}
			}
			if err := errors.Join(x.end(), d.close(), dropCache(dir)); err != nil {
				return err
			}
			next, answered, up, err := r.firstAnswer(ctx, dir)
			if err != nil {
				return err
			}
			s, d = next, r.openHTTP(next.url, 1)
			first, ready = append(first, ms(answered)), append(ready, ms(up))
			if read, err = s.proc.ReadBytes(); err != nil {
				return err
			}
		}
		f := spreadOf(first)
		t.add(x.name, f.median, f.low, f.high, spreadOf(ready).median, read)
	}
	m.print(t)
	return d.close()
}

// restartBatches is the number of requests that a kill follows.
const restartBatches = 20

// firstAnswer starts a server and asks for a row by its own vector, as a client would, until it is found.
func (r *Run) firstAnswer(ctx context.Context, dir string) (_ *server, answered, ready time.Duration, err error) {
	middle, err := r.set.Read(r.set.Rows/2, r.set.Rows/2+1)
	if err != nil {
		return nil, 0, 0, err
	}
	proc, err := daemon.Start(daemon.Options{Bin: r.Program, Dir: dir})
	if err != nil {
		return nil, 0, 0, err
	}
	s := &server{url: "http://" + proc.HTTP, resp: proc.RESP, dir: dir, proc: proc}
	d := r.openHTTP(s.url, 1)
	err = poll(ctx, time.Millisecond, func() (bool, error) {
		select {
		case <-proc.Ended():
			return false, fmt.Errorf("bench: the server has ended: %s", proc.Output())
		default:
		}
		// Until it is up, and while the log is replayed, the server refuses.
		err := r.find(ctx, d, 0, r.set.Rows/2, middle.Row(0), r.Ef, r.K)
		if errors.Is(err, errNotFound) {
			return false, err
		}
		return err == nil, ctx.Err()
	})
	answered = time.Since(proc.Started)
	if err != nil {
		return nil, 0, 0, errors.Join(err, d.close(), proc.Kill())
	}
	if err := proc.Ready(ctx); err != nil {
		return nil, 0, 0, errors.Join(err, d.close(), proc.Kill())
	}
	return s, answered, time.Since(proc.Started), d.close()
}
