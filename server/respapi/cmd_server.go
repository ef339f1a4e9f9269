package respapi

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/engine/keyspace"
)

const adminFlags = flagAdmin | flagNoScript | flagLoading | flagStale

var serverCommands = []command{
	{name: "info", arity: -1, flags: flagLoading | flagStale | flagOutside, cats: "@dangerous", group: "server", since: "1.0.0", summary: "Returns information and statistics about the server.", run: cmdInfo},
	{name: "time", arity: 1, flags: flagLoading | flagStale | flagFast, group: "server", since: "2.6.0", summary: "Returns the server time.", run: cmdTime},
	{name: "role", arity: 1, flags: flagNoScript | flagLoading | flagStale | flagFast, cats: "@admin @dangerous", group: "server", since: "2.8.12", summary: "Returns the replication role.", run: cmdRole},
	{name: "lastsave", arity: 1, flags: flagLoading | flagStale | flagFast, cats: "@admin @dangerous", group: "server", since: "1.0.0", summary: "Returns the Unix timestamp of the last successful save to disk.", run: cmdLastSave},
	{name: "save", arity: 1, flags: flagAdmin | flagNoScript | flagNoMulti, group: "server", since: "1.0.0", summary: "Synchronously saves the database(s) to disk.", run: cmdSave},
	{name: "bgsave", arity: -1, flags: flagAdmin | flagNoScript, group: "server", since: "1.0.0", summary: "Asynchronously saves the database(s) to disk.", run: background("Background saving started")},
	{name: "bgrewriteaof", arity: 1, flags: flagAdmin | flagNoScript, group: "server", since: "1.0.0", summary: "Asynchronously rewrites the append-only file to disk.", run: background("Background append only file rewriting started")},
	{name: "shutdown", arity: -1, flags: adminFlags | flagNoMulti, group: "server", since: "1.0.0", summary: "Synchronously saves the database(s) to disk and shuts down the server.", run: cmdShutdown},
	{name: "replicaof", arity: 3, flags: adminFlags, group: "server", since: "5.0.0", summary: "Configures a server as replica of another, or promotes it to a master.", run: cmdReplicaOf},
	{name: "slaveof", arity: 3, flags: adminFlags, group: "server", since: "1.0.0", summary: "Sets a server as a replica of another, or promotes it to being a master.", run: cmdReplicaOf},
	{name: "wait", arity: 3, flags: flagBlocking | flagOutside, cats: "@connection", group: "generic", since: "3.0.0", summary: "Blocks until the asynchronous replication of all preceding write commands sent by the connection is completed.", run: cmdWait},
	{name: "waitaof", arity: 4, flags: flagBlocking | flagOutside, cats: "@connection", group: "generic", since: "7.2.0", summary: "Blocks until all of the preceding write commands sent by the connection are written to the append-only file.", run: cmdWaitAOF},
	{name: "config", arity: -2, flags: adminFlags, group: "server", since: "2.0.0", summary: "A container for server configuration commands.", subs: []command{
		{name: "config|get", arity: -3, flags: adminFlags, summary: "Returns the effective values of configuration parameters.", run: configGet},
		{name: "config|set", arity: -4, flags: adminFlags, summary: "Sets configuration parameters in-flight.", run: configSet},
		{name: "config|resetstat", arity: 2, flags: adminFlags, summary: "Resets the server's statistics.", run: configResetStat},
		{name: "config|rewrite", arity: 2, flags: adminFlags, summary: "Persists the effective configuration to file.", run: func(*call) error { return replyError("ERR The server is running without a config file") }},
		{name: "config|help", arity: 2, flags: adminFlags &^ flagAdmin, summary: "Returns helpful text about the different subcommands.", run: help("CONFIG",
			"GET <pattern>", "    Return parameters matching the glob-like <pattern> and their values.",
			"SET <directive> <value>", "    Set the configuration <directive> to <value>.",
			"RESETSTAT", "    Reset statistics reported by the INFO command.",
			"REWRITE", "    Rewrite the configuration file.")},
	}},
	{name: "module", arity: -2, flags: adminFlags, group: "server", since: "4.0.0", summary: "A container for module commands.", subs: []command{
		{name: "module|list", arity: 2, flags: adminFlags, summary: "Returns all loaded modules.", run: func(c *call) error { writeModules(c.w); return nil }},
		{name: "module|help", arity: 2, flags: adminFlags, summary: "Returns helpful text about the different subcommands.", run: help("MODULE", "LIST", "    Return a list of loaded modules.")},
	}},
	{name: "slowlog", arity: -2, flags: adminFlags, group: "server", since: "2.2.12", summary: "A container for slow log commands.", subs: []command{
		{name: "slowlog|get", arity: -2, flags: adminFlags, summary: "Returns the slow log's entries.", run: slowlogGet},
		{name: "slowlog|len", arity: 2, flags: adminFlags, summary: "Returns the number of entries in the slow log.", run: func(c *call) error { c.w.Int(int64(c.srv.slow.len())); return nil }},
		{name: "slowlog|reset", arity: 2, flags: adminFlags, summary: "Clears all entries from the slow log.", run: func(c *call) error { c.srv.slow.reset(); return c.ok(nil) }},
		{name: "slowlog|help", arity: 2, flags: adminFlags, summary: "Show helpful text about the different subcommands.", run: help("SLOWLOG",
			"GET [<count>]", "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
			"LEN", "    Return the length of the slowlog.", "RESET", "    Reset the slowlog.")},
	}},
	{name: "memory", arity: -2, group: "server", since: "4.0.0", summary: "A container for memory diagnostics commands.", subs: []command{
		{name: "memory|usage", arity: -3, flags: flagRead, keys: keySpec{first: 2, last: 2, step: 1}, summary: "Estimates the memory usage of a key.", run: memoryUsage},
		{name: "memory|doctor", arity: 2, summary: "Outputs a memory problems report.", run: func(c *call) error { c.w.Verbatim("txt", "No memory problem was detected."); return nil }},
		{name: "memory|help", arity: 2, summary: "Returns helpful text about the different subcommands.", run: help("MEMORY", "USAGE <key> [SAMPLES <count>]", "    Return the size of <key> as stored.")},
	}},
	{name: "debug", arity: -2, flags: adminFlags, group: "server", since: "1.0.0", summary: "A container for debugging commands.", subs: []command{
		{name: "debug|sleep", arity: 3, flags: adminFlags | flagOutside, summary: "Stops this connection for some seconds.", run: debugSleep},
		{name: "debug|jmap", arity: 2, flags: adminFlags, summary: "Does nothing.", run: func(c *call) error { return c.ok(nil) }},
		{name: "debug|object", arity: 3, flags: adminFlags, keys: keySpec{first: 2, last: 2, step: 1}, summary: "Shows how a key is stored.", run: debugObject},
	}},
	{name: "latency", arity: -2, flags: adminFlags, group: "server", since: "2.8.13", summary: "A container for latency diagnostics commands.", subs: []command{
		{name: "latency|latest", arity: 2, flags: adminFlags, summary: "Returns the latest latency samples for all events.", run: func(c *call) error { c.w.Array(0); return nil }},
		{name: "latency|history", arity: 3, flags: adminFlags, summary: "Returns timestamp-latency samples for an event.", run: func(c *call) error { c.w.Array(0); return nil }},
		{name: "latency|reset", arity: -2, flags: adminFlags, summary: "Resets the latency data for one or more events.", run: func(c *call) error { c.w.Int(0); return nil }},
		{name: "latency|doctor", arity: 2, flags: adminFlags, summary: "Returns a human-readable latency analysis report.", run: func(c *call) error {
			c.w.Verbatim("txt", "Latency events are not sampled by this server; see SLOWLOG.")
			return nil
		}},
	}},
	{name: "acl", arity: -2, flags: adminFlags, group: "server", since: "6.0.0", summary: "A container for Access List Control commands.", subs: []command{
		{name: "acl|whoami", arity: 2, flags: connFlags &^ flagFast, cats: "@connection", summary: "Returns the authenticated username of the current connection.", run: aclWhoAmI},
		{name: "acl|cat", arity: -2, flags: connFlags &^ flagFast, summary: "Lists the ACL categories, or the commands inside a category.", run: aclCat},
		{name: "acl|users", arity: 2, flags: adminFlags, summary: "Lists all ACL users.", run: func(c *call) error { c.bulks([][]byte{[]byte("default")}); return nil }},
		aclMissing("setuser", -3), aclMissing("getuser", 3), aclMissing("deluser", -3), aclMissing("list", 2),
		aclMissing("genpass", -2), aclMissing("log", -2), aclMissing("save", 2), aclMissing("load", 2), aclMissing("dryrun", -4),
	}},
}

