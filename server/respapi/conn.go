package respapi

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/engine/keyspace"
	"github.com/isobath/isobath/server/resp"
	"github.com/isobath/isobath/server/service"
)

// Limits before authentication, where a password is required (reliability.md 6.3).
var preAuthLimits = resp.Limits{Args: 10, BulkBytes: 16 << 10, CommandBytes: 16 << 10, InlineBytes: 16 << 10}

// conn is one client. The fields up to info belong to the goroutine that executes.
type conn struct {
	srv    *Server
	id     int64
	nc     net.Conn
	source *source
	reader *resp.Reader
	out    *outbox
	w      *resp.Writer // the reply being made
	cancel context.CancelFunc

	db      int
	role    Role
	multi   *transaction // between MULTI and EXEC
	watch   keyspace.Watch
	subs    subscriptions
	last    *engine.Ticket // newest own write nobody waited for
	quit    bool           // close when the replies are out
	silent  bool           // CLIENT REPLY OFF
	skip    int            // CLIENT REPLY SKIP: replies to leave out
	linger  bool           // bytes are left unread: a plain close could destroy the last reply
	created time.Time
	addr    string
	laddr   string

	active atomic.Int64 // unix nanoseconds of the last command
	cmd    atomic.Pointer[command]
	killed atomic.Bool
	info   connInfo
}

// connInfo is what CLIENT LIST shows of a connection, guarded by mu.
type connInfo struct {
	mu              sync.Mutex
	name            string
	libName, libVer string
	user            string
	db, resp, multi int
	watching        int
	subs            [topicKinds]int
}

func newConn(s *Server, id int64, nc net.Conn, cancel context.CancelFunc) *conn {
	cn := &conn{srv: s, id: id, nc: nc, cancel: cancel, out: newOutbox(nc, s.stall), w: resp.NewWriter(),
		created: time.Now(), addr: nc.RemoteAddr().String(), laddr: nc.LocalAddr().String()}
	cn.source = &source{nc: nc, out: cn.out, idle: cn.idleTime, command: s.commandTime, stopping: s.stopping.Load}
	cn.reader = resp.NewReader(cn.source, resp.Limits{})
	cn.source.reader = cn.reader
	cn.info.user, cn.info.resp, cn.info.multi = "default", 2, -1
	cn.active.Store(cn.created.UnixNano())
	if s.auth.required() {
		cn.source.mustAuth = cn.created.Add(s.authTime)
	}
	cn.login(s.auth.anonymous)
	return cn
}

// idleTime is how long the client may be silent; one that listens may be so for ever.
func (cn *conn) idleTime() time.Duration {
	if cn.subs.any() {
		return 0
	}
	return time.Duration(cn.srv.config.Int("timeout")) * time.Second
}

// login gives the connection the rights of a role.
func (cn *conn) login(r Role) {
	cn.role = r
	if r == service.RoleNone {
		cn.reader.SetLimits(preAuthLimits)
		return
	}
	cn.source.mustAuth = time.Time{}
	cn.setLimits()
}

func (cn *conn) setLimits() {
	cn.reader.SetLimits(resp.Limits{BulkBytes: cn.srv.config.Int("proto-max-bulk-len")})
}

// serve runs the connection until either side ends it.
func (cn *conn) serve(ctx context.Context) {
	var writer sync.WaitGroup
	writer.Go(func() {
		if cn.out.run(ctx) != nil {
			cn.cancel()
		}
		if cn.linger {
			lingerClose(cn.nc)
		}
		_ = cn.nc.Close() // wakes the reader
	})
	cn.readCommands(ctx)
	cn.out.close()
	if cn.srv.stopping.Load() {
		_ = cn.nc.SetWriteDeadline(time.Now().Add(drainTime))
	}
	writer.Wait()
	cn.cancel()
	cn.watch.Clear()
	cn.srv.broker.leave(cn)
}

func (cn *conn) readCommands(ctx context.Context) {
	for !cn.quit {
		args, err := cn.reader.ReadCommand()
		if err != nil {
			var bad *resp.ProtocolError
			if errors.As(err, &bad) {
				cn.out.put(errorLine(replyError("ERR "+bad.Error())), nil)
				cn.srv.stats.protocolErrors.Add(1)
				cn.linger = true
			}
			return
		}
		cn.source.next()
		if err := cn.out.admit(ctx); err != nil {
			if errors.Is(err, errUnread) {
				cn.srv.log.Warn("connection closed: replies are not read", "client", cn.addr)
				cn.kill()
			}
			return
		}
		cn.execute(ctx, args)
	}
}

