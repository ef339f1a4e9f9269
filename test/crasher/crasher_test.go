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

	"github.com/isobath/isobath/internal/daemon"
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

// TestTwoClientsOneField increments one field through pipelines, 100 000 times from each client.
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

// TestLostTailIsNoticed takes the last records of the log away after the kill, as a server that
// acknowledges too early would lose them: the crasher must say so. All was answered before, so that what is lost was.
func TestLostTailIsNoticed(t *testing.T) {
	const bytes = 16 << 10
	kills := 0
	c := config{cycles: 6, seed: 1, checkEvery: 100, work: 600 * time.Millisecond, calm: true, out: t.Output(), bin: program}
	c.dir = filepath.Join(t.TempDir(), "data")
	c.sabotage = func(dir string) error {
		if kills++; kills == 1 {
			return nil // the log may hold little more than the set-up
		}
		logs, err := filepath.Glob(filepath.Join(dir, "wal", "*.log"))
		require.NoError(t, err)
		require.NotEmpty(t, logs)
		name := logs[len(logs)-1] // names ascend
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		end := len(content)
		for end > 0 && content[end-1] == 0 {
			end--
		}
		clear(content[max(4096, end-bytes):])
		return os.WriteFile(name, content, 0o600)
	}
	_, err := run(t.Context(), c)
	require.Error(t, err)
	require.Regexp(t, `oracle|DBSIZE|count`, err.Error())
	t.Log(err.Error()[max(0, len(err.Error())-300):])
}