func cmdTime(c *call) error {
	now := time.Now()
	c.w.Array(2)
	c.w.BulkString(strconv.FormatInt(now.Unix(), 10))
	c.w.BulkString(strconv.Itoa(now.Nanosecond() / 1000))
	return nil
}

func cmdRole(c *call) error {
	c.w.Array(3)
	c.w.BulkString("master")
	c.w.Int(0)
	c.w.Array(0)
	return nil
}

func cmdLastSave(c *call) error {
	c.w.Int(c.srv.lastSave.Load())
	return nil
}

func (s *Server) checkpoint(ctx context.Context) error {
	if err := s.engine.Checkpoint(ctx); err != nil {
		return err
	}
	s.lastSave.Store(time.Now().Unix())
	return nil
}

func cmdSave(c *call) error {
	if err := c.sync(); err != nil {
		return err
	}
	return c.ok(c.srv.checkpoint(c.ctx))
}

// background starts a checkpoint that nobody waits for.
func background(reply string) func(c *call) error {
	return func(c *call) error {
		if !c.srv.saving.CompareAndSwap(false, true) {
			return replyError("ERR Background save already in progress")
		}
		c.srv.running.Go(func() {
			defer c.srv.saving.Store(false)
			if err := c.srv.checkpoint(context.Background()); err != nil {
				c.srv.log.Error("checkpoint failed", "err", err)
			}
		})
		c.w.SimpleString(reply)
		return nil
	}
}

