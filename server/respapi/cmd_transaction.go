package respapi

import (
	"cmp"
	"errors"
	"slices"

	"github.com/isobath/isobath/engine/keyspace"
	"github.com/isobath/isobath/server/resp"
)

const txFlags = flagNoScript | flagLoading | flagStale | flagFast

var transactionCommands = []command{
	{name: "multi", arity: 1, flags: txFlags, cats: "@transaction", group: "transactions", since: "1.2.0",
		summary: "Starts a transaction.", run: cmdMulti},
	{name: "exec", arity: 1, flags: flagNoScript | flagLoading | flagStale, cats: "@transaction", group: "transactions", since: "1.2.0",
		summary: "Executes all commands in a transaction.", run: cmdExec},
	{name: "discard", arity: 1, flags: txFlags, cats: "@transaction", group: "transactions", since: "2.0.0",
		summary: "Discards a transaction.", run: cmdDiscard},
	{name: "watch", arity: -2, flags: txFlags, cats: "@transaction", keys: allKeys, group: "transactions", since: "2.2.0",
		summary: "Monitors changes to keys to determine the execution of a transaction.", run: cmdWatch},
	{name: "unwatch", arity: 1, flags: txFlags, cats: "@transaction", group: "transactions", since: "2.2.0",
		summary: "Forgets about watched keys of a transaction.", run: cmdUnwatch},
}

// endsMulti are the commands that run at once between MULTI and EXEC.
var endsMulti = map[string]bool{"exec": true, "discard": true, "multi": true, "watch": true, "quit": true, "reset": true}

// execBytes bounds the arguments queued in one transaction.
const execBytes = 512 << 20

// transaction is what a connection queued since MULTI.
type transaction struct {
	queued []queuedCall
	bytes  int
	failed bool // a command was refused: EXEC will be too
}

type queuedCall struct {
	cmd  *command
	args [][]byte
}

func (t *transaction) queue(c *call) error {
	if c.cmd.flags&flagNoMulti != 0 {
		t.failed = true
		return errInMulti
	}
	for _, a := range c.args {
		t.bytes += len(a)
	}
	if t.bytes > execBytes {
		t.failed, t.queued = true, nil
		return errExecBytes
	}
	t.queued = append(t.queued, queuedCall{c.cmd, c.args})
	n := len(t.queued)
	c.conn.set(func(in *connInfo) { in.multi = n })
	c.w.SimpleString("QUEUED")
	return nil
}

func cmdMulti(c *call) error {
	if c.conn.multi != nil {
		return errNestedMulti
	}
	c.conn.multi = &transaction{}
	c.conn.set(func(in *connInfo) { in.multi = 0 })
	c.w.SimpleString("OK")
	return nil
}

func cmdDiscard(c *call) error {
	if c.conn.multi == nil {
		return replyError("ERR DISCARD without MULTI")
	}
	c.conn.endMulti()
	c.w.SimpleString("OK")
	return nil
}

// endMulti forgets the transaction and the watched keys.
func (cn *conn) endMulti() {
	cn.multi = nil
	cn.unwatch()
	cn.set(func(in *connInfo) { in.multi = -1 })
}

func (cn *conn) unwatch() {
	cn.watch.Clear()
	cn.set(func(in *connInfo) { in.watching = 0 })
}

func cmdWatch(c *call) error {
	if c.conn.multi != nil {
		return errWatchInMulti
	}
	t, err := c.srv.keys.Watch(&c.conn.watch, c.db, c.args[1:]...)
	if err != nil {
		return err
	}
	c.ticket, c.conn.last = t, t
	c.conn.set(func(in *connInfo) { in.watching += len(c.args) - 1 })
	c.w.SimpleString("OK")
	return nil
}

func cmdUnwatch(c *call) error {
	c.conn.unwatch()
	c.w.SimpleString("OK")
	return nil
}

var errWatched = errors.New("respapi: a watched key was changed")

func cmdExec(c *call) error {
	t := c.conn.multi
	if t == nil {
		return replyError("ERR EXEC without MULTI")
	}
	defer c.conn.endMulti()
	if t.failed {
		return errExecAbort
	}
	run := &execution{call: c, replies: make([][]byte, len(t.queued)), w: resp.NewWriter()}
	run.w.SetProtocol(c.w.Protocol())
	if slices.ContainsFunc(t.queued, func(q queuedCall) bool { return q.cmd.flags&flagKeyList != 0 }) {
		if err := c.sync(); err != nil {
			return err
		}
		run.before = c.srv.keys.View(c.db)
		defer run.before.Close()
	}
	err := c.update(func(tx *keyspace.Tx) error {
		if broken, err := tx.Broken(&c.conn.watch); err != nil || broken {
			return cmp.Or(err, errWatched)
		}
		return run.commands(tx, t.queued)
	})
	if err != nil {
		c.conn.selectDB(c.db)
	}
	if errors.Is(err, errWatched) {
		c.w.NullArray()
		return nil
	}
	if err != nil {
		return err
	}
	if err := run.outside(t.queued); err != nil {
		return err
	}
	c.w.Array(len(run.replies))
	for _, r := range run.replies {
		c.w.Raw(r)
	}
	return nil
}

// execution is an EXEC at work.
type execution struct {
	call    *call
	w       *resp.Writer
	replies [][]byte
	db      int   // database selected so far
	dbs     []int // database of each command

	before *keyspace.View // what was published before, if a command lists keys
	places map[int]*place // of these commands
}

// place is where a command stands in an EXEC: what it sees is a view from before it and the writes up to the moment.
type place struct {
	view   *keyspace.View
	moment keyspace.Moment
}

// commands runs what belongs into the record.
func (x *execution) commands(tx *keyspace.Tx, queued []queuedCall) error {
	x.db, x.dbs, x.places = x.call.db, x.dbs[:0], map[int]*place{}
	for i, q := range queued {
		x.dbs = append(x.dbs, x.db)
		if err := tx.Use(x.db); err != nil {
			return err
		}
		if q.cmd.flags&flagKeyList != 0 {
			x.places[i] = &place{x.before, tx.Moment()}
		}
		if q.cmd.flags&flagOutside != 0 {
			continue
		}
		x.replies[i] = x.run(q, tx, nil)
		x.db = x.call.conn.db
	}
	return nil
}

// outside runs, after the publication, what needs a published state.
func (x *execution) outside(queued []queuedCall) error {
	for i, q := range queued {
		if q.cmd.flags&flagOutside == 0 {
			continue
		}
		if err := x.call.sync(); err != nil {
			return err
		}
		x.db = x.dbs[i]
		x.replies[i] = x.run(q, nil, x.places[i])
	}
	return nil
}

func (x *execution) run(q queuedCall, tx *keyspace.Tx, at *place) []byte {
	x.w.Reset(keepBytes)
	c := &call{ctx: x.call.ctx, srv: x.call.srv, conn: x.call.conn, cmd: q.cmd, args: q.args, db: x.db, w: x.w, tx: tx, place: at}
	if err := c.timed(q.cmd); err != nil {
		text := errorText(err)
		x.w.Truncate(0)
		x.w.Error(text)
		c.srv.stats.countError(text)
	}
	if c.ticket != nil { // a write outside the record, such as FT.CREATE
		x.call.ticket = c.ticket
	}
	x.w.SetProtocol(x.call.conn.w.Protocol()) // after HELLO
	return append([]byte(nil), x.w.Bytes()...)
}
