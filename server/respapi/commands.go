package respapi

import (
	"slices"
	"strings"
)

// flags of a command. Those before flagOutside are shown by COMMAND.
type flags uint32

const (
	flagWrite flags = 1 << iota
	flagRead
	flagDenyOOM
	flagAdmin
	flagPubSub
	flagNoScript
	flagBlocking
	flagLoading
	flagStale
	flagFast
	flagNoAuth
	flagMovable
	flagNoMulti // refused inside MULTI
	flagOutside // inside MULTI: runs after the record of the EXEC is published
	flagKeyList // with flagOutside: uses nothing but call.keyList, and so sees the keys as its place in the MULTI does
)

var flagNames = []string{"write", "readonly", "denyoom", "admin", "pubsub", "noscript", "blocking",
	"loading", "stale", "fast", "no_auth", "movablekeys", "no_multi"}

func (f flags) names() []string {
	var out []string
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}

// command is a row of the table.
type command struct {
	name    string // lower case; subcommands "client|id"
	arity   int    // with the name; negative: at least
	flags   flags
	cats    string // categories beyond those the flags imply: "@hash @search"
	keys    keySpec
	group   string
	since   string
	summary string
	run     func(c *call) error
	subs    []command

	stats *commandStats
}

// keySpec tells where the keys of a command stand: first, last (negative: from the end) and
// step; find overrides it.
type keySpec struct {
	first, last, step int
	find              func(args [][]byte) []int
}

var (
	oneKey   = keySpec{first: 1, last: 1, step: 1}
	twoKeys  = keySpec{first: 1, last: 2, step: 1}
	allKeys  = keySpec{first: 1, last: -1, step: 1}
	pairKeys = keySpec{first: 1, last: -1, step: 2}
)

// table is every command by name.
type table struct {
	byName map[string]*command
	sorted []*command
}

func newTable() *table {
	t := &table{byName: map[string]*command{}}
	for _, list := range [][]command{
		connectionCommands, clientCommands, keyCommands, expiryCommands, stringCommands, hashCommands,
		transactionCommands, serverCommands, clusterCommands, commandCommands, pubsubCommands,
		ftCommands, ftAliasCommands,
	} {
		for i := range list {
			cmd := list[i] // a copy: counters belong to one server
			cmd.stats = new(commandStats)
			cmd.subs = slices.Clone(cmd.subs)
			for j := range cmd.subs {
				cmd.subs[j].stats = new(commandStats)
				if cmd.subs[j].group == "" {
					cmd.subs[j].group = cmd.group
				}
			}
			t.byName[cmd.name] = &cmd
			t.sorted = append(t.sorted, &cmd)
		}
	}
	slices.SortFunc(t.sorted, func(a, b *command) int { return strings.Compare(a.name, b.name) })
	return t
}

// find returns the command or subcommand that args name, after checking the arity.
func (t *table) find(args [][]byte) (*command, error) {
	var tmp [64]byte
	cmd := t.byName[string(appendLower(tmp[:0], args[0]))]
	if cmd == nil {
		return nil, errUnknownCommand(args)
	}
	if len(cmd.subs) > 0 && len(args) > 1 {
		sub := cmd.sub(args[1])
		if sub == nil && cmd.name == "cluster" {
			return nil, errNotCluster // of what the emulation lacks
		}
		if sub == nil {
			return nil, errUnknownSub(cmd.name, args[1])
		}
		cmd = sub
	}
	if n := len(args); cmd.arity > 0 && n != cmd.arity || n < -cmd.arity {
		return nil, errArity(cmd.name)
	}
	return cmd, nil
}

func (cmd *command) sub(name []byte) *command {
	for i := range cmd.subs {
		if _, sub, _ := strings.Cut(cmd.subs[i].name, "|"); strings.EqualFold(sub, string(name)) {
			return &cmd.subs[i]
		}
	}
	return nil
}

// keyPositions returns the indexes in args that hold keys.
func (cmd *command) keyPositions(args [][]byte) []int {
	k := cmd.keys
	if k.find != nil {
		return k.find(args)
	}
	if k.first == 0 {
		return nil
	}
	last := k.last
	if last < 0 {
		last += len(args)
	}
	var out []int
	for i := k.first; i <= last && i < len(args); i += k.step {
		out = append(out, i)
	}
	return out
}

// categories returns the ACL categories, sorted, each with its @.
func (cmd *command) categories() []string {
	out := strings.Fields(cmd.cats)
	add := func(on bool, name string) {
		if on && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	add(cmd.flags&flagWrite != 0, "@write")
	add(cmd.flags&flagRead != 0, "@read")
	add(cmd.flags&flagAdmin != 0, "@admin")
	add(cmd.flags&flagAdmin != 0, "@dangerous")
	add(cmd.flags&flagPubSub != 0, "@pubsub")
	add(cmd.flags&flagFast != 0, "@fast")
	add(cmd.flags&flagFast == 0, "@slow")
	slices.Sort(out)
	return out
}

// readOnly says whether a connection that may only read may run the command.
func (cmd *command) readOnly() bool {
	return cmd.flags&flagRead != 0 || cmd.flags&flagAdmin == 0 && strings.Contains(cmd.cats, "@connection")
}

func appendLower(dst, s []byte) []byte {
	for _, c := range s {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// is says whether an argument is the keyword, in any letter case.
func is(arg []byte, keyword string) bool { return strings.EqualFold(string(arg), keyword) }
