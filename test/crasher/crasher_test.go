package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/test/daemon"
	"github.com/isobath/isobath/test/oracle"
)

var program string // the server

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "crasher")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		program, err = daemon.Build(context.Background(), dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// TestKills is a short run of the crasher; ISOBATH_CRASH_CYCLES and ISOBATH_CRASH_SEED make it longer
// and repeat it.
func TestKills(t *testing.T) {
	c := config{cycles: 3, seed: rand.Uint64(), checkEvery: 3, work: 500 * time.Millisecond, out: t.Output(), verbose: true}
	if n, err := strconv.Atoi(os.Getenv("ISOBATH_CRASH_CYCLES")); err == nil {
		c.cycles, c.work = n, 1200*time.Millisecond
	}
	if n, err := strconv.ParseUint(os.Getenv("ISOBATH_CRASH_SEED"), 10, 64); err == nil {
		c.seed = n
	}
	c.bin, c.dir = program, filepath.Join(t.TempDir(), "data")
	r, err := run(t.Context(), c)
	require.NoError(t, err, "seed %d", c.seed)
	t.Log(r)
}

// TestTwoClientsOneField is the promise of the issue in its own words: 100 000 increments each.
func TestTwoClientsOneField(t *testing.T) {
	each := 100_000
	if testing.Short() {
		each = 5_000
	}
	w := newWorld(config{bin: program, dir: filepath.Join(t.TempDir(), "data"), seed: 1})
	s, err := w.start(t.Context())
	require.NoError(t, err)
	defer func() {
		s.disconnect()
		require.NoError(t, s.Stop())
	}()
	require.NoError(t, s.Ready(t.Context()))
	tally, done := oracle.NewTally(), make(chan error, 2)
	for client := range 2 {
		go func() {
			for sent := 0; sent < each; sent += 1000 {
				if err := increment(context.WithoutCancel(t.Context()), s.redis[client], tally, 1000); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	require.NoError(t, <-done)
	require.NoError(t, <-done)
	sum, err := s.redis[0].HGet(t.Context(), counterKey, counterField).Int64()
	require.NoError(t, err)
	require.EqualValues(t, 2*each, sum)
	require.NoError(t, tally.Resolve(sum))
}
