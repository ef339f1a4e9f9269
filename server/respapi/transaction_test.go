package respapi

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Commands that list keys see what the commands before them in the transaction left, no more and no less.
func TestKeysAreListedInTheirPlaceInATransaction(t *testing.T) {
	r := start(t, Options{}).raw()
	exec := func(lines ...string) string {
		require.Equal(t, "+OK|", r.do("multi"))
		for _, l := range lines {
			require.Equal(t, "+QUEUED|", r.do(l), l)
		}
		return r.do("exec")
	}
	r.do("mset a 1 b 2 c 3")
	r.do("hset h f v")
	for _, tc := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"before and after a flush", []string{"keys *", "flushdb", "keys *", "set x 1", "keys *"},
			"*5|*4|$1|a|$1|b|$1|c|$1|h|+OK|*0|+OK|*1|$1|x|"},
		{"put back", []string{"mset a 1 b 2 c 3", "hset h f v", "del x", "keys *"}, "*4|+OK|:1|:1|*4|$1|a|$1|b|$1|c|$1|h|"},
		{"between keys of the database", []string{"set aa 1", "del b", "keys *", "del aa", "keys *", "set b 2"},
			"*6|+OK|:1|*4|$1|a|$2|aa|$1|c|$1|h|:1|*3|$1|a|$1|c|$1|h|+OK|"},
		{"a key that changes its type", []string{"del h", "set h 1", "scan 0 type hash", "del h", "hset h f v", "scan 0 type hash match h*"},
			"*6|:1|+OK|*2|$1|0|*0|:1|:1|*2|$1|0|*1|$1|h|"},
		{"behind the last key", []string{"set z 1", "keys z*", "expire z -1", "keys z*"}, "*4|+OK|*1|$1|z|:1|*0|"},
		{"of another database", []string{"select 1", "set other 1", "randomkey", "keys *", "del other", "randomkey", "select 0", "keys a"},
			"*8|+OK|+OK|$5|other|*1|$5|other|:1|$-1|+OK|*1|$1|a|"},
	} {
		require.Equal(t, tc.want, exec(tc.lines...), tc.name)
	}
	reply := exec("set ab 1", "scan 0 count 2")
	require.True(t, strings.HasSuffix(reply, "|*2|$1|a|$2|ab|"), reply)
	cursor := strings.Split(reply, "|")[4]
	require.Equal(t, "*2|$1|0|*3|$1|b|$1|c|$1|h|", r.do("scan "+cursor+" count 5"))
}
