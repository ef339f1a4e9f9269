package respapi

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	errClientName replyError = "ERR Client names cannot contain spaces, newlines or special characters."
	maxNameBytes             = 1 << 10
)

var clientCommands = []command{{name: "client", arity: -2, flags: connFlags, cats: "@connection", group: "connection", since: "2.4.0",
	summary: "A container for client connection commands.", subs: []command{
		clientSub("id", 2, "Returns the unique client ID of the connection.", clientID),
		clientSub("getname", 2, "Returns the name of the connection.", clientGetName),
		clientSub("setname", 3, "Sets the connection name.", clientSetName),
		clientSub("setinfo", 4, "Sets information specific to the client or connection.", clientSetInfo),
		clientSub("info", 2, "Returns information about the connection.", clientInfo),
		clientSub("no-evict", 3, "Sets the client eviction mode of the connection.", onOff),
		clientSub("no-touch", 3, "Controls whether commands sent by the client affect the LRU/LFU of accessed keys.", onOff),
		clientSub("reply", 3, "Instructs the server whether to reply to commands.", clientReply),
		clientSub("getredir", 2, "Returns the client ID to which the connection's tracking notifications are redirected.", func(c *call) error { c.w.Int(-1); return nil }),
		clientSub("trackinginfo", 2, "Returns information about server-assisted client-side caching for the connection.", clientTrackingInfo),
		clientSub("tracking", -3, "Controls server-assisted client-side caching for the connection.", clientTracking),
		clientSub("caching", 3, "Instructs the server whether to track the keys in the next request.", clientTracking),
		clientAdmin("list", -2, "Lists open connections.", clientList),
		clientAdmin("kill", -3, "Terminates open connections.", clientKill),
		clientAdmin("pause", -3, "Suspends commands processing.", clientPause),
		clientAdmin("unpause", 2, "Resumes processing commands from paused clients.", clientUnpause),
		clientAdmin("unblock", -3, "Unblocks a client blocked by a blocking command from a different connection.", func(c *call) error { c.w.Int(0); return nil }),
		clientSub("help", 2, "Returns helpful text about the different subcommands.", help("CLIENT",
			"GETNAME", "    Return the name of the current connection.",
			"ID", "    Return the ID of the current connection.",
			"INFO", "    Return information about the current client connection.",
			"KILL <ip:port>", "    Kill connection made from <ip:port>.",
			"KILL <option> <value> [<option> <value> [...]]", "    Kill connections. Options are: ADDR, LADDR, TYPE, USER, SKIPME, ID, MAXAGE.",
			"LIST [options ...]", "    Return information about client connections. Options: TYPE, ID.",
			"PAUSE <timeout> [WRITE|ALL]", "    Suspend all, or just write, clients for <timeout> milliseconds.",
			"UNPAUSE", "    Stop the current client pause.",
			"REPLY (ON|OFF|SKIP)", "    Control the replies sent to the current connection.",
			"SETNAME <name>", "    Assign the name <name> to the current connection.",
			"SETINFO <option> <value>", "    Set client meta attr. Options are: LIB-NAME, LIB-VER.")),
	}}}

func clientSub(name string, arity int, summary string, run func(c *call) error) command {
	return command{name: "client|" + name, arity: arity, flags: connFlags &^ flagFast, cats: "@connection", summary: summary, run: run}
}

func clientAdmin(name string, arity int, summary string, run func(c *call) error) command {
	cmd := clientSub(name, arity, summary, run)
	cmd.flags |= flagAdmin
	return cmd
}

func clientID(c *call) error {
	c.w.Int(c.conn.id)
	return nil
}

func clientGetName(c *call) error {
	name := ""
	c.conn.set(func(in *connInfo) { name = in.name })
	if name == "" {
		c.w.Null()
		return nil
	}
	c.w.BulkString(name)
	return nil
}

// validName allows what keeps CLIENT LIST readable: printable ASCII without spaces.
func validName(name []byte) bool {
	return len(name) <= maxNameBytes && !slices.ContainsFunc(name, func(b byte) bool { return b < '!' || b > '~' })
}

