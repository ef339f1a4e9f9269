package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"net"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/engine/keyspace"
	"github.com/isobath/isobath/internal/nice"
	"github.com/isobath/isobath/internal/vfs"
	"github.com/isobath/isobath/server/httpapi"
	"github.com/isobath/isobath/server/respapi"
	"github.com/isobath/isobath/server/service"
)

// Time limits of HTTP connections; httpapi gives each body its own.
const (
	headerTime     = 10 * time.Second
	idleTime       = 2 * time.Minute
	maxHeaderBytes = 64 << 10
	drainTime      = 30 * time.Second // of Run
	warnEvery      = time.Minute
	maxConns       = 10_000 // of HTTP
)

// Server is a running server. Close may be called at any time and more than once.
type Server struct {
	cfg  Config
	log  *slog.Logger
	svc  *service.Service
	db   *engine.DB
	keys *keyspace.Space

	httpListener, respListener net.Listener
	http                       *http.Server
	serving                    sync.WaitGroup
	stopRESP                   context.CancelFunc

	stop     chan struct{} // closed when somebody asks the server to end
	stopOnce sync.Once
	failed   error // why, written before stop is closed

	closing  sync.Once
	closeErr error
}

// Start binds the listeners, then opens the database, and returns when queries are served.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: cfg.Log, stop: make(chan struct{})}
	if err := s.listen(); err != nil {
		return nil, err
	}
	limitHeap(cfg.MemoryLimit)
	s.serving.Go(func() { newHeap().tend(s.stop) })
	addProcessors(cfg.workers())
	if err := nice.Check(); err != nil {
		s.log.Warn("graphs are built at the priority of requests", "err", err)
	}
	s.svc = service.New(service.Options{
		APIKey: cfg.APIKey, AltAPIKey: cfg.AltAPIKey, ReadOnlyAPIKey: cfg.ReadOnlyAPIKey, Password: cfg.Password,
		Log: cfg.Log,
	})
	s.serveHTTP()
	var loading *loader
	if s.respListener != nil {
		loading = startLoader(s.respListener)
	}
	err := s.open()
	if loading != nil {
		loading.stop()
	}
	if err == nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err == nil {
		err = s.serveRESP()
	}
	if err != nil {
		return nil, errors.Join(err, s.Close(context.WithoutCancel(ctx)))
	}
	s.svc.Attach(s.db)
	s.serving.Add(1)
	go s.warn()
	return s, nil
}

func (s *Server) listen() (err error) {
	if s.httpListener, err = listen(s.cfg.HTTPAddr, "--http-addr"); err != nil {
		return err
	}
	s.httpListener = sparing(s.httpListener, refusalHTTP, s.log)
	if s.cfg.RESPAddr == respOff {
		return nil
	}
	if s.respListener, err = listen(s.cfg.RESPAddr, "--resp-addr"); err != nil {
		_ = s.httpListener.Close()
		return err
	}
	s.respListener = sparing(s.respListener, refusalRESP, s.log)
	return nil
}

// listen binds an address; the error says which flag chooses another.
func listen(addr, flag string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("server: %s is in use by another program: choose another address with %s", addr, flag)
	case err != nil:
		return nil, fmt.Errorf("server: %s %s: %w", flag, addr, err)
	}
	return l, nil
}

// What a client reads whose connection would take a descriptor that files need.
const (
	refusalHTTP = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
	refusalRESP = "-ERR max number of clients reached\r\n"
)

func (s *Server) serveHTTP() {
	h := httpapi.New(s.svc, httpapi.Options{
		Defaults: s.cfg.Defaults, MaxBodyBytes: s.cfg.MaxBodyBytes, AnyOrigin: s.cfg.EnableCORS, Version: s.cfg.Version, Log: s.log,
	})
	s.http = &http.Server{
		Handler: h, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), ConnState: limitConns(maxConns),
	}
	s.serving.Add(1)
	go func() {
		defer s.serving.Done()
		if err := s.http.Serve(s.httpListener); !errors.Is(err, http.ErrServerClosed) {
			s.end(fmt.Errorf("server: http: %w", err))
		}
	}()
	s.log.Info("listening", "protocol", "http", "addr", s.HTTPAddr())
}

