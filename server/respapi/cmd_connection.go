package respapi

import (
	"github.com/isobath/isobath/server/resp"
	"github.com/isobath/isobath/server/service"
)

const connFlags = flagNoScript | flagLoading | flagStale | flagFast

var connectionCommands = []command{
	{name: "auth", arity: -2, flags: connFlags | flagNoAuth, cats: "@connection", group: "connection", since: "1.0.0", summary: "Authenticates the connection.", run: cmdAuth},
	{name: "hello", arity: -1, flags: connFlags | flagNoAuth, cats: "@connection", group: "connection", since: "6.0.0", summary: "Handshakes with the server.", run: cmdHello},
	{name: "ping", arity: -1, flags: flagFast | flagNoAuth, cats: "@connection", group: "connection", since: "1.0.0", summary: "Returns the server's liveliness response.", run: cmdPing},
	{name: "echo", arity: 2, flags: flagLoading | flagStale | flagFast, cats: "@connection", group: "connection", since: "1.0.0", summary: "Returns the given string.", run: cmdEcho},
	{name: "quit", arity: -1, flags: connFlags | flagNoAuth, cats: "@connection", group: "connection", since: "1.0.0", summary: "Closes the connection.", run: cmdQuit},
	{name: "reset", arity: 1, flags: connFlags, cats: "@connection", group: "connection", since: "6.2.0", summary: "Resets the connection.", run: cmdReset},
	{name: "select", arity: 2, flags: flagLoading | flagStale | flagFast, cats: "@connection", group: "connection", since: "1.0.0", summary: "Changes the selected database.", run: cmdSelect},
}

func cmdPing(c *call) error {
	if c.conn.subscribed() && len(c.args) < 3 {
		c.w.Array(2)
		c.w.BulkString("pong")
		c.w.Bulk(append([][]byte{nil}, c.args[1:]...)[len(c.args)-1])
		return nil
	}
	switch len(c.args) {
	case 1:
		c.w.SimpleString("PONG")
	case 2:
		c.w.Bulk(c.args[1])
	default:
		return errArity("ping")
	}
	return nil
}

func cmdEcho(c *call) error {
	c.w.Bulk(c.args[1])
	return nil
}

func cmdQuit(c *call) error {
	c.conn.quit = true
	c.w.SimpleString("OK")
	return nil
}

func cmdReset(c *call) error {
	cn := c.conn
	cn.endMulti()
	c.srv.broker.leave(cn)
	cn.showSubscriptions()
	cn.silent, cn.skip = false, 0
	cn.selectDB(0)
	cn.w.SetProtocol(2)
	cn.set(func(in *connInfo) { in.resp, in.name, in.user = 2, "", "default" })
	cn.login(c.srv.auth.anonymous)
	c.w.SimpleString("RESET")
	return nil
}

func cmdSelect(c *call) error {
	n, err := c.parseDB(c.args[1])
	if err != nil {
		return err
	}
	c.conn.selectDB(n)
	c.w.SimpleString("OK")
	return nil
}

func cmdAuth(c *call) error {
	user, password := "default", c.args[1]
	switch len(c.args) {
	case 2:
		if !c.srv.auth.required() {
			return errNoPassword
		}
	case 3:
		user, password = string(c.args[1]), c.args[2]
	default:
		return errSyntax
	}
	return c.ok(c.login(user, password))
}

// login gives the connection the role of user and password.
func (c *call) login(user string, password []byte) error {
	role, err := c.srv.auth.login(user, string(password))
	if err != nil {
		c.srv.stats.authFailures.Add(1)
		c.srv.log.Warn("authentication failed", "client", c.conn.addr)
		return err
	}
	c.conn.login(role)
	c.conn.set(func(in *connInfo) { in.user = user })
	return nil
}

// cmdHello is HELLO [version [AUTH user password] [SETNAME name]]. Nothing changes unless all
// of it is right.
func cmdHello(c *call) error {
	version := c.w.Protocol()
	var user, password, name []byte
	if len(c.args) > 1 {
		n, err := parseInt(c.args[1])
		if err != nil {
			return replyError("ERR Protocol version is not an integer or out of range")
		}
		if n != 2 && n != 3 {
			return errNoProto
		}
		version = int(n)
	}
	for i := 2; i < len(c.args); i++ {
		switch a := c.args[i]; {
		case is(a, "auth") && i+2 < len(c.args):
			user, password = c.args[i+1], c.args[i+2]
			i += 2
		case is(a, "setname") && i+1 < len(c.args):
			name = c.args[i+1]
			if !validName(name) {
				return errClientName
			}
			i++
		default:
			return replyError("ERR Syntax error in HELLO option '" + string(shorten(a, 128)) + "'")
		}
	}
	if user != nil {
		if err := c.login(string(user), password); err != nil {
			return err
		}
	}
	if c.conn.role == service.RoleNone {
		return errHelloNoAuth
	}
	c.conn.w.SetProtocol(version)
	c.w.SetProtocol(version)
	c.conn.set(func(in *connInfo) {
		in.resp = version
		if name != nil {
			in.name = string(name)
		}
	})
	c.writeHello(version)
	return nil
}

func (c *call) writeHello(version int) {
	w := c.w
	w.Map(7)
	w.BulkString("server")
	w.BulkString("redis")
	w.BulkString("version")
	w.BulkString(c.srv.version())
	w.BulkString("proto")
	w.Int(int64(version))
	w.BulkString("id")
	w.Int(c.conn.id)
	w.BulkString("mode")
	w.BulkString("standalone")
	w.BulkString("role")
	w.BulkString("master")
	w.BulkString("modules")
	writeModules(w)
}

// module is a module that other servers have and whose commands are part of this one.
type module struct {
	name, using string
	version     int64
}

var modules = []module{{"search", "ReJSON", 21015}, {"ReJSON", "", 20809}}

func writeModules(w *resp.Writer) {
	w.Array(len(modules))
	for _, m := range modules {
		w.Map(4)
		w.BulkString("name")
		w.BulkString(m.name)
		w.BulkString("ver")
		w.Int(m.version)
		w.BulkString("path")
		w.BulkString("")
		w.BulkString("args")
		w.Array(0)
	}
}

func (s *Server) version() string { return s.config.String("reported-redis-version") }
