package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/isobath/isobath/internal/daemon"
	"github.com/isobath/isobath/internal/dataset"
)

type options struct {
	mode, base, query, truth string
	bin, dir                 string
	rows, batch, clients     int
	samples                  int
	kill                     bool
}

func main() {
	var o options
	flag.StringVar(&o.mode, "mode", "http", "http, resp or empty")
	flag.StringVar(&o.base, "base", "base.fvecs", "rows")
	flag.StringVar(&o.query, "query", "", "queries, for recall over the protocol")
	flag.StringVar(&o.truth, "truth", "", "exact neighbours of the queries, 100 int32 each")
	flag.StringVar(&o.bin, "bin", "", "the program; default: built from cmd/isobath")
	flag.StringVar(&o.dir, "dir", "", "data directory, absent or empty; default: a temporary one")
	flag.IntVar(&o.rows, "rows", 0, "rows to load; default all")
	flag.IntVar(&o.batch, "batch", 1000, "rows of a request or pipeline")
	flag.IntVar(&o.clients, "clients", 2, "connections that load")
	flag.IntVar(&o.samples, "samples", 200, "rows that are asked for right after their acknowledgement")
	flag.BoolVar(&o.kill, "kill", false, "kill the server after the load and after indexing, and time the restarts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	temp, err := os.MkdirTemp("", "load")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	if o.dir == "" {
		o.dir = filepath.Join(temp, "data")
	}
	if o.bin == "" {
		if o.bin, err = daemon.Build(ctx, temp); err != nil {
			return err
		}
	}
	s := &server{options: o}
	if err := s.start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.proc.Stop()) }()
	if o.mode == "empty" {
		return s.empty(ctx)
	}
	rows, err := dataset.ReadFvecs(o.base, o.rows)
	if err != nil {
		return err
	}
	switch o.mode {
	case "http":
		return s.load(ctx, rows, &httpDoor{s: s, rows: rows})
	case "resp":
		return s.load(ctx, rows, &respDoor{s: s, rows: rows})
	}
	return fmt.Errorf("unknown mode %q", o.mode)
}

// server is the process under load.
type server struct {
	options
	proc *daemon.Process
}

func (s *server) start(ctx context.Context) (err error) {
	if s.proc, err = daemon.Start(daemon.Options{Bin: s.bin, Dir: s.dir, Log: s.dir + ".log"}); err != nil {
		return err
	}
	return s.proc.Ready(ctx)
}

// cost prints memory by component and disk use; raw is the size of the vectors, 0 when there are none.
func (s *server) cost(title string, raw int64) (daemon.Memory, int64, error) {
	m, err := s.proc.Memory()
	if err != nil {
		return m, 0, err
	}
	total, parts, err := daemon.Disk(s.dir)
	if err != nil {
		return m, 0, err
	}
	ratio := func(n int64) string {
		if raw == 0 {
			return ""
		}
		return fmt.Sprintf(" (%.2f x raw)", float64(n)/float64(raw))
	}
	fmt.Printf("%s: RssAnon %s%s, RSS %s%s, peak RSS %s, disk %s%s\n", title, mb(m.Anon), ratio(m.Anon),
		mb(m.RSS), ratio(m.RSS), mb(m.Peak), mb(total), ratio(total))
	fmt.Printf("  resident by mapping:%s\n", list(m.Parts))
	if own, err := s.components(); err == nil {
		fmt.Printf("  reserved by component, as the server counts:%s\n", list(own))
	}
	fmt.Printf("  disk by folder:%s\n", list(parts))
	return m, total, nil
}

// components reads isobath_memory_bytes from the metrics.
func (s *server) components() (map[string]int64, error) {
	resp, err := http.Get(s.proc.URL("/metrics"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	parts := map[string]int64{}
	in := bufio.NewScanner(resp.Body)
	for in.Scan() {
		rest, ok := strings.CutPrefix(in.Text(), `isobath_memory_bytes{component="`)
		name, value, found := strings.Cut(rest, `"} `)
		if n, err := strconv.ParseFloat(value, 64); ok && found && err == nil {
			parts[name] = int64(n)
		}
	}
	return parts, in.Err()
}

// list prints the parts above a megabyte, largest first.
func list(parts map[string]int64) (out string) {
	names := []string{}
	for name, n := range parts {
		if n >= 1e6 {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return int(parts[b]/1e3 - parts[a]/1e3) })
	for _, name := range names {
		out += fmt.Sprintf(" %s %s;", name, mb(parts[name]))
	}
	return out
}

func mb(n int64) string { return humanize.FormatFloat("#,###.#", float64(n)/1e6) + " MB" }

// wait polls until done says so.
func wait(ctx context.Context, every time.Duration, done func() (bool, error)) error {
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}
