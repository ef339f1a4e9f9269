package respapi

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/engine"
)

// pendingWrite is a write whose outcome the test decides.
type pendingWrite struct {
	done chan struct{}
	err  error
}

func newWrite() *pendingWrite { return &pendingWrite{done: make(chan struct{})} }

func (w *pendingWrite) end(err error) {
	w.err = err
	close(w.done)
}

func (w *pendingWrite) Done() bool {
	select {
	case <-w.done:
		return w.err == nil
	default:
		return false
	}
}

func (w *pendingWrite) Wait(ctx context.Context) error {
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pipe runs an outbox and returns the other end of its connection.
func pipe(t *testing.T) (*outbox, net.Conn, context.CancelFunc) {
	ours, theirs := net.Pipe()
	o := newOutbox(ours, time.Second)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = o.run(ctx)
		_ = ours.Close()
	}()
	t.Cleanup(func() {
		cancel()
		_ = theirs.Close()
		<-ended
	})
	require.NoError(t, theirs.SetReadDeadline(time.Now().Add(10*time.Second)))
	return o, theirs, cancel
}

func expect(t *testing.T, nc net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	_, err := io.ReadFull(nc, got)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

func TestRepliesKeepTheirOrder(t *testing.T) {
	o, nc, _ := pipe(t)
	first, second := newWrite(), newWrite()
	o.put([]byte("+0\r\n"), nil)
	o.put([]byte("+1\r\n"), first)
	o.put([]byte("+2\r\n"), nil)
	o.put([]byte("+3\r\n"), second)
	o.put([]byte("+4\r\n"), nil)
	o.flush()
	expect(t, nc, "+0\r\n")
	second.end(nil) // out of order on purpose
	require.NoError(t, nc.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	_, err := nc.Read(make([]byte, 1))
	require.Error(t, err)
	require.NoError(t, nc.SetReadDeadline(time.Now().Add(10*time.Second)))
	first.end(nil)
	expect(t, nc, "+1\r\n+2\r\n+3\r\n+4\r\n")
	require.Eventually(t, func() bool { return o.unread() == 0 }, 5*time.Second, time.Millisecond)
}

// A write that fails after its command was executed is answered by the error, and only it.
func TestFailedWriteIsAnsweredByItsError(t *testing.T) {
	o, nc, _ := pipe(t)
	bad, good := newWrite(), newWrite()
	o.put([]byte("+1\r\n"), bad)
	o.put([]byte("$-1\r\n"), nil)
	o.put([]byte("+2\r\n"), good)
	o.flush()
	bad.end(engine.ErrReadOnly)
	good.end(nil)
	expect(t, nc, "-MISCONF Errors writing to disk: database is read-only\r\n$-1\r\n+2\r\n")
	require.Eventually(t, func() bool { return o.unread() == 0 }, 5*time.Second, time.Millisecond)
}

func TestCloseSendsWhatIsQueued(t *testing.T) {
	o, nc, _ := pipe(t)
	w := newWrite()
	o.put([]byte("+1\r\n"), w)
	o.close()
	o.put([]byte("+late\r\n"), nil)
	w.end(nil)
	rest, err := io.ReadAll(nc)
	require.NoError(t, err)
	require.Equal(t, "+1\r\n", string(rest))
}

func TestCancelEndsTheWait(t *testing.T) {
	o, nc, cancel := pipe(t)
	o.put([]byte("+1\r\n"), newWrite())
	o.flush()
	cancel()
	rest, err := io.ReadAll(nc)
	require.NoError(t, err)
	require.Empty(t, rest)
}
