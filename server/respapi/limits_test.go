package respapi

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/server/service"
)

// passwords is an Authorizer with one password for each role.
type passwords struct{ all, read string }

func (p passwords) AuthorizePassword(password string) (Role, error) {
	switch {
	case password != "" && password == p.all:
		return service.RoleAll, nil
	case password != "" && password == p.read:
		return service.RoleRead, nil
	}
	return service.RoleNone, errors.New("no")
}

func TestPasswordIsRequired(t *testing.T) {
	f := start(t, Options{Auth: passwords{"secret", "look"}})
	r := f.raw()
	require.Equal(t, "-NOAUTH Authentication required.|", r.do("get k"))
	require.Equal(t, "-NOAUTH Authentication required.|", r.do("nosuch"))
	require.Equal(t, "-"+string(errHelloNoAuth)+"|", r.do("hello 3"))
	require.Equal(t, "+PONG|", r.do("ping"))
	require.Equal(t, "-"+string(errWrongPass)+"|", r.do("auth wrong"))
	require.Equal(t, "-"+string(errWrongPass)+"|", r.do("auth bob secret"))
	require.Equal(t, "-"+string(errWrongPass)+"|", r.do("hello 3 auth default wrong"))
	require.Equal(t, "-NOAUTH Authentication required.|", r.do("get k"))
	require.Equal(t, "+OK|", r.do("auth secret"))
	require.Equal(t, "+OK|", r.do("set k v"))
	require.Contains(t, f.raw().do("hello 3 auth default secret setname me"), "%7|")
	require.Equal(t, "+RESET|", r.do("reset"))
	require.Equal(t, "-NOAUTH Authentication required.|", r.do("get k"))

	rdb := redis.NewClient(&redis.Options{Addr: f.addr, Password: "look"})
	defer rdb.Close()
	require.Equal(t, "v", rdb.Get(ctx, "k").Val())
	require.ErrorContains(t, rdb.Set(ctx, "k", "w", 0).Err(), "NOPERM User default has no permissions to run the 'set' command")
	require.ErrorContains(t, rdb.ConfigGet(ctx, "*").Err(), "NOPERM")
}

func TestAuthWithoutAPassword(t *testing.T) {
	r := start(t, Options{}).raw()
	require.Equal(t, "-"+string(errNoPassword)+"|", r.do("auth any"))
	require.Equal(t, "+OK|", r.do("auth default any"))
	require.Equal(t, "-"+string(errWrongPass)+"|", r.do("auth bob any"))
}

func TestLimitsBeforeAuthentication(t *testing.T) {
	f := start(t, Options{Auth: passwords{all: "secret"}, authTime: 300 * time.Millisecond})
	r := f.raw()
	r.send(strings.Fields("set 1 2 3 4 5 6 7 8 9 10")...)
	require.Equal(t, "-ERR Protocol error: invalid multibulk length|", r.closed())
	r = f.raw()
	r.send("set", strings.Repeat("x", 16<<10+1))
	require.Equal(t, "-ERR Protocol error: invalid bulk length|", r.closed())
	began := time.Now()
	f.raw().closed()
	require.Less(t, time.Since(began), 5*time.Second)
	r = f.raw()
	require.Equal(t, "+OK|", r.do("auth secret"))
	time.Sleep(400 * time.Millisecond)
	require.Equal(t, "+PONG|", r.do("ping"))
	r.send("set", "k", strings.Repeat("x", 1<<20))
	require.Equal(t, "+OK|", r.reply())
}

// Rows 1 to 5 of the audit list on the port.
func TestBadInputClosesTheConnection(t *testing.T) {
	f := start(t, Options{})
	for _, in := range []string{
		"*2147483647\r\n", "*1\r\n$536870912\r\n", "*1\r\n$-5\r\n", "*1\r\n$99999999999999999999\r\n", "*1\r\n$x\r\n",
		"*1\r\n$4\r\nPINGPONG", strings.Repeat("a", 64<<10+1), "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "GET / HTTP/1.1\r\n",
		"POST / HTTP/1.1\r\n", "Host: localhost\r\n", "\xde\xad\xbe\xef",
	} {
		r := f.raw()
		_, err := io.WriteString(r.nc, in)
		require.NoError(t, err)
		require.Contains(t, r.closed(), "-ERR Protocol error: ", "%.20q", in)
	}
	require.Equal(t, "+PONG|", f.raw().do("ping"))
}

func TestSlowSendersAreClosed(t *testing.T) {
	f := start(t, Options{commandTime: 200 * time.Millisecond})
	r := f.raw()
	_, err := io.WriteString(r.nc, "*1\r\n$1000000\r\nabc")
	require.NoError(t, err)
	r.closed()
	r = f.raw() // an idle client is not slow
	time.Sleep(300 * time.Millisecond)
	require.Equal(t, "+PONG|", r.do("ping"))
	time.Sleep(300 * time.Millisecond)
	require.Equal(t, "+PONG|", r.do("ping"))
}

func TestMaxClients(t *testing.T) {
	f := start(t, Options{Config: map[string]string{"maxclients": "2"}})
	a := f.raw()
	require.Equal(t, "+PONG|", a.do("ping"))
	require.Equal(t, "+PONG|", f.raw().do("ping"))
	require.Equal(t, "-ERR max number of clients reached|", f.raw().closed())
	require.Equal(t, "+OK|", a.do("quit"))
	a.closed()
	require.Eventually(t, func() bool { return len(f.srv.clients()) == 1 }, 5*time.Second, time.Millisecond)
	require.Equal(t, "+PONG|", f.raw().do("ping"))
}

