//go:build unix

package respapi

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tcpPair returns both ends of a connection.
func tcpPair(t *testing.T) (ours, theirs net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	theirs, err = net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	ours, err = l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = ours.Close()
		_ = theirs.Close()
	})
	require.NoError(t, theirs.SetReadDeadline(time.Now().Add(10*time.Second)))
	return ours, theirs
}

func TestDirectReplyNeedsNoWriter(t *testing.T) {
	ours, theirs := tcpPair(t)
	o := newOutbox(ours, time.Second)
	o.put([]byte("+1\r\n"), nil)
	o.sendDirect()
	expect(t, theirs, "+1\r\n")
	require.Zero(t, o.unread())

	o.put([]byte("+2\r\n"), newWrite())
	o.sendDirect()
	require.Equal(t, 4, o.unread(), "a reply that depends on a write waits for it")
}

// What a full socket does not take, the writer sends, in order and once.
func TestDirectReplyToAClientThatDoesNotRead(t *testing.T) {
	ours, theirs := tcpPair(t)
	o := newOutbox(ours, 10*time.Second)
	var want []byte
	for i := 0; o.unread() == 0; i++ {
		reply := bytes.Repeat([]byte{byte(i)}, directBytes-7)
		want = append(want, reply...)
		o.put(reply, nil)
		o.sendDirect()
	}
	require.Less(t, o.unread(), len(want))
	ended := make(chan error, 1)
	go func() {
		err := o.run(context.Background())
		_ = ours.Close()
		ended <- err
	}()
	for i := range 3 {
		reply := []byte{byte('a' + i)}
		want = append(want, reply...)
		o.put(reply, nil)
		o.sendDirect()
	}
	o.close()
	got, err := io.ReadAll(theirs)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got), "%d bytes of %d", len(got), len(want))
	require.NoError(t, <-ended)
	require.Zero(t, o.unread())
}
