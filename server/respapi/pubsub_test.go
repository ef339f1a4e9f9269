package respapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPubSubShapes(t *testing.T) {
	f := start(t, Options{})
	two, three, pub := f.raw(), f.raw(), f.raw()
	three.do("hello 3")
	require.Equal(t, "*3|$9|subscribe|$1|a|:1|", two.do("subscribe a"))
	require.Equal(t, "*3|$10|psubscribe|$1|*|:2|", two.do("psubscribe *"))
	require.Equal(t, ">3|$9|subscribe|$1|a|:1|", three.do("subscribe a"))
	require.Equal(t, ":3|", pub.do("publish a hi"))
	require.Equal(t, "*3|$7|message|$1|a|$2|hi|", two.reply())
	require.Equal(t, "*4|$8|pmessage|$1|*|$1|a|$2|hi|", two.reply())
	require.Equal(t, ">3|$7|message|$1|a|$2|hi|", three.reply())
	require.Equal(t, string("-"+errSubscribedMode("get").Error()+"|"), two.do("get k"))
	require.Equal(t, "*2|$4|pong|$0||", two.do("ping"))
	require.Equal(t, "*2|$4|pong|$1|x|", two.do("ping x"))
	require.Equal(t, "_|", three.do("get k"))
	require.Equal(t, "*1|$1|a|", pub.do("pubsub channels"))
	require.Equal(t, "*4|$1|a|:2|$1|b|:0|", pub.do("pubsub numsub a b"))
	three.do("subscribe b")
	require.Equal(t, "*4|$1|a|:2|$1|b|:1|", three.do("pubsub numsub a b"), "an array in version 3 too")
	require.Equal(t, ":1|", pub.do("pubsub numpat"))
	require.Equal(t, "*3|$11|unsubscribe|$1|a|:1|", two.do("unsubscribe"))
	require.Equal(t, "*3|$12|punsubscribe|$1|*|:0|", two.do("punsubscribe *"))
	require.Equal(t, "*3|$11|unsubscribe|$-1|:0|", two.do("unsubscribe"))
	require.Equal(t, "$-1|", two.do("get k"))
	require.Equal(t, "*3|$10|ssubscribe|$1|s|:1|", two.do("ssubscribe s"))
	require.Equal(t, ":1|", pub.do("spublish s x"))
	require.Equal(t, "*3|$8|smessage|$1|s|$1|x|", two.reply())
	require.NoError(t, two.nc.Close())
	require.Eventually(t, func() bool { return pub.do("publish s y") == ":0|" }, 5*time.Second, time.Millisecond)
}

// A message that tells of a write arrives when the write can be read.
func TestMessageFollowsItsWrite(t *testing.T) {
	f := start(t, Options{})
	sub := f.client().Subscribe(ctx, "news")
	defer sub.Close()
	_, err := sub.Receive(ctx)
	require.NoError(t, err)
	w, reader := f.raw(), f.client()
	for i := range 20 {
		w.send("set", "k", fmt.Sprint(i))
		w.send("publish", "news", "k")
		_, err := sub.ReceiveMessage(ctx)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i), reader.Get(ctx, "k").Val())
	}
}

func TestDeafSubscriberIsCutOff(t *testing.T) {
	f := start(t, Options{})
	r, pub := f.raw(), f.raw()
	r.do("subscribe a")
	message := strings.Repeat("x", 1<<20)
	for range 200 {
		pub.send("publish", "a", message)
		if pub.reply() == ":0|" {
			return
		}
	}
	t.Fatal("still subscribed")
}