// limitConns refuses connections beyond a number of open ones.
func limitConns(most int64) func(net.Conn, http.ConnState) {
	var open atomic.Int64
	return func(nc net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			if open.Add(1) > most {
				_ = nc.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
				_, _ = nc.Write([]byte("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
				_ = nc.Close()
			}
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		}
	}
}

func (s *Server) open() error {
	workers := s.cfg.workers()
	o := engine.Options{Log: s.log, Workers: workers, StoreBytes: storeBytes(s.cfg.MemoryLimit),
		Busy: func(busy bool) { schedule.report(workers, busy) }}
	if s.cfg.MemoryLimit != math.MaxInt64 {
		o.MemoryLimit = s.cfg.MemoryLimit
	}
	db, err := engine.Open(s.cfg.DataDir, o)
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	s.db = db
	s.keys = keyspace.New(db, keyspace.Options{Databases: s.cfg.Databases, Log: s.log})
	return nil
}

func (s *Server) serveRESP() error {
	if s.respListener == nil {
		return nil
	}
	node, err := nodeID(s.cfg.DataDir)
	if err != nil {
		return err
	}
	host, port, _ := net.SplitHostPort(s.RESPAddr())
	params := map[string]string{
		"port": port, "bind": host, "dir": s.cfg.DataDir, "databases": strconv.Itoa(s.cfg.Databases),
		"maxmemory": strconv.FormatInt(s.cfg.MemoryLimit, 10),
	}
	for name, value := range s.cfg.RESP {
		params[name] = value
	}
	srv, err := respapi.New(respapi.Options{
		Keys: s.keys, Auth: s.svc, Config: params, NodeID: node, Log: s.log,
		Shutdown: func() { s.end(nil) },
	})
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stopRESP = cancel
	s.serving.Add(1)
	go func() {
		defer s.serving.Done()
		if err := srv.Serve(ctx, s.respListener); err != nil {
			s.end(fmt.Errorf("server: resp: %w", err))
		}
	}()
	s.log.Info("listening", "protocol", "resp", "addr", s.RESPAddr())
	return nil
}

var nodePattern = regexp.MustCompile(`^[0-9a-f]{40}$`)

// nodeID returns the name of this node, which is made once for each data directory.
func nodeID(dir string) (string, error) {
	name := path.Join(dir, "node-id")
	raw, err := vfs.ReadFile(vfs.OS, name)
	if id := strings.TrimSpace(string(raw)); err == nil && nodePattern.MatchString(id) {
		return id, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("server: node id: %w", err)
	}
	var b [20]byte
	_, _ = rand.Read(b[:]) // never fails
	id := hex.EncodeToString(b[:])
	if err := vfs.WriteFile(vfs.OS, name, []byte(id+"\n")); err != nil {
		return "", fmt.Errorf("server: node id: %w", err)
	}
	return id, nil
}

// warn says every minute that everyone is served, where that is so.
func (s *Server) warn() {
	defer s.serving.Done()
	httpLocal, _ := loopback(s.HTTPAddr())
	respLocal, _ := loopback(s.RESPAddr())
	if httpLocal && (respLocal || s.respListener == nil) {
		return
	}
	if s.svc.AuthRequired() {
		s.log.Warn("keys travel in clear text to an address that other machines reach; put a TLS proxy before it")
		return
	}
	for tick := time.NewTicker(warnEvery); ; {
		s.log.Warn("serving everyone without a key, as --insecure-no-auth asked")
		select {
		case <-tick.C:
		case <-s.stop:
			tick.Stop()
			return
		}
	}
}

// HTTPAddr returns the address that HTTP is served on.
func (s *Server) HTTPAddr() string { return s.httpListener.Addr().String() }

// RESPAddr returns the address that RESP is served on, "" when it is not.
func (s *Server) RESPAddr() string {
	if s.respListener == nil {
		return ""
	}
	return s.respListener.Addr().String()
}

// Stopped is closed when the server wants to end: SHUTDOWN was called, or a listener failed.
func (s *Server) Stopped() <-chan struct{} { return s.stop }

// end asks for the end of the server.
func (s *Server) end(why error) {
	s.stopOnce.Do(func() {
		s.failed = why
		close(s.stop)
	})
}

// Close stops accepting, lets running requests finish until ctx is done, then checkpoints and
// closes the database. It returns why a listener failed, too.
func (s *Server) Close(ctx context.Context) error {
	s.closing.Do(func() {
		s.end(nil)
		var errs []error
		if err := s.http.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("server: requests were cut off: %w", err), s.http.Close())
		}
		if s.stopRESP != nil {
			s.stopRESP()
		} else if s.respListener != nil {
			_ = s.respListener.Close()
		}
		s.serving.Wait()
		s.svc.Detach()
		if s.keys != nil {
			s.keys.Close()
		}
		if s.db != nil {
			errs = append(errs, s.db.Close())
		}
		s.closeErr = errors.Join(append(errs, s.failed)...)
	})
	return s.closeErr
}

// Run starts a server and serves until ctx is done or the server ends by itself.
func Run(ctx context.Context, cfg Config) error {
	s, err := Start(ctx, cfg)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-s.Stopped():
	}
	s.log.Info("closing")
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	return s.Close(drain)
}
