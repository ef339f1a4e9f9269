package respapi

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReplyShapes pins the bytes of replies in both protocol versions.
func TestReplyShapes(t *testing.T) {
	two, three := start(t, Options{}).raw(), start(t, Options{}).raw()
	require.True(t, strings.HasPrefix(three.do("hello 3"), "%7|$6|server|$5|redis|$7|version|$5|7.4.2|$5|proto|:3|$2|id|:1|"))
	for _, c := range []struct{ cmd, two, three string }{
		{"ping", "+PONG|", ""},
		{"ping hi", "$2|hi|", ""},
		{"echo hi", "$2|hi|", ""},
		{"get none", "$-1|", "_|"},
		{"set k v", "+OK|", ""},
		{"set k w nx", "$-1|", "_|"},
		{"set k w xx get", "$1|v|", ""},
		{"get k", "$1|w|", ""},
		{"mget k none", "*2|$1|w|$-1|", "*2|$1|w|_|"},
		{"hset h a 1 b 2", ":2|", ""},
		{"hset h a 1 c 3", ":1|", ""},
		{"hmset h d 4", "+OK|", ""},
		{"hgetall h", "*8|$1|a|$1|1|$1|b|$1|2|$1|c|$1|3|$1|d|$1|4|", "%4|$1|a|$1|1|$1|b|$1|2|$1|c|$1|3|$1|d|$1|4|"},
		{"hgetall none", "*0|", "%0|"},
		{"hmget h a z", "*2|$1|1|$-1|", "*2|$1|1|_|"},
		{"hkeys h", "*4|$1|a|$1|b|$1|c|$1|d|", ""},
		{"hvals h", "*4|$1|1|$1|2|$1|3|$1|4|", ""},
		{"hlen h", ":4|", ""},
		{"hstrlen h a", ":1|", ""},
		{"hexists h a", ":1|", ""},
		{"hdel h c d z", ":2|", ""},
		{"hsetnx h a 9", ":0|", ""},
		{"hincrby h a 5", ":6|", ""},
		{"hincrbyfloat h a 0.5", "$3|6.5|", ""},
		{"hscan h 0 match a", "*2|$1|0|*2|$1|a|$3|6.5|", ""},
		{"hscan h 0 novalues", "*2|$1|0|*2|$1|a|$1|b|", ""},
		{"hrandfield none", "$-1|", "_|"},
		{"hrandfield none 3", "*0|", ""},
		{"hrandfield h -1 withvalues x", "-ERR syntax error|", ""},
		{"type h", "+hash|", ""},
		{"type none", "+none|", ""},
		{"get h", "-WRONGTYPE Operation against a key holding the wrong kind of value|", ""},
		{"mget k h", "*2|$1|w|$-1|", "*2|$1|w|_|"},
		{"incr k", "-ERR value is not an integer or out of range|", ""},
		{"incrby n 10", ":10|", ""},
		{"decr n", ":9|", ""},
		{"decrby n 4", ":5|", ""},
		{"incrbyfloat n 0.1", "$3|5.1|", ""},
		{"append k xyz", ":4|", ""},
		{"strlen k", ":4|", ""},
		{"getrange k 1 -2", "$2|xy|", ""},
		{"setrange k 1 QQ", ":4|", ""},
		{"get k", "$4|wQQz|", ""},
		{"getset k 1", "$4|wQQz|", ""},
		{"getdel k", "$1|1|", ""},
		{"getex none", "$-1|", "_|"},
		{"mset a 1 b 2", "+OK|", ""},
		{"msetnx a 1 z 2", ":0|", ""},
		{"mset a 1 b", "-ERR wrong number of arguments for 'mset' command|", ""},
		{"exists a a none", ":2|", ""},
		{"rename a c", "+OK|", ""},
		{"rename a c", "-ERR no such key|", ""},
		{"renamenx c b", ":0|", ""},
		{"copy c d", ":1|", ""},
		{"copy c c", "-ERR source and destination objects are the same|", ""},
		{"keys [bcd]", "*3|$1|b|$1|c|$1|d|", ""},
		{"scan 0 match b count 100", "*2|$1|0|*1|$1|b|", ""},
		{"scan 0 type hash", "*2|$1|0|*1|$1|h|", ""},
		{"scan x", "-ERR invalid cursor|", ""},
		{"ttl c", ":-1|", ""},
		{"ttl none", ":-2|", ""},
		{"expire c 100", ":1|", ""},
		{"expire c 50 gt", ":0|", ""},
		{"expire c 100 nx gt", "-ERR NX and XX, GT or LT options at the same time are not compatible|", ""},
		{"expire c x nx gt", "-ERR NX and XX, GT or LT options at the same time are not compatible|", ""},
		{"ttl c", ":100|", ""},
		{"persist c", ":1|", ""},
		{"expireat c 4102444800", ":1|", ""},
		{"expiretime c", ":4102444800|", ""},
		{"set c v ex 0", "-ERR invalid expire time in 'set' command|", ""},
		{"set c v ex 10 px 5", "-ERR syntax error|", ""},
		{"setex c 100 v", "+OK|", ""},
		{"expire c -1", ":1|", ""},
		{"exists c", ":0|", ""},
		{"object encoding n", "$6|embstr|", ""},
		{"dbsize", ":4|", ""},
		{"unlink b d none", ":2|", ""},
		{"select 99", "-ERR DB index is out of range|", ""},
		{"select x", "-ERR value is not an integer or out of range|", ""},
		{"nosuch a b", "-ERR unknown command 'nosuch', with args beginning with: 'a' 'b' |", ""},
		{"GET", "-ERR wrong number of arguments for 'get' command|", ""},
		{"client kill", "-ERR wrong number of arguments for 'client|kill' command|", ""},
		{"client maint_notifications on", "-ERR unknown subcommand 'maint_notifications'. Try CLIENT HELP.|", ""},
		{"client getname", "$-1|", "_|"},
		{"client setname me", "+OK|", ""},
		{"client getname", "$2|me|", ""},
		{"client setinfo lib-name x", "+OK|", ""},
		{"client trackinginfo", "*6|$5|flags|*1|$3|off|$8|redirect|:-1|$8|prefixes|*0|", "%3|$5|flags|~1|$3|off|$8|redirect|:-1|$8|prefixes|*0|"},
		{"config get databases", "*2|$9|databases|$2|16|", "%1|$9|databases|$2|16|"},
		{"config get nothing", "*0|", "%0|"},
		{"config set nothing 1", "-ERR Unknown option or number of arguments for CONFIG SET - 'nothing'|", ""},
		{"config set timeout 5 timeout 6", "-ERR CONFIG SET failed (possibly related to argument 'timeout') - duplicate parameter|", ""},
		{"config get timeout", "*2|$7|timeout|$1|0|", "%1|$7|timeout|$1|0|"},
		{"module list", "*2|*8|$4|name|$6|search|$3|ver|:21015|$4|path|$0||$4|args|*0|*8|$4|name|$6|ReJSON|$3|ver|:20809|$4|path|$0||$4|args|*0|",
			"*2|%4|$4|name|$6|search|$3|ver|:21015|$4|path|$0||$4|args|*0|%4|$4|name|$6|ReJSON|$3|ver|:20809|$4|path|$0||$4|args|*0|"},
		{"role", "*3|$6|master|:0|*0|", ""},
		{"command info get", "*1|*10|$3|get|:2|*2|+readonly|+fast|:1|:1|:1|*3|+@fast|+@read|+@string|*0|*1|*6|$5|flags|*2|+RO|+access|$12|begin_search|*4|$4|type|$5|index|$4|spec|*2|$5|index|:1|$9|find_keys|*4|$4|type|$5|range|$4|spec|*6|$7|lastkey|:0|$7|keystep|:1|$5|limit|:0|*0|",
			"*1|*10|$3|get|:2|~2|+readonly|+fast|:1|:1|:1|~3|+@fast|+@read|+@string|*0|~1|%3|$5|flags|~2|+RO|+access|$12|begin_search|%2|$4|type|$5|index|$4|spec|%1|$5|index|:1|$9|find_keys|%2|$4|type|$5|range|$4|spec|%3|$7|lastkey|:0|$7|keystep|:1|$5|limit|:0|*0|"},
		{"command info none", "*1|*-1|", "*1|_|"},
		{"command getkeys mset a 1 b 2", "*2|$1|a|$1|b|", ""},
		{"command getkeysandflags get a", "*1|*2|$1|a|*2|+RO|+access|", "*1|*2|$1|a|~2|+RO|+access|"},
		{"command getkeysandflags set a b", "*1|*2|$1|a|*2|+OW|+update|", "*1|*2|$1|a|~2|+OW|+update|"},
		{"command getkeysandflags set a b ex 9 get", "*1|*2|$1|a|*3|+RW|+access|+update|", "*1|*2|$1|a|~3|+RW|+access|+update|"},
		{"command getkeysandflags rename a b", "*2|*2|$1|a|*3|+RW|+access|+delete|*2|$1|b|*2|+OW|+update|",
			"*2|*2|$1|a|~3|+RW|+access|+delete|*2|$1|b|~2|+OW|+update|"},
		{"command getkeys spublish a b", "-ERR The command has no key arguments|", ""},
		{"command docs echo", "*2|$4|echo|*6|$7|summary|$25|Returns the given string.|$5|since|$5|1.0.0|$5|group|$10|connection|",
			"%1|$4|echo|%3|$7|summary|$25|Returns the given string.|$5|since|$5|1.0.0|$5|group|$10|connection|"},
		{"cluster keyslot foo{hash_tag}", ":2515|", ""},
		{"cluster keyslot 123456789", ":12739|", ""},
		{"wait 0 0", ":0|", ""},
		{"wait 0 -1", "-ERR timeout is negative|", ""},
		{"object freq none", "$-1|", "_|"},
		{"setrange h -1 x", "-ERR offset is out of range|", ""},
		{"acl whoami", "$7|default|", ""},
		{"latency latest", "*0|", ""},
		{"debug sleep 0", "+OK|", ""},
		{"hello 4", "-NOPROTO unsupported protocol version|", ""},
		{"flushall", "+OK|", ""},
		{"flushdb now", "-ERR syntax error|", ""},
		{"randomkey", "$-1|", "_|"},
		{"multi", "+OK|", ""},
		{"multi", "-ERR MULTI calls can not be nested|", ""},
		{"watch a", "-ERR WATCH inside MULTI is not allowed|", ""},
		{"set a 1", "+QUEUED|", ""},
		{"hset a f v", "+QUEUED|", ""},
		{"get a", "+QUEUED|", ""},
		{"keys *", "+QUEUED|", ""},
		{"exec", "*4|+OK|-WRONGTYPE Operation against a key holding the wrong kind of value|$1|1|*1|$1|a|", ""},
		{"multi", "+OK|", ""},
		{"nosuch", "-ERR unknown command 'nosuch', with args beginning with: |", ""},
		{"exec", "-EXECABORT Transaction discarded because of previous errors.|", ""},
		{"exec", "-ERR EXEC without MULTI|", ""},
		{"discard", "-ERR DISCARD without MULTI|", ""},
		{"reset", "+RESET|", ""},
		{"get none", "$-1|", "$-1|"},
		{"quit", "+OK|", ""},
	} {
		if c.three == "" {
			c.three = c.two
		}
		require.Equal(t, c.two, two.do(c.cmd), "RESP2 %s", c.cmd)
		require.Equal(t, c.three, three.do(c.cmd), "RESP3 %s", c.cmd)
	}
	require.Empty(t, two.closed())
}