const (
	lingerTime  = 200 * time.Millisecond
	lingerBytes = 1 << 20
)

// lingerClose ends the sending side and takes what still arrives for a moment: closing with
// unread bytes makes the system reset the connection, and the client may miss the last reply.
func lingerClose(nc net.Conn) {
	if w, ok := nc.(interface{ CloseWrite() error }); ok && w.CloseWrite() == nil {
		_ = nc.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.CopyN(io.Discard, nc, lingerBytes)
	}
	_ = nc.Close()
}

// execute runs one command and queues its reply.
func (cn *conn) execute(ctx context.Context, args [][]byte) {
	cn.w.Reset(keepBytes)
	c := &call{ctx: ctx, srv: cn.srv, conn: cn, args: args, db: cn.db, w: cn.w}
	if err := cn.dispatch(c); err != nil {
		cn.w.Truncate(0)
		cn.fail(c, err)
	}
	if cn.silent || cn.skip > 0 {
		cn.skip = max(0, cn.skip-1)
		return
	}
	var t waiter
	if c.ticket != nil && !c.ticket.Done() {
		t = c.ticket
	}
	if cn.out.put(cn.w.Bytes(), t) {
		cn.out.flush()
	}
}

func (cn *conn) fail(c *call, err error) {
	text := errorText(err)
	cn.w.Error(text)
	cn.srv.stats.countError(text)
	if c.cmd == nil {
		cn.srv.stats.rejected.Add(1)
	}
}

// dispatch finds the command and decides whether it runs now, waits for EXEC, or not at all.
func (cn *conn) dispatch(c *call) error {
	cmd, err := cn.srv.table.find(c.args)
	if cn.role == service.RoleNone && (err != nil || cmd.flags&flagNoAuth == 0) {
		return errNoAuth
	}
	if err == nil {
		err = cn.allow(cmd)
	}
	if err != nil {
		if cn.multi != nil {
			cn.multi.failed = true
		}
		return err
	}
	if cn.subscribed() && !inSubscribedMode[cmd.name] {
		return errSubscribedMode(cmd.name)
	}
	cn.cmd.Store(cmd)
	c.cmd = cmd
	if cn.multi != nil && !endsMulti[cmd.name] {
		return cn.multi.queue(c)
	}
	if err := cn.srv.pause.wait(c); err != nil {
		return err
	}
	return c.timed(cmd)
}

// allow checks the role of the connection.
func (cn *conn) allow(cmd *command) error {
	if cn.role == service.RoleAll || cn.role == service.RoleNone || cmd.readOnly() {
		return nil
	}
	cn.srv.stats.denied.Add(1)
	return errNoPerm(cmd.name)
}

// timed runs the command and counts it.
func (c *call) timed(cmd *command) error {
	start := time.Now()
	if cmd.flags&flagOutside != 0 {
		defer c.conn.watchDisconnect()()
	}
	err := c.guarded(cmd)
	took := time.Since(start)
	c.conn.active.Store(start.UnixNano())
	cmd.stats.add(took, err != nil)
	c.srv.stats.commands.Add(1)
	c.srv.slow.observe(c, start, took)
	return err
}

// guarded turns a panic of a command into an error reply and the end of the connection: one
// client's request must not end the others.
func (c *call) guarded(cmd *command) (err error) {
	if c.tx != nil {
		return cmd.run(c) // the EXEC as a whole is guarded
	}
	defer func() {
		if r := recover(); r != nil {
			c.srv.log.Error("command panicked", "command", cmd.name, "panic", r, "stack", string(debug.Stack()))
			c.conn.quit = true
			err = errInternal
		}
	}()
	return cmd.run(c)
}

// selectDB changes the logical database.
func (cn *conn) selectDB(n int) {
	cn.db = n
	cn.set(func(in *connInfo) { in.db = n })
}

// set changes what CLIENT LIST shows.
func (cn *conn) set(fn func(in *connInfo)) {
	cn.info.mu.Lock()
	defer cn.info.mu.Unlock()
	fn(&cn.info)
}

// kill ends the connection from outside, at once.
func (cn *conn) kill() {
	cn.killed.Store(true)
	cn.cancel()
	_ = cn.nc.Close()
}
