package respapi

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

const (
	unreadBytes = 64 << 20 // replies a client may leave unread
	wakeBytes   = 64 << 10 // replies that are sent even though more commands wait
	keepBytes   = 32 << 10 // buffers kept by an idle connection
	chunkBytes  = 64 << 10 // one write to the network; progress is seen by these
)

var errUnread = errors.New("respapi: the client does not read its replies")

// waiter is a write on its way; *engine.Ticket.
type waiter interface {
	Wait(ctx context.Context) error
	Done() bool
}

// mark is a reply that depends on a write: it is sent when the write is published and
// replaced by an error when it fails.
type mark struct {
	start, end int
	ticket     waiter
}

// batch is a run of replies.
type batch struct {
	buf   []byte
	marks []mark
}

func (b *batch) reset() {
	b.buf, b.marks = b.buf[:0], b.marks[:0]
	if cap(b.buf) > keepBytes {
		b.buf = nil
	}
	if cap(b.marks) > 1024 {
		b.marks = nil
	}
	clear(b.marks[:cap(b.marks)])
}

// outbox is the queue between the goroutine that executes and the one that writes. Its methods
// are safe for concurrent use; run is called once, sendDirect by the goroutine that executes.
type outbox struct {
	nc       net.Conn
	direct   *directWriter // nil: replies go through the writer only
	stall    time.Duration // without progress for so long an overfull outbox fails
	progress chan struct{} // a chunk went out
	wake     chan struct{} // there is something to take

	mu      sync.Mutex
	next    batch
	busy    bool // replies taken out of next are being written
	pending int  // bytes queued and not yet written to the network
	closed  bool
}

func newOutbox(nc net.Conn, stall time.Duration) *outbox {
	return &outbox{nc: nc, direct: newDirectWriter(nc), stall: stall, progress: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
}

// put queues a reply, with t nil or the write it depends on. It says whether so much waits
// that the writer should be woken now.
func (o *outbox) put(reply []byte, t waiter) (full bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	start := len(o.next.buf)
	o.next.buf = append(o.next.buf, reply...)
	if t != nil {
		o.next.marks = append(o.next.marks, mark{start, len(o.next.buf), t})
	}
	o.pending += len(reply)
	return len(o.next.buf) >= wakeBytes
}

// flush wakes the writer.
func (o *outbox) flush() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// directBytes is the most that sendDirect writes itself.
const directBytes = 16 << 10

// sendDirect is flush for a goroutine that is about to wait for its client: a reply that the system takes at once needs no
// other goroutine. What depends on a write, or does not fit, is left to the writer.
func (o *outbox) sendDirect() {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(o.next.buf)
	switch {
	case n == 0 || o.busy: // the writer looks again when it is done
		return
	case n <= directBytes && o.direct != nil && len(o.next.marks) == 0:
		sent := o.direct.write(o.next.buf)
		o.pending -= sent
		if sent == n {
			o.next.reset()
			return
		}
		o.next.buf = o.next.buf[:copy(o.next.buf, o.next.buf[sent:])]
	}
	o.flush()
}

// close lets run return once everything queued was written.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.flush()
}

// unread returns the number of bytes queued and not yet written.
func (o *outbox) unread() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.pending
}

// admit waits until the unread replies are within their bound.
func (o *outbox) admit(ctx context.Context) error {
	if o.unread() <= unreadBytes {
		return nil
	}
	o.flush()
	timer := time.NewTimer(o.stall)
	defer timer.Stop()
	for o.unread() > unreadBytes {
		select {
		case <-o.progress:
			timer.Reset(o.stall)
		case <-timer.C:
			return errUnread
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// run writes replies until the outbox is closed and empty, or the network fails.
func (o *outbox) run(ctx context.Context) error {
	var b batch
	for {
		closed := o.take(&b)
		if len(b.buf) == 0 {
			if closed {
				return nil
			}
			select {
			case <-o.wake:
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		}
		if err := o.send(ctx, &b); err != nil {
			return err
		}
	}
}

// take swaps b, which was sent, for what is queued.
func (o *outbox) take(b *batch) (closed bool) {
	b.reset()
	o.mu.Lock()
	defer o.mu.Unlock()
	*b, o.next = o.next, *b
	o.busy = len(b.buf) > 0
	return o.closed
}

// send writes the replies of b in order and waits for the writes they depend on.
func (o *outbox) send(ctx context.Context, b *batch) error {
	from := 0
	for _, m := range b.marks {
		if m.ticket.Done() {
			continue
		}
		if err := o.write(b.buf[from:m.start]); err != nil {
			return err
		}
		from = m.start
		if err := m.ticket.Wait(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := o.replace(b.buf[m.start:m.end], err); err != nil {
				return err
			}
			from = m.end
		}
	}
	return o.write(b.buf[from:])
}

// replace sends the error of a write instead of its reply.
func (o *outbox) replace(reply []byte, err error) error {
	line := errorLine(err)
	o.mu.Lock()
	o.pending += len(line) - len(reply)
	o.mu.Unlock()
	return o.write(line)
}

func (o *outbox) write(p []byte) error {
	for len(p) > 0 {
		n, err := o.nc.Write(p[:min(len(p), chunkBytes)])
		o.mu.Lock()
		o.pending -= n
		o.mu.Unlock()
		if err != nil {
			return err
		}
		p = p[n:]
		select {
		case o.progress <- struct{}{}:
		default:
		}
	}
	return nil
}