// cmdShutdown begins a graceful stop, which saves. There is no reply but the closing.
func cmdShutdown(c *call) error {
	for _, a := range c.args[1:] {
		switch {
		case is(a, "save"), is(a, "nosave"), is(a, "now"), is(a, "force"):
		case is(a, "abort"):
			return replyError("ERR No shutdown in progress.")
		default:
			return errSyntax
		}
	}
	if c.srv.shutdown == nil {
		return replyError("ERR SHUTDOWN is disabled")
	}
	if err := c.sync(); err != nil {
		return err
	}
	c.srv.log.Info("shutdown asked for", "client", c.conn.addr)
	c.conn.quit, c.conn.skip = true, 1
	c.srv.shutdown()
	return nil
}

func cmdReplicaOf(c *call) error {
	if !is(c.args[1], "no") || !is(c.args[2], "one") {
		return replyError("ERR replication is not supported")
	}
	return c.ok(nil)
}

// cmdWait has no replica to wait for, but for this connection's writes.
func cmdWait(c *call) error {
	if _, err := parseInt(c.args[1]); err != nil {
		return err
	}
	switch ms, err := parseInt(c.args[2]); {
	case err != nil:
		return replyError("ERR timeout is not an integer or out of range")
	case ms < 0:
		return replyError("ERR timeout is negative")
	}
	if err := c.sync(); err != nil {
		return err
	}
	c.w.Int(0)
	return nil
}

func cmdWaitAOF(c *call) error {
	if err := c.sync(); err != nil {
		return err
	}
	c.w.Array(2)
	c.w.Int(1)
	c.w.Int(0)
	return nil
}

func configGet(c *call) error {
	found := c.srv.config.Get(c.args[2:])
	c.w.Map(len(found))
	for _, f := range found {
		c.w.BulkString(f[0])
		c.w.BulkString(f[1])
	}
	return nil
}

