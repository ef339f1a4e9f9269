package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/isobath/isobath/internal/client"
	"github.com/stretchr/testify/require"
)

// served is a running 'isobath serve'.
type served struct {
	cmd        *exec.Cmd
	http, resp string
	ended      chan error
}

var listening = regexp.MustCompile(`msg=listening protocol=(http|resp) addr=(\S+)`)

// startServe runs the program on free ports and returns when both protocols are served.
func startServe(t *testing.T, dir string) *served {
	t.Helper()
	s := &served{ended: make(chan error, 1)}
	s.cmd = exec.Command(os.Args[0], "serve", "--data-dir", dir, "--http-addr", "127.0.0.1:0", "--resp-addr", "127.0.0.1:0")
	s.cmd.Env = append(os.Environ(), asProgram+"=1")
	stderr, err := s.cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, s.cmd.Start())
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	ready := make(chan struct{})
	go func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			m := listening.FindStringSubmatch(lines.Text())
			switch {
			case m == nil:
			case m[1] == "http":
				s.http = m[2]
			default:
				s.resp = m[2]
				close(ready)
			}
		}
		s.ended <- s.cmd.Wait()
	}()
	select {
	case <-ready:
	case err := <-s.ended:
		require.FailNow(t, "the server ended", "%v", err)
	case <-time.After(30 * time.Second):
		require.FailNow(t, "the server does not serve")
	}
	return s
}

func (s *served) do(t *testing.T, args ...any) any {
	t.Helper()
	c, err := client.DialRESP(context.Background(), s.resp)
	require.NoError(t, err)
	defer c.Close()
	reply, err := c.Do(args...)
	require.NoError(t, err)
	return reply
}

func TestTerminatedServerHasCheckpointed(t *testing.T) {
	dir := t.TempDir()
	s := startServe(t, dir)
	require.Equal(t, "OK", s.do(t, "SET", "k", "v"))
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, <-s.ended)

	s = startServe(t, dir)
	require.Equal(t, "v", s.do(t, "GET", "k"))
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGINT))
	require.NoError(t, <-s.ended)
}

func TestKilledServerKeepsWhatItAcknowledged(t *testing.T) {
	dir := t.TempDir()
	s := startServe(t, dir)
	for range 10 {
		s.do(t, "INCR", "n")
	}
	require.NoError(t, s.cmd.Process.Kill())
	require.Error(t, <-s.ended)

	s = startServe(t, dir)
	require.Equal(t, "10", s.do(t, "GET", "n"))
}

func TestSecondServerIsToldWhatToDo(t *testing.T) {
	dir := t.TempDir()
	s := startServe(t, dir)
	second := func(args ...string) string {
		cmd := exec.Command(os.Args[0], append([]string{"serve"}, args...)...)
		cmd.Env = append(os.Environ(), asProgram+"=1")
		out, err := cmd.CombinedOutput()
		require.Error(t, err)
		return string(out)
	}
	require.Contains(t, second("--data-dir", t.TempDir(), "--http-addr", s.http), "choose another address with --http-addr")
	require.Contains(t, second("--data-dir", t.TempDir(), "--http-addr", "127.0.0.1:0", "--resp-addr", s.resp), "choose another address with --resp-addr")
	require.Contains(t, second("--data-dir", dir, "--http-addr", "127.0.0.1:0", "--resp-addr", "off"), "stop that process first")
}
