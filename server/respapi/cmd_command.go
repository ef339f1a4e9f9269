package respapi

import (
	"path"
	"slices"
	"strings"

	"github.com/isobath/isobath/server/resp"
)

var commandCommands = []command{
	{name: "command", arity: -1, flags: flagLoading | flagStale, cats: "@connection", group: "server", since: "2.8.13",
		summary: "Returns detailed information about all commands.", run: commandAll, subs: []command{
			{name: "command|count", arity: 2, flags: flagLoading | flagStale, cats: "@connection", summary: "Returns a count of commands.", run: commandCount},
			{name: "command|info", arity: -2, flags: flagLoading | flagStale, cats: "@connection", summary: "Returns information about one, multiple or all commands.", run: commandInfo},
			{name: "command|docs", arity: -2, flags: flagLoading | flagStale, cats: "@connection", summary: "Returns documentary information about one, multiple or all commands.", run: commandDocs},
			{name: "command|list", arity: -2, flags: flagLoading | flagStale, cats: "@connection", summary: "Returns a list of command names.", run: commandList},
			{name: "command|getkeys", arity: -3, flags: flagLoading | flagStale, cats: "@connection", summary: "Extracts the key names from an arbitrary command.", run: commandGetKeys},
			{name: "command|getkeysandflags", arity: -3, flags: flagLoading | flagStale, cats: "@connection", summary: "Extracts the key names and access flags for an arbitrary command.", run: commandGetKeysAndFlags},
			{name: "command|help", arity: 2, flags: flagLoading | flagStale, cats: "@connection", summary: "Returns helpful text about the different subcommands.", run: help("COMMAND",
				"(no subcommand)", "    Return details about all commands.", "COUNT", "    Return the total number of commands.",
				"LIST [FILTERBY <ACLCAT cat|PATTERN pattern|MODULE name>]", "    Return a list of all commands.",
				"INFO [<command-name> ...]", "    Return details about multiple commands.",
				"DOCS [<command-name> ...]", "    Return documentation details about multiple commands.",
				"GETKEYS <full-command>", "    Return the keys from a full command.",
				"GETKEYSANDFLAGS <full-command>", "    Return the keys and the access flags from a full command.")},
		}},
}

