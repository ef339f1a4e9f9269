package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func run(t *testing.T, cfg Config) *Server {
	t.Helper()
	if cfg.DataDir == "" {
		cfg.DataDir = t.TempDir()
	}
	cfg.HTTPAddr, cfg.RESPAddr = "127.0.0.1:0", "127.0.0.1:0"
	s, err := Start(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close(context.Background())) })
	return s
}

func call(t *testing.T, s *Server, method, path, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+s.HTTPAddr()+path, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res.StatusCode, string(raw)
}

func TestBothProtocolsOverOneDatabase(t *testing.T) {
	dir := t.TempDir()
	s := run(t, Config{DataDir: dir})
	status, text := call(t, s, "GET", "/readyz", "")
	require.Equal(t, 200, status)
	require.Equal(t, "all shards are ready", text)
	status, text = call(t, s, "PUT", "/collections/c", `{"vectors":{"size":2,"distance":"Dot"}}`)
	require.Equal(t, 200, status, text)
	status, text = call(t, s, "PUT", "/collections/c/points", `{"points":[{"id":1,"vector":[1,2],"payload":{"a":1}}]}`)
	require.Equal(t, 200, status, text)
	rdb := redis.NewClient(&redis.Options{Addr: s.RESPAddr()})
	require.NoError(t, rdb.HSet(context.Background(), "doc:1", "title", "x").Err())
	id := rdb.ClusterMyID(context.Background()).Val()
	require.NoError(t, rdb.Close())
	require.NoError(t, s.Close(context.Background()))
	require.NoError(t, s.Close(context.Background()), "twice is fine")

	s = run(t, Config{DataDir: dir})
	_, text = call(t, s, "GET", "/collections/c/points/1", "")
	require.Contains(t, text, `"payload":{"a":1}`)
	rdb = redis.NewClient(&redis.Options{Addr: s.RESPAddr()})
	defer rdb.Close()
	require.Equal(t, "x", rdb.HGet(context.Background(), "doc:1", "title").Val())
	require.Equal(t, id, rdb.ClusterMyID(context.Background()).Val(), "the node keeps its name")
}

func TestOneKeyProtectsBothDoors(t *testing.T) {
	s := run(t, Config{APIKey: "full", ReadOnlyAPIKey: "reader"})
	status, text := call(t, s, "GET", "/collections", "")
	require.Equal(t, 401, status)
	require.Equal(t, "Must provide an API key or an Authorization bearer token", text)
	status, _ = call(t, s, "GET", "/collections", "", "api-key", "reader")
	require.Equal(t, 200, status)
	status, _ = call(t, s, "PUT", "/collections/c", `{}`, "api-key", "reader")
	require.Equal(t, 403, status)
	ctx := context.Background()
	none := redis.NewClient(&redis.Options{Addr: s.RESPAddr()})
	defer none.Close()
	require.ErrorContains(t, none.Set(ctx, "a", "b", 0).Err(), "NOAUTH")
	full := redis.NewClient(&redis.Options{Addr: s.RESPAddr(), Password: "full"})
	defer full.Close()
	require.NoError(t, full.Set(ctx, "a", "b", 0).Err())
	reader := redis.NewClient(&redis.Options{Addr: s.RESPAddr(), Password: "reader"})
	defer reader.Close()
	require.Equal(t, "b", reader.Get(ctx, "a").Val())
	require.ErrorContains(t, reader.Set(ctx, "a", "c", 0).Err(), "NOPERM")
}

func TestStartErrors(t *testing.T) {
	s := run(t, Config{})
	_, err := Start(context.Background(), Config{DataDir: t.TempDir(), HTTPAddr: s.HTTPAddr(), RESPAddr: respOff})
	require.ErrorContains(t, err, "--http-addr")
	_, err = Start(context.Background(), Config{DataDir: t.TempDir(), HTTPAddr: "127.0.0.1:0", RESPAddr: s.RESPAddr()})
	require.ErrorContains(t, err, "--resp-addr")
	_, err = Start(context.Background(), Config{DataDir: s.cfg.DataDir, HTTPAddr: "127.0.0.1:0", RESPAddr: "127.0.0.1:0"})
	require.ErrorContains(t, err, "held by another process")
	_, err = Start(context.Background(), Config{DataDir: t.TempDir(), HTTPAddr: "0.0.0.0:0", RESPAddr: respOff})
	require.ErrorContains(t, err, "--insecure-no-auth")
}

func TestShutdownCommandEndsTheServer(t *testing.T) {
	s := run(t, Config{})
	rdb := redis.NewClient(&redis.Options{Addr: s.RESPAddr(), MaxRetries: -1})
	defer rdb.Close()
	_ = rdb.Shutdown(context.Background())
	select {
	case <-s.Stopped():
	case <-time.After(10 * time.Second):
		t.Fatal("the server does not want to end")
	}
}

func TestLoadingIsAnsweredUntilTheDatabaseIsOpen(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	ld := startLoader(l)
	nc, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer nc.Close()
	in := bufio.NewReader(nc)
	for range 2 {
		_, err = fmt.Fprint(nc, "*1\r\n$4\r\nPING\r\n")
		require.NoError(t, err)
		line, err := in.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, loadingReply, line)
	}
	ld.stop()
	_, err = in.ReadByte()
	require.Error(t, err)
	accepted := make(chan error, 1)
	go func() {
		nc, err := l.Accept()
		if err == nil {
			err = nc.Close()
		}
		accepted <- err
	}()
	again, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer again.Close()
	require.NoError(t, <-accepted, "the listener goes on")
}

func TestHeaderFlood(t *testing.T) {
	s := run(t, Config{})
	nc, err := net.Dial("tcp", s.HTTPAddr())
	require.NoError(t, err)
	defer nc.Close()
	go func() {
		_, _ = fmt.Fprint(nc, "GET / HTTP/1.1\r\nHost: x\r\n")
		for i := range 100_000 {
			if _, err := fmt.Fprintf(nc, "X-%d: %s\r\n", i, strings.Repeat("y", 100)); err != nil {
				return
			}
		}
	}()
	require.NoError(t, nc.SetReadDeadline(time.Now().Add(10*time.Second)))
	line, err := bufio.NewReader(nc).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "431")
}

func TestConnectionsBeyondTheLimitAreTold(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ConnState = limitConns(2)
	srv.Start()
	defer srv.Close()
	for range 2 {
		nc, err := net.Dial("tcp", srv.Listener.Addr().String())
		require.NoError(t, err)
		defer nc.Close()
	}
	nc, err := net.Dial("tcp", srv.Listener.Addr().String())
	require.NoError(t, err)
	defer nc.Close()
	line, err := bufio.NewReader(nc).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "503")
}
