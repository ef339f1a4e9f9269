package respapi

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What COMMAND tells of a command's keys and of how cluster clients are to send it.
func TestCommandMetadata(t *testing.T) {
	r := start(t, Options{}).raw()
	for name, want := range map[string][]string{
		"mset":     {":1|:-1|:2|", "|+OW|+update|", "|$26|request_policy:multi_shard|$29|response_policy:all_succeeded|"},
		"copy":     {":1|:2|:1|", "|+RO|+access|$12|begin_search|*4|$4|type|$5|index|$4|spec|*2|$5|index|:1|", "|+OW|+update|$12|begin_search|*4|$4|type|$5|index|$4|spec|*2|$5|index|:2|"},
		"set":      {"|+RW|+access|+update|+variable_flags|"},
		"spublish": {":1|:1|:1|", "|+not_key|"},
		"ttl":      {"|$23|nondeterministic_output|"},
	} {
		reply := r.do("command info " + name)
		for _, w := range want {
			require.Contains(t, reply, w, name)
		}
	}
}

// Hints are of commands that exist, and uses of keys of commands that have keys.
func TestHintsNameCommands(t *testing.T) {
	table := newTable()
	find := func(name string) *command {
		outer, sub, nested := strings.Cut(name, "|")
		cmd := table.byName[outer]
		require.NotNil(t, cmd, name)
		if nested {
			cmd = cmd.sub([]byte(sub))
			require.NotNil(t, cmd, name)
		}
		return cmd
	}
	for name := range tips {
		find(name)
	}
	for name := range keyUses {
		require.NotZero(t, find(name).keys.first, name)
	}
}