func configSet(c *call) error {
	if len(c.args)%2 != 0 {
		return replyError("ERR Unknown option or number of arguments for CONFIG SET - '" + string(shorten(c.args[len(c.args)-1], 128)) + "'")
	}
	if err := c.srv.config.Set(c.args[2:]); err != nil {
		return err
	}
	c.conn.setLimits()
	return c.ok(nil)
}

func configResetStat(c *call) error {
	c.srv.stats.reset()
	for _, cmd := range c.srv.table.sorted {
		cmd.stats.reset()
		for i := range cmd.subs {
			cmd.subs[i].stats.reset()
		}
	}
	return c.ok(nil)
}

func slowlogGet(c *call) error {
	n := int64(10)
	if len(c.args) > 2 {
		var err error
		if n, err = parseInt(c.args[2]); err != nil || n < -1 || len(c.args) > 3 {
			return replyError("ERR count should be greater than or equal to -1")
		}
	}
	if n < 0 {
		n = int64(c.srv.slow.len())
	}
	list := c.srv.slow.newest(int(n))
	c.w.Array(len(list))
	for _, e := range list {
		c.w.Array(6)
		c.w.Int(e.id)
		c.w.Int(e.at.Unix())
		c.w.Int(e.took.Microseconds())
		c.bulks(e.args)
		c.w.BulkString(e.client)
		c.w.BulkString(e.name)
	}
	return nil
}

// document returns a key as it is stored.
func (c *call) document(key []byte) (d engine.Document, ok bool, err error) {
	err = c.read(func(r keyspace.Reader) (err error) {
		stored := r.(interface {
			Document(key []byte) (engine.Document, bool, error)
		})
		d, ok, err = stored.Document(key)
		return err
	})
	return d, ok, err
}

// documentOverhead is about what a key costs beside its bytes.
const documentOverhead = 64

func memoryUsage(c *call) error {
	if len(c.args) != 3 && (len(c.args) != 5 || !is(c.args[3], "samples")) {
		return errSyntax
	}
	d, ok, err := c.document(c.args[2])
	switch {
	case err != nil:
		return err
	case !ok:
		c.w.Null()
	default:
		c.w.Int(int64(len(c.args[2]) + len(d.Body) + documentOverhead))
	}
	return nil
}

func debugObject(c *call) error {
	d, ok, err := c.document(c.args[2])
	if err != nil {
		return err
	}
	if !ok {
		return errNoSuchKey
	}
	c.w.SimpleString(fmt.Sprintf("Value at:0x0 refcount:1 encoding:raw serializedlength:%d lru:0 lru_seconds_idle:0 type:%s number:%d",
		len(d.Body), keyspace.TypeName(d.Kind), d.Number))
	return nil
}

func debugSleep(c *call) error {
	seconds, err := parseFloat(c.args[2])
	if err != nil || seconds < 0 || seconds > 3600 {
		return errNotFloat
	}
	c.conn.out.flush()
	timer := time.NewTimer(time.Duration(seconds * float64(time.Second)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
	return c.ok(nil)
}

func aclMissing(name string, arity int) command {
	return command{name: "acl|" + name, arity: arity, flags: adminFlags, summary: "Not supported yet.", run: func(*call) error {
		return replyError("ERR ACL users are not supported yet: there is one user, default, with the configured password or key")
	}}
}

func aclWhoAmI(c *call) error {
	c.w.BulkString("default")
	return nil
}

func aclCat(c *call) error {
	found := map[string][]string{}
	for _, cmd := range c.srv.table.sorted {
		for _, row := range append([]command{*cmd}, cmd.subs...) {
			for _, cat := range row.categories() {
				found[cat[1:]] = append(found[cat[1:]], row.name)
			}
		}
	}
	var names []string
	switch len(c.args) {
	case 2:
		for cat := range found {
			names = append(names, cat)
		}
	case 3:
		if names = found[strings.ToLower(string(c.args[2]))]; names == nil {
			return replyError("ERR Unknown category '" + string(shorten(c.args[2], 128)) + "'")
		}
	default:
		return errArity("acl|cat")
	}
	slices.Sort(names)
	c.w.Array(len(names))
	for _, n := range names {
		c.w.BulkString(n)
	}
	return nil
}
