package respapi

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/engine/keyspace"
)

// fixture is a server on a loopback port over an engine of its own.
type fixture struct {
	t    testing.TB
	srv  *Server
	db   *engine.DB
	dir  string // of the engine, where start made it
	addr string
	stop func() // ends Serve; called at the end of the test at the latest
}

// start runs a server on an engine of its own.
func start(t testing.TB, o Options) *fixture {
	t.Helper()
	dir := t.TempDir()
	db, err := engine.Open(dir, engine.Options{})
	require.NoError(t, err)
	space := keyspace.New(db, keyspace.Options{})
	t.Cleanup(func() {
		space.Close()
		require.NoError(t, db.Close())
	})
	o.Keys = space
	f := serve(t, o)
	f.dir = dir
	return f
}

// serve runs a server on the keys given.
func serve(t testing.TB, o Options) *fixture {
	t.Helper()
	if testing.Verbose() {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	srv, err := New(o)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ctx, l) }()
	f := &fixture{t: t, srv: srv, db: o.Keys.DB(), addr: l.Addr().String()}
	stopped := false
	f.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(t, <-ended)
		}
	}
	t.Cleanup(f.stop)
	return f
}

// client is go-redis with its default options.
func (f *fixture) client() *redis.Client {
	rdb := redis.NewClient(&redis.Options{Addr: f.addr})
	f.t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// raw is a connection without a client library.
type raw struct {
	t  testing.TB
	nc net.Conn
	br *bufio.Reader
}

func (f *fixture) raw() *raw {
	f.t.Helper()
	nc, err := net.Dial("tcp", f.addr)
	require.NoError(f.t, err)
	f.t.Cleanup(func() { _ = nc.Close() })
	require.NoError(f.t, nc.SetDeadline(time.Now().Add(20*time.Second)))
	return &raw{f.t, nc, bufio.NewReaderSize(nc, 1<<16)}
}

func encode(args ...string) []byte {
	out := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		out = fmt.Appendf(out, "$%d\r\n%s\r\n", len(a), a)
	}
	return out
}

func (r *raw) send(args ...string) {
	r.t.Helper()
	_, err := r.nc.Write(encode(args...))
	require.NoError(r.t, err)
}

// do sends one command, words separated by spaces, and returns the reply on one line with
// \r\n shown as a bar.
func (r *raw) do(line string) string {
	r.t.Helper()
	r.send(strings.Fields(line)...)
	return r.reply()
}

func (r *raw) reply() string {
	r.t.Helper()
	var buf bytes.Buffer
	require.NoError(r.t, r.copyReply(&buf))
	return strings.ReplaceAll(buf.String(), "\r\n", "|")
}

// copyReply copies one reply of either version, byte by byte.
func (r *raw) copyReply(buf *bytes.Buffer) error {
	line, err := r.br.ReadString('\n')
	if err != nil {
		return err
	}
	buf.WriteString(line)
	n := 0
	fmt.Sscanf(line[1:], "%d", &n)
	switch line[0] {
	case '$', '=':
		if n >= 0 {
			if _, err := io.CopyN(buf, r.br, int64(n)+2); err != nil {
				return err
			}
		}
		n = 0
	case '%':
		n *= 2
	case '*', '~', '>':
	default:
		n = 0
	}
	for range n {
		if err := r.copyReply(buf); err != nil {
			return err
		}
	}
	return nil
}

// closed waits for the server to close the connection and returns what it said before.
func (r *raw) closed() string {
	r.t.Helper()
	rest, err := io.ReadAll(r.br)
	if err != nil {
		require.ErrorContains(r.t, err, "reset")
	}
	return strings.ReplaceAll(string(rest), "\r\n", "|")
}
