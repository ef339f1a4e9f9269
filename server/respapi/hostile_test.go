package respapi

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNoArgumentsBreakACommand gives every command arguments it does not expect.
func TestNoArgumentsBreakACommand(t *testing.T) {
	f := start(t, Options{})
	r := f.raw()
	for _, line := range []string{"hset h f 1 g 2", "set s 5", "ft.create idx on hash prefix 1 h schema f numeric g tag"} {
		require.NotContains(t, r.do(line), "-")
	}
	r.do("hello 3")
	words := []string{"", "0", "-1", "1", "3", "9223372036854775807", "-9223372036854775808", "1e400", "nan", "h", "s", "f", "none", "*",
		"(", "[", "@f:[0 1]", "match", "count", "type", "idx", "get", "ex", "nx", "fields", "withvalues", "limit", "return",
		"params", "dialect", "schema", "id", "on", "\x00\xff\r\n", strings.Repeat("x", 1000)}
	skip := map[string]bool{"quit": true, "shutdown": true, "client|pause": true, "client|reply": true, "client|kill": true,
		"debug|sleep": true, "reset": true, "hello": true, "config|set": true, "subscribe": true, "psubscribe": true, "ssubscribe": true}
	rng := rand.New(rand.NewPCG(7, 7))
	try := func(cmd *command) {
		if skip[cmd.name] {
			return
		}
		for range 60 {
			args := strings.Split(cmd.name, "|")
			for n := max(cmd.arity, -cmd.arity) - len(args) + rng.IntN(4); n > 0; n-- {
				args = append(args, words[rng.IntN(len(words))])
			}
			r.send(args...)
			require.NotContains(t, r.reply(), "internal error", "%q", args)
		}
	}
	for _, cmd := range f.srv.table.sorted {
		if len(cmd.subs) == 0 {
			try(cmd)
		}
		for i := range cmd.subs {
			try(&cmd.subs[i])
		}
	}
}
