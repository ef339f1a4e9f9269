package bench

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/isobath/isobath/internal/daemon"
)

// The protocols.
const (
	overHTTP = "http"
	overRESP = "resp"
)

// server is a server to measure: a child of this process, or one that somebody else started.
type server struct {
	url, resp string
	dir       string          // of a child
	proc      *daemon.Process // nil when somebody else started it
}

// startServer starts a child on dir, or returns the running server that the configuration names.
func (r *Run) startServer(ctx context.Context, dir string) (*server, error) {
	if r.URL != "" || r.RESPAddr != "" {
		return &server{url: r.URL, resp: r.RESPAddr}, nil
	}
	return r.startChild(ctx, daemon.Options{Dir: dir})
}

// startChild starts a child with options of its own.
func (r *Run) startChild(ctx context.Context, o daemon.Options) (*server, error) {
	o.Bin = r.Program
	proc, err := daemon.Start(o)
	if err != nil {
		return nil, err
	}
	s := &server{url: "http://" + proc.HTTP, resp: proc.RESP, dir: o.Dir, proc: proc}
	if err := proc.Ready(ctx); err != nil {
		return nil, errors.Join(err, proc.Kill())
	}
	return s, nil
}

// stop ends a child cleanly. It may be called again.
func (s *server) stop() error {
	if s.proc == nil || s.proc.Asked() {
		return nil
	}
	return s.proc.Stop()
}

// open connects workers to a server.
func (r *Run) open(ctx context.Context, s *server, protocol string, workers int) (door, error) {
	if protocol == overRESP {
		if s.resp == "" {
			return nil, errors.New("bench: name the RESP address of the server")
		}
		return r.openRESP(ctx, s.resp, workers)
	}
	if s.url == "" {
		return nil, errors.New("bench: name the URL of the server")
	}
	return r.openHTTP(s.url, workers), nil
}

// costColumns are the columns of a line of cost.
var costColumns = []string{"when", "anon_bytes", "rss_bytes", "peak_rss_bytes", "disk_bytes", "anon_to_raw", "rss_to_raw", "disk_to_raw",
	"resident_by_mapping", "reserved_by_component", "disk_by_folder"}

// cost adds what a child holds in memory and on disk; raw is the size of the rows.
func (s *server) cost(ctx context.Context, t *Table, when string, raw int64) (daemon.Memory, int64, error) {
	memory, err := s.proc.Memory()
	if err != nil {
		return memory, 0, err
	}
	disk, folders, err := daemon.Disk(s.dir)
	if err != nil {
		return memory, 0, err
	}
	reserved, err := components(ctx, s.url)
	if err != nil {
		return memory, 0, err
	}
	of := func(n int64) any {
		if raw == 0 {
			return nil
		}
		return float64(n) / float64(raw)
	}
	t.add(when, memory.Anon, memory.RSS, memory.Peak, disk, of(memory.Anon), of(memory.RSS), of(disk),
		parts(memory.Parts), parts(reserved), parts(folders))
	return memory, disk, nil
}

// parts prints the parts above a megabyte, largest first.
func parts(of map[string]int64) string {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(of)), func(name string) bool { return of[name] < 1e6 })
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(of[b], of[a]) })
	for i, name := range names {
		names[i] += " " + humanize.Bytes(uint64(of[name]))
	}
	return strings.Join(names, ", ")
}

// exists says whether a directory holds a database.
func exists(dir string) bool {
	_, err := os.Stat(dir)
	return err == nil
}
