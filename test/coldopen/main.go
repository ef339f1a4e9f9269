//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"runtime/pprof"
	"slices"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/isobath/isobath/engine"
)

type options struct {
	dir         string
	dim         int
	add, rounds int
	kill        bool
	once        bool
	profile     string
	verbose     bool
}

func main() {
	var o options
	flag.StringVar(&o.dir, "dir", "", "data directory")
	flag.IntVar(&o.dim, "dim", 768, "dimensions")
	flag.IntVar(&o.add, "add", 0, "points to add")
	flag.IntVar(&o.rounds, "rounds", 0, "times to open")
	flag.BoolVar(&o.kill, "kill", false, "end as by kill -9, with -add before the graphs are there")
	flag.BoolVar(&o.once, "once", false, "one round in this process, whatever is in memory")
	flag.StringVar(&o.profile, "cpuprofile", "", "with -once: a profile of Open")
	flag.BoolVar(&o.verbose, "v", false, "with -once: log of the database")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "coldopen:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	switch {
	case o.dir == "":
		return errors.New("no -dir")
	case o.once:
		return once(ctx, o)
	case o.add > 0:
		return add(ctx, o)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for range o.rounds {
		if err := evict(o.dir); err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, self, "-once", "-dir", o.dir, "-dim", fmt.Sprint(o.dim), fmt.Sprintf("-kill=%t", o.kill))
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		err := cmd.Run()
		if exit := (*exec.ExitError)(nil); o.kill && errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	collection = "rows"
	batch      = 1000
)

// add loads points behind those that are there.
func add(ctx context.Context, o options) error {
	db, err := engine.Open(o.dir, engine.Options{Workers: 2})
	if err != nil {
		return err
	}
	c, err := db.Collection(collection)
	if absent := (*engine.NotFoundError)(nil); errors.As(err, &absent) {
		schema := engine.Schema{Vectors: map[string]engine.VectorParams{"": {Size: o.dim, Distance: engine.Euclid}}}
		if err := db.CreateCollection(ctx, collection, schema); err != nil {
			return err
		}
		c, err = db.Collection(collection)
	}
	if err != nil {
		return err
	}
	began := time.Now()
	r, from := newRows(o.dim), c.Info().Points
	for n := from; n < from+o.add; n += batch {
		points := make([]engine.Point, min(batch, from+o.add-n))
		for i := range points {
			id := uint64(n + i)
			points[i] = engine.Point{ID: engine.NumID(id), Vectors: engine.Vectors{"": r.row(id)}}
		}
		if _, err := c.Upsert(ctx, points, engine.UpsertOptions{}); err != nil {
			return err
		}
	}
	fmt.Printf("%d points added in %v\n", o.add, time.Since(began).Round(time.Millisecond))
	if o.kill {
		return die()
	}
	for c.Info().Status == engine.Yellow {
		time.Sleep(time.Second)
	}
	info := c.Info().Vectors[""]
	fmt.Printf("in graphs after %v: %d points, tail %d, %d segments\n", time.Since(began).Round(time.Second), info.Indexed, info.Tail, info.Segments)
	return db.Close()
}

// die ends the process as nothing in it can see coming.
func die() error { return syscall.Kill(os.Getpid(), syscall.SIGKILL) }

// once opens the database and asks for one point.
func once(ctx context.Context, o options) (err error) {
	query := newRows(o.dim).row(7)
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	before, err := diskBytes()
	if err != nil {
		return err
	}
	began := time.Now()
	db, err := engine.Open(o.dir, engine.Options{Log: log})
	if err != nil {
		return err
	}
	opened, openCPU := time.Since(began), processorTime()
	atOpen, err := diskBytes()
	if err != nil {
		return err
	}
	c, err := db.Collection(collection)
	if err != nil {
		return err
	}
	res, err := c.Search(ctx, engine.SearchRequest{Query: query, K: 10})
	answered, cpu := time.Since(began), processorTime()
	if err != nil {
		return err
	}
	if len(res.Hits) != 10 || res.Hits[0].ID != engine.NumID(7) {
		return fmt.Errorf("wrong answer: %v", res.Hits)
	}
	read, err := diskBytes()
	if err != nil {
		return err
	}
	pprof.StopCPUProfile()
	in, err := cached(o.dir)
	if err != nil {
		return err
	}
	fmt.Printf("open %v, answer %v (processor time %v and %v); read %s + %s; %d replayed; %s, %d sources, %d distances, fallback %t\n",
		opened.Round(time.Millisecond), answered.Round(time.Millisecond), openCPU.Round(time.Millisecond), cpu.Round(time.Millisecond), bytes(atOpen-before), bytes(read-atOpen), db.Stats().Open.Replayed, res.Stats.Plan, res.Stats.Sources, res.Stats.Distances, res.Stats.Fallback)
	for _, dir := range slices.Sorted(maps.Keys(in)) {
		fmt.Printf("    %-30s %s\n", dir, bytes(int64(in[dir])))
	}
	if o.kill {
		return die()
	}
	return db.Close()
}

// processorTime returns what this process has used, which says more than the clock beside busy neighbours.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func bytes(n int64) string { return humanize.IBytes(uint64(n)) }