func TestClusterShapes(t *testing.T) {
	f := start(t, Options{NodeID: strings.Repeat("ab", 20)})
	r := f.raw()
	port := f.addr[strings.LastIndex(f.addr, ":")+1:]
	id := strings.Repeat("ab", 20)
	require.Equal(t, "*1|*3|:0|:16383|*4|$9|127.0.0.1|:"+port+"|$40|"+id+"|*0|", r.do("cluster slots"))
	require.Equal(t, "$40|"+id+"|", r.do("cluster myid"))
	require.Contains(t, r.do("cluster nodes"), id+" 127.0.0.1:"+port+"@")
	require.Contains(t, r.do("cluster info"), "cluster_state:ok|cluster_slots_assigned:16384|")
	require.Contains(t, r.do("cluster shards"), "*1|*4|$5|slots|*2|:0|:16383|$5|nodes|*1|*16|")
	require.Equal(t, "-ERR This instance has cluster support disabled|", r.do("cluster meet a 1"))
	require.Equal(t, "+OK|", r.do("set foo{a} 1"))
	require.Equal(t, ":1|", r.do("cluster countkeysinslot 15495"))
	require.Equal(t, "*1|$6|foo{a}|", r.do("cluster getkeysinslot 15495 10"))
	require.Equal(t, "+OK|", r.do("config set cluster-emulation no"))
	require.Equal(t, "-ERR This instance has cluster support disabled|", r.do("cluster slots"))
}