func clientSetName(c *call) error {
	if !validName(c.args[2]) {
		return errClientName
	}
	c.conn.set(func(in *connInfo) { in.name = string(c.args[2]) })
	c.w.SimpleString("OK")
	return nil
}

func clientSetInfo(c *call) error {
	if !validName(c.args[3]) {
		return replyError("ERR " + strings.ToLower(string(shorten(c.args[2], 32))) + " cannot contain spaces, newlines or special characters.")
	}
	switch {
	case is(c.args[2], "lib-name"):
		c.conn.set(func(in *connInfo) { in.libName = string(c.args[3]) })
	case is(c.args[2], "lib-ver"):
		c.conn.set(func(in *connInfo) { in.libVer = string(c.args[3]) })
	default:
		return replyError("ERR Unrecognized option '" + string(shorten(c.args[2], 128)) + "'")
	}
	c.w.SimpleString("OK")
	return nil
}

func onOff(c *call) error {
	if !is(c.args[2], "on") && !is(c.args[2], "off") {
		return errSyntax
	}
	c.w.SimpleString("OK")
	return nil
}

func clientReply(c *call) error {
	switch {
	case is(c.args[2], "on"):
		c.conn.silent, c.conn.skip = false, 0
		c.w.SimpleString("OK")
	case is(c.args[2], "off"):
		c.conn.silent = true
	case is(c.args[2], "skip"):
		c.conn.skip = 2 // this command and the next
	default:
		return errSyntax
	}
	return nil
}

func clientTracking(c *call) error {
	return replyError("ERR client-side caching is not supported")
}

func clientTrackingInfo(c *call) error {
	c.w.Map(3)
	c.w.BulkString("flags")
	c.w.Set(1)
	c.w.BulkString("off")
	c.w.BulkString("redirect")
	c.w.Int(-1)
	c.w.BulkString("prefixes")
	c.w.Array(0)
	return nil
}

// line is the connection as CLIENT LIST shows it.
func (cn *conn) line(now time.Time) string {
	cn.info.mu.Lock()
	defer cn.info.mu.Unlock()
	in := &cn.info
	name, state := "NULL", "N"
	if cmd := cn.cmd.Load(); cmd != nil {
		name = cmd.name
	}
	if in.multi >= 0 {
		state = "x"
	}
	unread := cn.out.unread()
	return fmt.Sprintf("id=%d addr=%s laddr=%s fd=%d name=%s age=%d idle=%d flags=%s db=%d sub=%d psub=%d ssub=%d multi=%d watch=%d qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=16384 rbp=0 obl=0 oll=0 omem=%d tot-mem=%d events=r cmd=%s user=%s redir=-1 resp=%d lib-name=%s lib-ver=%s",
		cn.id, cn.addr, cn.laddr, cn.id, in.name, int(now.Sub(cn.created).Seconds()),
		int(now.Sub(time.Unix(0, cn.active.Load())).Seconds()), state, in.db,
		in.subs[channelTopic], in.subs[patternTopic], in.subs[shardTopic], in.multi, in.watching, unread, unread,
		name, in.user, in.resp, in.libName, in.libVer)
}

func clientInfo(c *call) error {
	c.w.Verbatim("txt", c.conn.line(time.Now())+"\n")
	return nil
}

func clientList(c *call) error {
	keep := func(*conn) bool { return true }
	switch args := c.args[2:]; {
	case len(args) == 0:
	case is(args[0], "type") && len(args) == 2:
		normal, err := clientType(args[1])
		if err != nil {
			return err
		}
		keep = func(*conn) bool { return normal }
	case is(args[0], "id") && len(args) > 1:
		ids := map[int64]bool{}
		for _, a := range args[1:] {
			id, err := parseInt(a)
			if err != nil || id <= 0 {
				return replyError("ERR Invalid client ID")
			}
			ids[id] = true
		}
		keep = func(cn *conn) bool { return ids[cn.id] }
	default:
		return errSyntax
	}
	var sb strings.Builder
	now := time.Now()
	for _, cn := range c.srv.clients() {
		if keep(cn) {
			sb.WriteString(cn.line(now))
			sb.WriteByte('\n')
		}
	}
	c.w.Verbatim("txt", sb.String())
	return nil
}