// help returns a command function that prints lines as the HELP subcommands do.
func help(name string, lines ...string) func(c *call) error {
	return func(c *call) error {
		c.w.Array(len(lines) + 3)
		c.w.SimpleString(name + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
		for _, l := range lines {
			c.w.SimpleString(l)
		}
		c.w.SimpleString("HELP")
		c.w.SimpleString("    Print this help.")
		return nil
	}
}

func commandAll(c *call) error {
	c.w.Array(len(c.srv.table.sorted))
	for _, cmd := range c.srv.table.sorted {
		writeCommand(c.w, cmd)
	}
	return nil
}

func commandCount(c *call) error {
	c.w.Int(int64(len(c.srv.table.sorted)))
	return nil
}

// named returns the commands that args name, nil for unknown ones; all without args.
func (c *call) named(args [][]byte) []*command {
	if len(args) == 0 {
		return c.srv.table.sorted
	}
	var out []*command
	for _, a := range args {
		name, sub, hasSub := strings.Cut(strings.ToLower(string(a)), "|")
		cmd := c.srv.table.byName[name]
		if cmd != nil && hasSub {
			cmd = cmd.sub([]byte(sub))
		}
		out = append(out, cmd)
	}
	return out
}

func commandInfo(c *call) error {
	list := c.named(c.args[2:])
	c.w.Array(len(list))
	for _, cmd := range list {
		if cmd == nil {
			c.w.NullArray()
			continue
		}
		writeCommand(c.w, cmd)
	}
	return nil
}

func writeCommand(w *resp.Writer, cmd *command) {
	w.Array(10)
	w.BulkString(cmd.name)
	w.Int(int64(cmd.arity))
	writeStatusSet(w, cmd.flags.names())
	w.Int(int64(cmd.keys.first))
	w.Int(int64(cmd.keys.last))
	w.Int(int64(cmd.keys.step))
	writeStatusSet(w, cmd.categories())
	hints := strings.Fields(tips[cmd.name])
	w.Array(len(hints))
	for _, h := range hints {
		w.BulkString(h)
	}
	writeKeySpecs(w, cmd)
	w.Array(len(cmd.subs))
	for i := range cmd.subs {
		writeCommand(w, &cmd.subs[i])
	}
}

func writeStatusSet(w *resp.Writer, names []string) {
	w.Set(len(names))
	for _, n := range names {
		w.SimpleString(n)
	}
}

func writeKeySpecs(w *resp.Writer, cmd *command) {
	if cmd.keys.first == 0 {
		w.Set(0)
		return
	}
	last := cmd.keys.last
	if last > 0 {
		last -= cmd.keys.first
	}
	n := max(1, len(keyUses[cmd.name]))
	w.Set(n)
	for i := range n {
		if n > 1 {
			last = 0 // one key each
		}
		writeKeySpec(w, cmd.keyUse(i), keySpec{first: cmd.keys.first + i, last: last, step: cmd.keys.step})
	}
}

// writeKeySpec writes one specification; last counts from first, or is negative.
func writeKeySpec(w *resp.Writer, use []string, k keySpec) {
	w.Map(3)
	w.BulkString("flags")
	writeStatusSet(w, use)
	w.BulkString("begin_search")
	w.Map(2)
	w.BulkString("type")
	w.BulkString("index")
	w.BulkString("spec")
	w.Map(1)
	w.BulkString("index")
	w.Int(int64(k.first))
	w.BulkString("find_keys")
	w.Map(2)
	w.BulkString("type")
	w.BulkString("range")
	w.BulkString("spec")
	w.Map(3)
	w.BulkString("lastkey")
	w.Int(int64(k.last))
	w.BulkString("keystep")
	w.Int(int64(k.step))
	w.BulkString("limit")
	w.Int(0)
}

func commandDocs(c *call) error {
	list := slices.DeleteFunc(slices.Clone(c.named(c.args[2:])), func(cmd *command) bool { return cmd == nil })
	c.w.Map(len(list))
	for _, cmd := range list {
		c.w.BulkString(cmd.name)
		writeDocs(c.w, cmd)
	}
	return nil
}

func writeDocs(w *resp.Writer, cmd *command) {
	fields := [][2]string{{"summary", cmd.summary}, {"since", cmd.since}, {"group", cmd.group}}
	fields = slices.DeleteFunc(fields, func(f [2]string) bool { return f[1] == "" })
	n := len(fields)
	if len(cmd.subs) > 0 {
		n++
	}
	w.Map(n)
	for _, f := range fields {
		w.BulkString(f[0])
		w.BulkString(f[1])
	}
	if len(cmd.subs) > 0 {
		w.BulkString("subcommands")
		w.Map(len(cmd.subs))
		for i := range cmd.subs {
			w.BulkString(cmd.subs[i].name)
			writeDocs(w, &cmd.subs[i])
		}
	}
}

func commandList(c *call) error {
	keep := func(*command) bool { return true }
	switch args := c.args[2:]; {
	case len(args) == 0:
	case len(args) != 3 || !is(args[0], "filterby"):
		return errSyntax
	case is(args[1], "aclcat"):
		cat := "@" + strings.ToLower(string(args[2]))
		keep = func(cmd *command) bool { return slices.Contains(cmd.categories(), cat) }
	case is(args[1], "pattern"):
		pattern := strings.ToLower(string(args[2]))
		keep = func(cmd *command) bool { ok, err := path.Match(pattern, cmd.name); return ok && err == nil }
	case is(args[1], "module"):
		group := strings.ToLower(string(args[2]))
		keep = func(cmd *command) bool { return cmd.group == group }
	default:
		return errSyntax
	}
	var names []string
	for _, cmd := range c.srv.table.sorted {
		if keep(cmd) {
			names = append(names, cmd.name)
		}
		for i := range cmd.subs {
			if len(c.args) > 2 && keep(&cmd.subs[i]) {
				names = append(names, cmd.subs[i].name)
			}
		}
	}
	c.w.Array(len(names))
	for _, n := range names {
		c.w.BulkString(n)
	}
	return nil
}

// keysOf resolves the command in args[2:] and the positions of its keys in there.
func (c *call) keysOf() (*command, []int, error) {
	inner := c.args[2:]
	cmd, err := c.srv.table.find(inner)
	if err != nil {
		if c.srv.table.byName[strings.ToLower(string(inner[0]))] == nil {
			return nil, nil, replyError("ERR Invalid command specified")
		}
		return nil, nil, replyError("ERR Invalid number of arguments specified for command")
	}
	keys := cmd.keyPositions(inner)
	if len(keys) == 0 || cmd.notKeys() {
		return nil, nil, replyError("ERR The command has no key arguments")
	}
	return cmd, keys, nil
}

func commandGetKeys(c *call) error {
	_, keys, err := c.keysOf()
	if err != nil {
		return err
	}
	c.w.Array(len(keys))
	for _, i := range keys {
		c.w.Bulk(c.args[2+i])
	}
	return nil
}

func commandGetKeysAndFlags(c *call) error {
	cmd, keys, err := c.keysOf()
	if err != nil {
		return err
	}
	c.w.Array(len(keys))
	for n, i := range keys {
		c.w.Array(2)
		c.w.Bulk(c.args[2+i])
		writeStatusSet(c.w, cmd.keyUseIn(c.args[2:], n))
	}
	return nil
}