// A client may write a whole pipeline before it reads, within the bound of unread replies.
func TestWholePipelineBeforeReading(t *testing.T) {
	f := start(t, Options{stall: 300 * time.Millisecond})
	r := f.raw()
	value := strings.Repeat("x", 100<<10)
	r.send("set", "k", value)
	require.Equal(t, "+OK|", r.reply())
	const n = 500 // 50 MB of replies
	one := encode("get", "k")
	for range n {
		_, err := r.nc.Write(one)
		require.NoError(t, err)
	}
	time.Sleep(100 * time.Millisecond)
	for range n {
		require.Equal(t, fmt.Sprintf("$%d|%s|", len(value), value), r.reply())
	}
}

func TestUnreadRepliesAreBounded(t *testing.T) {
	f := start(t, Options{stall: 300 * time.Millisecond})
	r := f.raw()
	r.send("set", "k", strings.Repeat("x", 1<<20))
	require.Equal(t, "+OK|", r.reply())
	one := encode("get", "k")
	for range 1000 { // 1 GB of replies
		if _, err := r.nc.Write(one); err != nil {
			break
		}
	}
	require.Eventually(t, func() bool { return len(f.srv.clients()) == 0 }, 10*time.Second, 10*time.Millisecond)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	require.Less(t, m.HeapInuse, uint64(600<<20))
}

func TestKillAndPause(t *testing.T) {
	f := start(t, Options{})
	a, b := f.raw(), f.raw()
	id := strings.Trim(b.do("client id"), ":|")
	require.Equal(t, ":1|", a.do("client kill id "+id))
	b.closed()
	require.Equal(t, "-ERR No such client|", a.do("client kill 1.2.3.4:5"))
	require.Equal(t, "+OK|", a.do("client pause 100 write"))
	began := time.Now()
	require.Equal(t, "$-1|", a.do("get k"))
	require.Equal(t, "+OK|", a.do("set k v"))
	require.GreaterOrEqual(t, time.Since(began), 90*time.Millisecond)
}

func TestClientReplyModes(t *testing.T) {
	r := start(t, Options{}).raw()
	r.send("client", "reply", "off")
	r.send("set", "k", "v")
	require.Equal(t, "+OK|", r.do("client reply on"))
	r.send("client", "reply", "skip")
	r.send("set", "k", "w")
	require.Equal(t, "$1|w|", r.do("get k"))
}

func TestStopClosesIdleConnections(t *testing.T) {
	f := start(t, Options{})
	r := f.raw()
	require.Equal(t, "+OK|", r.do("set k v"))
	f.stop()
	require.Empty(t, r.closed())
}

func TestShutdownCallsBack(t *testing.T) {
	called := make(chan struct{})
	f := start(t, Options{Shutdown: func() { close(called) }})
	r := f.raw()
	r.send("shutdown", "nosave")
	require.Empty(t, r.closed())
	<-called
	require.Equal(t, "-ERR SHUTDOWN is disabled|", start(t, Options{}).raw().do("shutdown"))
}

func TestSlowLog(t *testing.T) {
	r := start(t, Options{}).raw()
	r.do("config set slowlog-log-slower-than 1000")
	r.do("debug sleep 0.01")
	require.Equal(t, ":1|", r.do("slowlog len"))
	require.Contains(t, r.do("slowlog get"), "*3|$5|debug|$5|sleep|$4|0.01|")
	require.Equal(t, "+OK|", r.do("slowlog reset"))
	require.Equal(t, ":0|", r.do("slowlog len"))
}

// The work of a client that has gone ends (row 24 of the audit list).
func TestDisconnectCancelsALongCommand(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs a way to look at a socket without reading")
	}
	f := start(t, Options{})
	r := f.raw()
	r.send("debug", "sleep", "600")
	time.Sleep(20 * time.Millisecond)
	require.NoError(t, r.nc.Close())
	require.Eventually(t, func() bool { return len(f.srv.clients()) == 0 }, time.Second, 5*time.Millisecond)
}

func TestKeysAreBounded(t *testing.T) {
	r := start(t, Options{}).raw()
	r.send("set", strings.Repeat("k", 40<<10), "v")
	require.Equal(t, "-ERR limit exceeded: key of 40960 bytes, at most 32768|", r.reply())
	r.send("get", strings.Repeat("k", 40<<10))
	require.Equal(t, "$-1|", r.reply())
	r.send("set", "k", strings.Repeat("v", 63<<20))
	require.Equal(t, "+OK|", r.reply())
	require.Equal(t, ":66060288|", r.do("strlen k"))
}

// What cannot be had yet is refused, not taken and ignored.
func TestParametersWithoutEffectAreRefused(t *testing.T) {
	r := start(t, Options{}).raw()
	for _, line := range []string{"config set search.invalid-data-drops-key yes", "config set search.flush-keeps-indexes yes",
		"config set search.json-tag-split no", "config set search.query-threads 3", "config set appendonly no", "config set dir /tmp"} {
		require.Contains(t, r.do(line), "-ERR ", line)
	}
	require.Equal(t, "*2|$29|search.invalid-data-drops-key|$2|no|", r.do("config get search.invalid*"))
}
