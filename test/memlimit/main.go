package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/isobath/isobath/internal/daemon"
	"github.com/isobath/isobath/internal/dataset"
)

type config struct {
	rows, dim int
	limit     int64 // MiB
	bin, dir  string
	only      string
}

func main() {
	var c config
	flag.IntVar(&c.rows, "rows", 300_000, "vectors of each collection")
	flag.IntVar(&c.dim, "dim", 128, "dimensions")
	flag.Int64Var(&c.limit, "limit", 160, "memory limit in MiB")
	flag.StringVar(&c.bin, "bin", "", "the program; default: built from cmd/isobath")
	flag.StringVar(&c.dir, "dir", "", "parent of the data directories; default: a temporary one")
	flag.StringVar(&c.only, "only", "", "name of the one collection to load")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, c); err != nil {
		fmt.Fprintln(os.Stderr, "memlimit:", err)
		os.Exit(1)
	}
}

// kinds are the collections: each has another way to take more memory than there is.
var kinds = []struct{ name, body, rest string }{
	{"graph", `{"vectors":{"size":%d,"distance":"Cosine"}}`, "green"},
	{"flat", `{"vectors":{"size":%d,"distance":"Cosine"},"optimizers_config":{"indexing_threshold":0}}`, "green"},
	{"idle", `{"vectors":{"size":%d,"distance":"Cosine"},"optimizers_config":{"max_optimization_threads":0}}`, "grey"},
}

func run(ctx context.Context, c config) (err error) {
	temp, err := os.MkdirTemp(c.dir, "memlimit")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	if c.bin == "" {
		if c.bin, err = daemon.Build(ctx, temp); err != nil {
			return err
		}
	}
	set, err := dataset.Open(dataset.Options{Name: "synthetic", Rows: c.rows, Queries: 1, Dim: c.dim})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, set.Close()) }()
	fmt.Printf("%d x %d, %s of vectors, limit %s\n", c.rows, c.dim, humanize.IBytes(uint64(c.rows*c.dim*4)), humanize.IBytes(uint64(c.limit<<20)))
	for _, kind := range kinds {
		if c.only != "" && c.only != kind.name {
			continue
		}
		w := &world{config: c, set: set, dir: filepath.Join(temp, kind.name), body: fmt.Sprintf(kind.body, c.dim), atRest: kind.rest}
		if err := w.run(ctx, kind.name); err != nil {
			return fmt.Errorf("%s: %w", kind.name, err)
		}
	}
	return nil
}

// world is one server after the other on one directory.
type world struct {
	config
	set    *dataset.Set
	dir    string
	body   string // of the collection
	atRest string // its status then
	s      *daemon.Process
	peak   *daemon.AnonPeak
}

func (w *world) run(ctx context.Context, name string) error {
	began := time.Now()
	if err := w.start(ctx); err != nil {
		return err
	}
	err := w.load(ctx)
	loaded := time.Since(began)
	err = errors.Join(err, w.search(ctx))
	peak, endErr := w.end()
	if err = errors.Join(err, endErr); err != nil {
		return err
	}
	if err := w.start(ctx); err != nil {
		return err
	}
	err = errors.Join(w.search(ctx), w.rest(ctx))
	again, endErr := w.end()
	if err = errors.Join(err, endErr); err != nil {
		return err
	}
	fmt.Printf("%-6s at rest after %.0f s, anonymous memory %s at most, %s after a kill\n", name, loaded.Seconds(),
		humanize.IBytes(uint64(peak)), humanize.IBytes(uint64(again)))
	if most := w.limit << 20; max(peak, again) > most {
		return fmt.Errorf("that is more than the limit of %s", humanize.IBytes(uint64(most)))
	}
	return nil
}

func (w *world) start(ctx context.Context) (err error) {
	w.s, err = daemon.Start(daemon.Options{Bin: w.bin, Dir: w.dir, Args: []string{"--memory-limit", fmt.Sprintf("%dMiB", w.limit)}})
	if err != nil {
		return err
	}
	w.peak = w.s.WatchAnon(20 * time.Millisecond)
	if err := w.s.Ready(ctx); err != nil {
		_, endErr := w.end()
		return errors.Join(err, endErr)
	}
	return nil
}

// end kills the server and returns the most memory that it had.
func (w *world) end() (int64, error) {
	peak, err := w.peak.Peak()
	return peak, errors.Join(err, w.s.Kill())
}

const collection = "/collections/rows"

// load sends all rows and waits until nothing is left to do.
func (w *world) load(ctx context.Context) error {
	if err := w.do(ctx, "PUT", collection, []byte(w.body), nil); err != nil {
		return err
	}
	err := w.set.Each(ctx, 0, w.rows, 1000, 2, func(_, from int, rows *dataset.Rows) error {
		return w.do(ctx, "PUT", collection+"/points?wait=true", dataset.UpsertBody(rows, from, nil), nil)
	})
	if err != nil {
		return err
	}
	return w.rest(ctx)
}

// rest waits until nothing is left to do.
func (w *world) rest(ctx context.Context) error {
	for {
		var info struct {
			Status string
			Points int `json:"points_count"`
		}
		if err := w.do(ctx, "GET", collection, nil, &info); err != nil || info.Status == w.atRest && info.Points == w.rows {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// search asks for stored rows, which have to be found.
func (w *world) search(ctx context.Context) error {
	const searches = 200
	missed := 0 // by graphs
	for i := range searches {
		n := i * (w.rows / searches)
		rows, err := w.set.Read(n, n+1)
		if err != nil {
			return err
		}
		var found struct {
			Points []struct{ ID int }
		}
		body := fmt.Appendf(nil, `{"query":%s,"limit":3}`, dataset.AppendJSON(nil, rows.Row(0)))
		if err := w.do(ctx, "POST", collection+"/points/query", body, &found); err != nil {
			return err
		}
		if len(found.Points) != 3 {
			return fmt.Errorf("%d points are found for row %d", len(found.Points), n)
		}
		if found.Points[0].ID != n {
			missed++
		}
	}
	if missed > searches/100 {
		return fmt.Errorf("%d of %d rows are not found", missed, searches)
	}
	return nil
}

// do sends a request and decodes the result into out, unless it is nil.
func (w *world) do(ctx context.Context, method, path string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, w.s.URL(path), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, w.s.Output())
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s answered %d: %s", method, path, resp.StatusCode, answer)
	}
	if out == nil {
		return nil
	}
	envelope := struct{ Result any }{out}
	return json.Unmarshal(answer, &envelope)
}