// clientType says whether a TYPE selects ordinary clients, the only ones there are.
func clientType(name []byte) (normal bool, err error) {
	switch s := strings.ToLower(string(name)); s {
	case "normal":
		return true, nil
	case "master", "replica", "slave", "pubsub":
		return false, nil
	default:
		return false, replyError("ERR Unknown client type '" + string(shorten(name, 128)) + "'")
	}
}

func clientKill(c *call) error {
	if len(c.args) == 3 {
		for _, cn := range c.srv.clients() {
			if cn.addr == string(c.args[2]) {
				c.kill(cn)
				c.w.SimpleString("OK")
				return nil
			}
		}
		return replyError("ERR No such client")
	}
	keep, skipMe, err := parseKill(c.args[2:])
	if err != nil {
		return err
	}
	n := int64(0)
	for _, cn := range c.srv.clients() {
		if (cn != c.conn || !skipMe) && keep(cn) {
			c.kill(cn)
			n++
		}
	}
	c.w.Int(n)
	return nil
}

// kill ends a connection; one's own after the reply.
func (c *call) kill(cn *conn) {
	if cn == c.conn {
		cn.quit = true
		return
	}
	cn.kill()
}

func parseKill(args [][]byte) (keep func(cn *conn) bool, skipMe bool, err error) {
	skipMe = true
	var tests []func(cn *conn) bool
	if len(args)%2 != 0 {
		return nil, false, errSyntax
	}
	for i := 0; i < len(args); i += 2 {
		name, value := args[i], string(args[i+1])
		switch {
		case is(name, "id"), is(name, "maxage"):
			n, err := parseInt(args[i+1])
			if err != nil || n <= 0 {
				return nil, false, replyError("ERR client-id should be greater than 0")
			}
			if is(name, "id") {
				tests = append(tests, func(cn *conn) bool { return cn.id == n })
				continue
			}
			tests = append(tests, func(cn *conn) bool { return int64(time.Since(cn.created).Seconds()) >= n })
		case is(name, "addr"):
			tests = append(tests, func(cn *conn) bool { return cn.addr == value })
		case is(name, "laddr"):
			tests = append(tests, func(cn *conn) bool { return cn.laddr == value })
		case is(name, "user"):
			tests = append(tests, func(cn *conn) (same bool) {
				cn.set(func(in *connInfo) { same = in.user == value })
				return same
			})
		case is(name, "type"):
			normal, err := clientType(args[i+1])
			if err != nil {
				return nil, false, err
			}
			tests = append(tests, func(*conn) bool { return normal })
		case is(name, "skipme") && (strings.EqualFold(value, "yes") || strings.EqualFold(value, "no")):
			skipMe = strings.EqualFold(value, "yes")
		default:
			return nil, false, errSyntax
		}
	}
	return func(cn *conn) bool {
		return !slices.ContainsFunc(tests, func(t func(*conn) bool) bool { return !t(cn) })
	}, skipMe, nil
}

func clientPause(c *call) error {
	ms, err := parseInt(c.args[2])
	if err != nil || ms < 0 || ms > int64(24*time.Hour/time.Millisecond) {
		return replyError("ERR timeout is not an integer or out of range")
	}
	all := true
	if len(c.args) > 3 {
		if all = is(c.args[3], "all"); !all && !is(c.args[3], "write") || len(c.args) > 4 {
			return replyError("ERR CLIENT PAUSE mode must be WRITE or ALL")
		}
	}
	c.srv.pause.begin(time.Duration(ms)*time.Millisecond, all)
	c.w.SimpleString("OK")
	return nil
}

func clientUnpause(c *call) error {
	c.srv.pause.end()
	c.w.SimpleString("OK")
	return nil
}
