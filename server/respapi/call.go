package respapi

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/engine/keyspace"
	"github.com/isobath/isobath/server/resp"
)

// call is one command being executed. It belongs to the goroutine of its connection.
type call struct {
	ctx  context.Context // ends with the connection
	srv  *Server
	conn *conn
	cmd  *command
	args [][]byte // args[0] is the name as the client wrote it
	db   int
	w    *resp.Writer

	tx     *keyspace.Tx // inside EXEC
	place  *place       // inside EXEC, of a command that lists keys
	ticket *engine.Ticket
}

// sync waits until this connection's own earlier writes are published.
func (c *call) sync() error {
	if c.conn.last == nil {
		return nil
	}
	t := c.conn.last
	c.conn.last = nil
	if t.Done() {
		return nil
	}
	c.conn.out.flush()
	_ = t.Wait(c.ctx) // a failed write is told by its own reply; reads go on
	return c.ctx.Err()
}

// read runs fn on the state that this command may see: the transaction, or a view that holds
// all earlier writes of this connection and all acknowledged ones of others.
func (c *call) read(fn func(r keyspace.Reader) error) error {
	if c.tx != nil {
		return fn(c.tx)
	}
	return c.view(func(v *keyspace.View) error { return fn(v) })
}

// view is read for what only a published state can do; not inside EXEC.
func (c *call) view(fn func(v *keyspace.View) error) error {
	if err := c.sync(); err != nil {
		return err
	}
	v := c.srv.keys.View(c.db)
	defer v.Close()
	return fn(v)
}

// keyList runs fn on the keys of the database in use.
func (c *call) keyList(fn func(l *keyspace.KeyList) error) error {
	if c.place != nil {
		l := c.place.view.At(c.place.moment)
		return fn(&l)
	}
	return c.view(func(v *keyspace.View) error { return fn(&v.KeyList) })
}

// update runs fn in the sequencer, or inside the transaction. The reply is held back until
// the write is published; the caller does not wait.
func (c *call) update(fn func(tx *keyspace.Tx) error) error {
	if c.tx != nil {
		return fn(c.tx)
	}
	t, err := c.srv.keys.Update(c.db, fn)
	if err != nil {
		return err
	}
	c.ticket = t
	c.conn.last = t
	return nil
}

// now is the moment of this command.
func (c *call) now() time.Time {
	if c.tx != nil {
		return c.tx.Now()
	}
	return time.Now()
}

// parseInt reads a decimal 64-bit integer as strictly as clients expect: no sign but '-', no
// spaces, no leading zeros.
func parseInt(b []byte) (int64, error) {
	if len(b) == 0 || len(b) > 20 || b[0] == '+' || len(b) > 1 && b[0] == '0' || len(b) > 1 && b[0] == '-' && b[1] == '0' {
		return 0, errNotInteger
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return 0, errNotInteger
	}
	return n, nil
}

func parseFloat(b []byte) (float64, error) {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || f != f || strings.ContainsAny(string(b), "_xXpP") {
		return 0, errNotFloat
	}
	return f, nil
}

func errorLine(err error) []byte {
	w := resp.NewWriter()
	w.Error(errorText(err))
	return w.Bytes()
}
