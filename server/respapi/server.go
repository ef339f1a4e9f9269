package respapi

import (
	"cmp"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/engine/keyspace"
	"github.com/isobath/isobath/server/service"
)

const (
	drainTime   = 5 * time.Second        // for unsent replies when the server stops
	stallTime   = 5 * time.Second        // without progress of an overfull connection
	acceptPause = 20 * time.Millisecond  // after a failed accept
	refuseTime  = 100 * time.Millisecond // to tell a client that it is one too many
)

// Options of a Server.
type Options struct {
	Keys *keyspace.Space // required
	// Auth judges passwords; nil means that none is needed.
	Auth Authorizer
	// Config holds start values of CONFIG parameters by name (resp.md 16).
	Config map[string]string
	// Shutdown is called by SHUTDOWN; it must begin a graceful stop and return at once. nil
	// means that SHUTDOWN is refused.
	Shutdown func()
	// NodeID is what CLUSTER MYID shows, 40 hex digits; by default made from the host's name
	// and the data directory's configuration.
	NodeID string
	Log    *slog.Logger // nil: nothing is logged

	commandTime, authTime, stall time.Duration // tests
	queryBytes                   int           // tests
}

// Server serves RESP connections. It is safe for concurrent use.
type Server struct {
	keys     *keyspace.Space
	engine   *engine.DB
	auth     gate
	config   *configStore
	table    *table
	shutdown func()
	nodeID   string
	log      *slog.Logger
	started  time.Time

	commandTime, authTime, stall time.Duration
	queryBytes                   int // documents that one query holds

	stats    serverStats
	search   searchStats
	broker   broker
	slow     slowLog
	ft       ftState
	pause    pauser
	stopping atomic.Bool
	saving   atomic.Bool
	nextID   atomic.Int64
	lastSave atomic.Int64 // unix seconds of the last SAVE, BGSAVE or start
	running  sync.WaitGroup

	mu    sync.Mutex
	conns map[int64]*conn
}

// New returns a Server that serves nothing yet.
func New(o Options) (*Server, error) {
	if o.Keys == nil {
		return nil, errors.New("respapi: Options.Keys is required")
	}
	cfg, err := newConfig(o.Config)
	if err != nil {
		return nil, err
	}
	s := &Server{
		keys: o.Keys, engine: o.Keys.DB(), auth: newGate(o.Auth), config: cfg, table: newTable(), shutdown: o.Shutdown,
		nodeID: cmp.Or(o.NodeID, defaultNodeID(cfg)), log: o.Log, started: time.Now(), conns: map[int64]*conn{},
		commandTime: cmp.Or(o.commandTime, commandTime), authTime: cmp.Or(o.authTime, authTime),
		stall: cmp.Or(o.stall, stallTime), queryBytes: cmp.Or(o.queryBytes, maxQueryBytes),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.slow.config = cfg
	s.lastSave.Store(s.started.Unix())
	return s, nil
}

func defaultNodeID(cfg *configStore) string {
	host, _ := os.Hostname()
	sum := sha1.Sum(fmt.Appendf(nil, "%s %s %s", host, cfg.String("dir"), cfg.String("port")))
	return hex.EncodeToString(sum[:])
}

// Serve accepts connections until ctx is done or the listener fails, then lets running
// commands finish and closes all connections. It may be called for several listeners.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			s.accept(nc)
		case ctx.Err() != nil:
			s.drain()
			return nil
		case errors.Is(err, net.ErrClosed):
			s.drain()
			return fmt.Errorf("respapi: accept: %w", err)
		default:
			s.log.Warn("accept failed", "err", err)
			time.Sleep(acceptPause)
		}
	}
}

func (s *Server) accept(nc net.Conn) {
	s.stats.connections.Add(1)
	s.mu.Lock()
	if len(s.conns) >= s.config.Int("maxclients") || s.stopping.Load() {
		s.mu.Unlock()
		s.stats.refused.Add(1)
		s.running.Go(func() {
			_ = nc.SetWriteDeadline(time.Now().Add(lingerTime))
			_, _ = nc.Write(errorLine(errMaxClients))
			lingerClose(nc)
		})
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	cn := newConn(s, s.nextID.Add(1), nc, cancel)
	s.conns[cn.id] = cn
	s.running.Add(1)
	s.mu.Unlock()
	go func() {
		defer s.running.Done()
		cn.serve(ctx)
		s.mu.Lock()
		delete(s.conns, cn.id)
		s.mu.Unlock()
	}()
}

// drain ends all connections after the command they are at and waits for them.
func (s *Server) drain() {
	s.stopping.Store(true)
	s.pause.end()
	for _, cn := range s.clients() {
		_ = cn.nc.SetReadDeadline(time.Now())
		_ = cn.nc.SetWriteDeadline(time.Now().Add(drainTime))
	}
	timer := time.AfterFunc(drainTime, func() {
		for _, cn := range s.clients() {
			cn.kill()
		}
	})
	defer timer.Stop()
	s.running.Wait()
}

// clients returns the connections in order of their ids.
func (s *Server) clients() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.conns), func(a, b *conn) int { return cmp.Compare(a.id, b.id) })
}

// Role is what a connection may do: RoleNone must authenticate first, RoleRead may run @read
// and @connection commands.
type Role = service.Role

// Authorizer judges a password; *service.Service. The empty password stands for a connection
// that has not authenticated.
type Authorizer interface {
	AuthorizePassword(password string) (Role, error)
}

// gate is an Authorizer that may be absent.
type gate struct {
	auth      Authorizer
	anonymous Role // without a password
}

func newGate(a Authorizer) gate {
	if a == nil {
		return gate{anonymous: service.RoleAll}
	}
	r, err := a.AuthorizePassword("")
	if err != nil {
		r = service.RoleNone
	}
	return gate{a, r}
}

// required says whether a connection must authenticate.
func (g gate) required() bool { return g.anonymous == service.RoleNone }

// login returns the role that user and password give.
func (g gate) login(user, password string) (Role, error) {
	if user != "default" {
		return service.RoleNone, errWrongPass
	}
	if !g.required() {
		return g.anonymous, nil
	}
	r, err := g.auth.AuthorizePassword(password)
	if err != nil || r == service.RoleNone {
		return service.RoleNone, errWrongPass
	}
	return r, nil
}
