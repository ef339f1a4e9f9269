package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/isobath/isobath/internal/client"
	"github.com/spf13/cobra"
)

// importer loads files into one collection, over HTTP.
type importer struct {
	http       *client.HTTP
	collection string
	distance   string
	format     string
	batch      int
	ensured    bool // that the collection exists
	firstID    uint64
	limit      int64
	out        io.Writer
}

func newImport() *cobra.Command {
	im := &importer{http: &client.HTTP{}}
	var dataDir string
	c := &cobra.Command{
		Use:   "import FILE...",
		Short: "Load JSONL or fvecs files into a collection",
		Long: `Load files into a collection of a running server, or with --data-dir into a database that no
server holds. A collection that does not exist is created with the dimension of the first row.

JSONL: one object a line, with "vector" (a list of numbers, or an object of named lists) and
optionally "id" (a number or a UUID; else rows are numbered from --first-id) and "payload" (an
object). Without "payload" all other keys become the payload.

fvecs: rows of a little-endian int32 dimension and that many float32, numbered from --first-id.

Files may be compressed with gzip (name.jsonl.gz). Rows that were loaded before an error stay.`,
		Example: `  isobath import books.jsonl --collection books
  isobath import sift_base.fvecs --collection sift --distance Euclid --data-dir ./isobath-data`,
		Args: takes(1, math.MaxInt, "one or more files"),
		RunE: func(c *cobra.Command, args []string) error {
			if im.collection == "" {
				return &statusError{2, errors.New("name the collection to load into with --collection")}
			}
			if im.batch < 1 || im.batch > 100_000 {
				return &statusError{2, fmt.Errorf("--batch %d is not from 1 to 100000", im.batch)}
			}
			im.out = c.ErrOrStderr()
			if dataDir == "" {
				return im.run(c.Context(), args)
			}
			em, err := startEmbedded(c.Context(), dataDir, c.ErrOrStderr())
			if err != nil {
				return err
			}
			im.http.Base, im.http.Key = em.url(), ""
			return errors.Join(im.run(c.Context(), args), em.close())
		},
	}
	f := c.Flags()
	f.StringVarP(&im.collection, "collection", "c", "", "collection to load into (required)")
	f.StringVar(&im.http.Base, "url", "http://127.0.0.1:6333", "HTTP address of the server")
	f.StringVar(&im.http.Key, "api-key", os.Getenv("ISOBATH__SERVICE__API_KEY"), "API key of the server; default: $ISOBATH__SERVICE__API_KEY")
	f.StringVar(&dataDir, "data-dir", "", "load into the database in this directory, without a server")
	f.StringVar(&im.distance, "distance", "Cosine", "distance of a collection that is created: Cosine, Dot, Euclid or Manhattan")
	f.StringVar(&im.format, "format", "", "jsonl or fvecs; default: by the name of the file")
	f.IntVar(&im.batch, "batch", 1000, "rows in one request")
	f.Uint64Var(&im.firstID, "first-id", 0, "number of the first row that has no id")
	f.Int64Var(&im.limit, "limit", 0, "load at most so many rows; 0 means all")
	c.MarkFlagsMutuallyExclusive("url", "data-dir")
	f.Lookup("api-key").DefValue = ""
	return c
}

// run loads the files one after the other.
func (im *importer) run(ctx context.Context, files []string) error {
	for _, name := range files {
		if err := im.load(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (im *importer) load(ctx context.Context, name string) error {
	file, err := openRows(name, im.format, &im.firstID)
	if err != nil {
		return err
	}
	defer file.Close()
	bar := newProgress(im.out, filepath.Base(name), 0)
	defer bar.Abandon()

	// One batch is read and encoded while the one before it is on its way.
	reading, stop := context.WithCancel(ctx)
	defer stop()
	batches := make(chan batch, 1)
	go func() {
		defer close(batches)
		im.read(reading, file, batches)
	}()
	for b := range batches {
		if b.err != nil {
			return fmt.Errorf("%s: %w", name, b.err)
		}
		if !im.ensured {
			if err := im.ensure(ctx, b.first); err != nil {
				return err
			}
			im.ensured = true
		}
		path := "/collections/" + url.PathEscape(im.collection) + "/points?wait=true"
		if err := im.http.Call(ctx, http.MethodPut, path, b.body, nil); err != nil && ctx.Err() == nil {
			return fmt.Errorf("%s, after %d rows: %w", name, bar.rows, err)
		}
		if ctx.Err() != nil {
			break
		}
		bar.Add(b.rows, b.estimate)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: interrupted after %d rows", name, bar.rows)
	}
	bar.Done()
	return nil
}

// batch is the body of one upsert. Rows before an error come in batches of their own.
type batch struct {
	body     []byte
	rows     int
	first    row
	estimate int64 // rows in the file
	err      error
}

// bodyBytes is the size from which a batch is sent early: servers refuse more than 32 MiB.
const bodyBytes = 16 << 20

func (im *importer) read(ctx context.Context, file *rowFile, out chan<- batch) {
	var b batch
	send := func() bool {
		if b.rows > 0 {
			b.body = append(b.body, "]}"...)
			if b.estimate = file.estimate(); im.limit > 0 {
				b.estimate = min(b.estimate, im.limit)
			}
		}
		select {
		case out <- b:
			b = batch{}
			return true
		case <-ctx.Done():
			return false
		}
	}
	for total := int64(0); im.limit == 0 || total < im.limit; total++ {
		r, err := file.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			if b.rows > 0 && !send() {
				return
			}
			b.err = err
			send()
			return
		}
		if b.rows == 0 {
			b.first, b.body = r, append(b.body, `{"points":[`...)
		} else {
			b.body = append(b.body, ',')
		}
		b.body = append(b.body, r.json...)
		if b.rows++; b.rows == im.batch || len(b.body) > bodyBytes {
			if !send() {
				return
			}
		}
	}
	if b.rows > 0 {
		send()
	}
}

// ensure creates the collection unless it exists, shaped like the first row.
func (im *importer) ensure(ctx context.Context, first row) error {
	path := "/collections/" + url.PathEscape(im.collection)
	var there struct{ Exists bool }
	if err := im.http.Call(ctx, http.MethodGet, path+"/exists", nil, &there); err != nil || there.Exists {
		return err
	}
	params := func(dim int) map[string]any { return map[string]any{"size": dim, "distance": im.distance} }
	var vectors any
	if strings.HasPrefix(string(bytes.TrimSpace(first.vector)), "{") {
		var named map[string][]json.Number
		if err := json.Unmarshal(first.vector, &named); err != nil {
			return fmt.Errorf("vectors of the first row: %w", err)
		}
		all := map[string]any{}
		for name, v := range named {
			all[name] = params(len(v))
		}
		vectors = all
	} else {
		var v []json.Number
		if err := json.Unmarshal(first.vector, &v); err != nil {
			return fmt.Errorf("vector of the first row: %w", err)
		}
		vectors = params(len(v))
	}
	if err := im.http.Call(ctx, http.MethodPut, path, map[string]any{"vectors": vectors}, nil); err != nil {
		return err
	}
	_, err := fmt.Fprintf(im.out, "collection %q created\n", im.collection)
	return err
}
