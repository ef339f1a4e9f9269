package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/isobath/isobath/internal/daemon"
)

func main() {
	c := config{out: os.Stdout}
	flag.IntVar(&c.cycles, "cycles", 50, "kills")
	flag.Uint64Var(&c.seed, "seed", uint64(time.Now().UnixNano()), "of the random choices")
	flag.StringVar(&c.dir, "dir", "", "data directory, must be absent or empty; default: a temporary one that only a failure leaves")
	flag.StringVar(&c.bin, "bin", "", "the program; default: built from cmd/isobath")
	flag.IntVar(&c.checkEvery, "check", 5, "cycles between runs of isobath check")
	flag.DurationVar(&c.work, "work", 1200*time.Millisecond, "longest time from the start of the writes to the kill")
	flag.StringVar(&c.baseFile, "base", "", "fvecs file that is loaded first, so that restarts have something to open")
	flag.BoolVar(&c.verbose, "v", false, "a line for every cycle")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := prepareAndRun(ctx, c); err != nil {
		fmt.Fprintln(os.Stderr, "crasher:", err)
		os.Exit(1)
	}
}

// prepareAndRun provides the program and the directory and removes what is not needed any more.
func prepareAndRun(ctx context.Context, c config) (err error) {
	fmt.Fprintf(c.out, "seed %d, %d cycles\n", c.seed, c.cycles)
	temp, err := os.MkdirTemp("", "crasher")
	if err != nil {
		return err
	}
	if c.dir == "" {
		c.dir = filepath.Join(temp, "data")
	}
	defer func() {
		if err == nil {
			_ = os.RemoveAll(temp)
		} else {
			err = fmt.Errorf("%w\nseed %d, directory %s", err, c.seed, c.dir)
		}
	}()
	if c.bin == "" {
		if c.bin, err = daemon.Build(ctx, temp); err != nil {
			return err
		}
	}
	r, err := run(ctx, c)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.out, r)
	return nil
}
