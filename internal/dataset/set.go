package dataset

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/isobath/isobath/mmapvec/distance"
)

// Metric is how the neighbours of a set are ordered.
type Metric string

// The metrics. Rows and queries under Cosine have length 1.
const (
	Cosine Metric = "cosine"
	Dot    Metric = "dot"
	L2     Metric = "l2"
)

// Kernel returns the distance function of m.
func (m Metric) Kernel() distance.Metric {
	if m == L2 {
		return distance.L2
	}
	return distance.Dot
}

// Names of the sets of real data, as Options.Name takes them; beside them there are "synthetic" and "file".
var Names = []string{"glove-100", "mnist-784", "fashion-784", "sentences-384"}

// Options say which set to open.
type Options struct {
	Name string `json:"name"` // one of Names, "synthetic" or "file"
	Dir  string `json:"dir"`  // directory that holds a folder for each of Names
	// Rows bounds the rows used; 0 means all, and 100 000 of "synthetic".
	Rows int `json:"rows"`
	// Queries bounds the queries used; 0 means all, and 1 000 of "synthetic".
	Queries int `json:"queries"`

	Base   string `json:"base"`   // "file": fvecs files
	Query  string `json:"query"`  // "file"
	Metric Metric `json:"metric"` // "file" and "synthetic"; default Cosine, under which files are normalised

	Dim       int       `json:"dim"` // "synthetic"; default 128
	Synthetic Synthetic `json:"synthetic"`
}

// Set is rows and queries.
type Set struct {
	Name    string
	Metric  Metric
	Dim     int
	Rows    int
	Queries *Rows
	// Fields are the payload fields that filters may use, by name: "integer" or "keyword".
	Fields map[string]string

	source   source
	payload  string // file of payloads, "" without
	identity string // names the rows for caches
	asked    string // names the queries, where they have a source of their own
}

// source produces rows; it is safe for concurrent use.
type source interface {
	// read fills into, whose Data is of full length, with the rows from from on.
	read(from int, into *Rows) error
	close() error
}

// Open opens a set. Nothing but its queries is held in memory.
func Open(o Options) (*Set, error) {
	if o.Rows < 0 || o.Queries < 0 {
		return nil, errors.New("dataset: rows and queries are not negative")
	}
	o.Metric = cmp.Or(o.Metric, Cosine)
	if !slices.Contains([]Metric{Cosine, Dot, L2}, o.Metric) {
		return nil, fmt.Errorf("dataset: metric %q is not cosine, dot or l2", o.Metric)
	}
	switch {
	case o.Name == "synthetic":
		return openSynthetic(o)
	case o.Name == "file":
		return openFiles(o)
	case slices.Contains(Names, o.Name):
		return openPrepared(o)
	}
	return nil, fmt.Errorf("dataset: there is no set %q, but synthetic, file, %s", o.Name, strings.Join(Names, ", "))
}

// Close releases files.
func (s *Set) Close() error { return s.source.close() }

// Key names the rows, the queries and their metric for caches: equal keys, equal content.
func (s *Set) Key() string {
	return fmt.Sprintf("%s, %d queries%s", s.rowsKey(), s.Queries.Len(), s.asked)
}

// rowsKey is Key of the rows alone.
func (s *Set) rowsKey() string {
	return fmt.Sprintf("%s %s %d x %d", s.identity, s.Metric, s.Rows, s.Dim)
}

// CacheFile returns the name of a file in dir that is derived from rows and queries.
func (s *Set) CacheFile(dir, kind string) string { return s.cacheFile(dir, s.Key(), kind) }

// RowsCacheFile returns the name of a file in dir that is derived from the rows alone.
func (s *Set) RowsCacheFile(dir, kind string) string { return s.cacheFile(dir, s.rowsKey(), kind) }

func (s *Set) cacheFile(dir, key, kind string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(dir, fmt.Sprintf("%s-%x-%s", s.Name, sum[:6], kind))
}

// Read returns rows from to to (exclusive).
func (s *Set) Read(from, to int) (*Rows, error) {
	if from < 0 || to < from || to > s.Rows {
		return nil, fmt.Errorf("dataset: rows %d to %d of %d", from, to, s.Rows)
	}
	rows := &Rows{Dim: s.Dim, Data: make([]float32, (to-from)*s.Dim)}
	return rows, s.source.read(from, rows)
}

// Each calls fn with all rows from from to to, in parts of at most size, from several goroutines at
// once; parts begin at multiples of size above from. It ends at the first error.
func (s *Set) Each(ctx context.Context, from, to, size, workers int, fn func(worker, from int, rows *Rows) error) error {
	return InParts(ctx, from, to, size, workers, func(worker, from, to int) error {
		rows, err := s.Read(from, to)
		if err != nil {
			return err
		}
		return fn(worker, from, rows)
	})
}

// InParts calls fn with the parts of from to to, each of at most size, from several goroutines at
// once. It ends at the first error.
func InParts(ctx context.Context, from, to, size, workers int, fn func(worker, from, to int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for ctx.Err() == nil {
				at := from + (int(next.Add(1))-1)*size
				if at >= to {
					return
				}
				if err := fn(worker, at, min(at+size, to)); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// FieldNames returns the names of Fields of a kind, sorted.
func (s *Set) FieldNames(kind string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.Fields)) {
		if s.Fields[name] == kind {
			names = append(names, name)
		}
	}
	return names
}
