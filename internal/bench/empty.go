package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/isobath/isobath/internal/daemon"
)

// emptyCollections is the number of collections of Empty.
const emptyCollections = 1000

// Empty measures what collections without points cost over the empty server, at once and after a
// kill.
func (r *Run) Empty(ctx context.Context) (err error) {
	m := r.begin("empty")
	defer m.end()
	dir := r.dir("empty")
	s, err := r.startServer(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if s.proc == nil {
		return errors.New("bench: empty wants a server of its own")
	}
	costs := m.table(fmt.Sprintf("%d empty collections", emptyCollections), costColumns...)
	cost := func(when string) (daemon.Memory, int64, error) {
		if err := wait(ctx, r.Pause); err != nil {
			return daemon.Memory{}, 0, err
		}
		return s.cost(ctx, costs, when, 0)
	}
	before, diskBefore, err := cost("empty server")
	if err != nil {
		return err
	}
	d := r.openHTTP(s.url, 1)
	for i := range emptyCollections {
		if err := d.http.Call(ctx, "PUT", fmt.Sprintf("/collections/empty-%d", i), []byte(`{"vectors":{"size":100,"distance":"Cosine"}}`), nil); err != nil {
			return err
		}
	}
	after, diskAfter, err := cost("with collections")
	if err != nil {
		return err
	}
	if err := errors.Join(d.close(), s.proc.Kill()); err != nil {
		return err
	}
	began := time.Now()
	if s, err = r.startServer(ctx, dir); err != nil {
		return err
	}
	m.note("ready %.2f s after a kill", time.Since(began).Seconds())
	again, diskAgain, err := cost("after a kill")
	if err != nil {
		return err
	}
	m.print(costs)
	t := m.table("over the empty server", "when", "rss_bytes", "anon_bytes", "disk_bytes")
	t.add("with collections", after.RSS-before.RSS, after.Anon-before.Anon, diskAfter-diskBefore)
	t.add("after a kill", again.RSS-before.RSS, again.Anon-before.Anon, diskAgain-diskBefore)
	m.print(t)
	return nil
}
