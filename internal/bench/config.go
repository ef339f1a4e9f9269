package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/isobath/isobath/internal/dataset"
)

// Config says what is measured, and how. Zero fields have defaults.
type Config struct {
	Set dataset.Options `json:"set"`
	// Cache keeps what is derived from the set: exact neighbours, rows as files and graphs for the
	// peer, and the peer itself. Default: isobath-bench in the user's cache directory.
	Cache string `json:"cache"`
	// Dir is the directory of the database, kept; a mode that only searches uses what is in it.
	// Default: a temporary one.
	Dir string `json:"dir"`
	// Program is the server's. Default: this program.
	Program string `json:"program"`
	// URL and RESPAddr name a running server for HTTP, RESP and Ingest, Key its key.
	URL      string `json:"url"`
	RESPAddr string `json:"resp_addr"`
	Key      string `json:"-"`

	// Collection is JSON that is added to the request that creates a collection over HTTP: its
	// fields replace ours, those of "vectors" and "hnsw_config" one by one.
	Collection string `json:"collection"`

	K           int       `json:"k"`            // results of a query, at most 100; default 10
	M           int       `json:"m"`            // links of a node; default 16
	EfConstruct int       `json:"ef_construct"` // beam of the build; default 200
	Efs         []int     `json:"efs"`          // of the sweep, ascending; default 10 to 640
	Recalls     []float64 `json:"recalls"`      // at which throughput is compared; default 0.90, 0.95, 0.98
	Ef          int       `json:"ef"`           // where a mode needs one; default 100
	Rounds      int       `json:"rounds"`       // A B B A; default 5
	Warmup      int       `json:"warmup"`       // queries before measuring; default 1 000

	// Peer is the program of hnswlib. Default: built from its source where there is a compiler
	// and the header; "off" leaves it out.
	Peer    string `json:"peer"`
	Threads int    `json:"threads"` // of the peer's build; default: all processors

	Batch   int   `json:"batch"`   // rows of a request or pipeline; default 1 000
	Loaders int   `json:"loaders"` // connections that load; default 2
	Clients []int `json:"clients"` // clients of the protocol modes; default 1, 8, 32
	// ProbeRate is the queries a second that are asked while data is loaded; default 50.
	ProbeRate int `json:"probe_rate"`
	// MemoryLimit of the control group of Memory in bytes; default a quarter of the raw rows.
	MemoryLimit int64 `json:"memory_limit"`
	// Fresh is the number of rows that are asked for right after their acknowledgement; default 200.
	Fresh int `json:"fresh"`

	// Pause is how long a server may give memory back and merge its store before it is looked at;
	// default 5 s.
	Pause time.Duration `json:"pause"`

	Profile string `json:"profile"` // write a processor profile of Search to this file

	Out      io.Writer `json:"-"` // tables; default: none
	Progress io.Writer `json:"-"` // what is going on; default: none
}

func (c Config) withDefaults() (Config, error) {
	c.K, c.M, c.EfConstruct = cmp.Or(c.K, 10), cmp.Or(c.M, 16), cmp.Or(c.EfConstruct, 200)
	c.Ef, c.Rounds, c.Warmup = cmp.Or(c.Ef, 100), cmp.Or(c.Rounds, 5), cmp.Or(c.Warmup, 1000)
	c.Batch, c.Loaders, c.ProbeRate = cmp.Or(c.Batch, 1000), cmp.Or(c.Loaders, 2), cmp.Or(c.ProbeRate, 50)
	c.Pause = cmp.Or(c.Pause, 5*time.Second)
	c.Fresh, c.Threads = cmp.Or(c.Fresh, 200), cmp.Or(c.Threads, runtime.NumCPU())
	if c.Efs == nil {
		c.Efs = []int{10, 20, 30, 40, 60, 80, 120, 160, 200, 240, 320, 400, 480, 640}
	}
	if c.Recalls == nil {
		c.Recalls = []float64{0.90, 0.95, 0.98}
	}
	if c.Clients == nil {
		c.Clients = []int{1, 8, 32}
	}
	if c.Cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return c, fmt.Errorf("bench: name a cache directory: %w", err)
		}
		c.Cache = filepath.Join(dir, "isobath-bench")
	}
	if c.Program == "" {
		var err error
		if c.Program, err = os.Executable(); err != nil {
			return c, fmt.Errorf("bench: name the server's program: %w", err)
		}
	}
	if c.Out == nil {
		c.Out = io.Discard
	}
	if c.Progress == nil {
		c.Progress = io.Discard
	}
	return c, c.validate()
}

func (c *Config) validate() (err error) {
	check := func(ok bool, format string, args ...any) {
		if !ok {
			err = errors.Join(err, fmt.Errorf("bench: "+format, args...))
		}
	}
	check(c.K >= 1 && c.K <= dataset.Depth, "k %d is not from 1 to %d", c.K, dataset.Depth)
	for what, n := range map[string]int{"m": c.M, "ef_construct": c.EfConstruct, "ef": c.Ef, "rounds": c.Rounds,
		"batch": c.Batch, "loaders": c.Loaders, "threads": c.Threads, "probe rate": c.ProbeRate, "fresh": c.Fresh} {
		check(n >= 1, "%s %d is not positive", what, n)
	}
	if c.Collection != "" {
		var object map[string]any
		bad := json.Unmarshal([]byte(c.Collection), &object)
		check(bad == nil, "the configuration of the collection is no JSON object: %v", bad)
	}
	check(c.Warmup >= 0 && c.MemoryLimit >= 0, "warm-up and memory limit are not negative")
	for i, ef := range c.Efs {
		check(ef >= 1 && (i == 0 || ef > c.Efs[i-1]), "the beams %v do not ascend", c.Efs)
	}
	for _, recall := range c.Recalls {
		check(recall > 0 && recall < 1, "recall %g is not between 0 and 1", recall)
	}
	for _, n := range c.Clients {
		check(n >= 1, "%d clients", n)
	}
	return err
}

// Run measures one set.
type Run struct {
	Config
	set    *dataset.Set
	truth  *dataset.Truth // nil until a mode needs it
	report *Report
	temp   string
}

// Open opens the set and prepares a run.
func Open(ctx context.Context, c Config) (*Run, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	set, err := dataset.Open(c.Set)
	if err != nil {
		return nil, err
	}
	r := &Run{Config: c, set: set}
	if r.temp, err = os.MkdirTemp("", "isobath-bench-"); err != nil {
		return nil, errors.Join(err, set.Close())
	}
	r.report = newReport(r)
	return r, ctx.Err()
}

// Close removes temporary files.
func (r *Run) Close() error { return errors.Join(r.set.Close(), os.RemoveAll(r.temp)) }

// dir returns the directory of the database for a mode.
func (r *Run) dir(mode string) string {
	if r.Dir != "" {
		return r.Dir
	}
	return filepath.Join(r.temp, mode)
}

// rawBytes is the size of the rows as floats.
func (r *Run) rawBytes() int64 { return int64(r.set.Rows) * int64(r.set.Dim) * 4 }

// say prints what is going on.
func (r *Run) say(format string, args ...any) { fmt.Fprintf(r.Progress, format+"\n", args...) }

// exact computes the neighbours of the set's queries, once.
func (r *Run) exact(ctx context.Context) (err error) {
	if r.truth == nil {
		r.say("exact neighbours of %d queries among %d rows", r.set.Queries.Len(), r.set.Rows)
		r.truth, err = r.set.Truth(ctx, r.Cache, nil)
	}
	return err
}
