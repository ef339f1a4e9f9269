package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/wal"
)

// Bounds of what may wait between the sequencer and publication.
const (
	maxQueuedBytes = 128 << 20 // the sequencer waits above this, or above 1/queueMemory of a memory limit
	queueMemory    = 16
	maxGroupBytes  = 16 << 20 // one commit group
	maxRecordBytes = 1 << 30
	maxKeptBuffer  = 4 << 20 // a larger one is not kept for the next record or group
	leastBuffer    = 1 << 16

	// Small records cost more than their bytes, and whoever comes last waits for all of them.
	maxQueuedRecords = 1 << 15
	maxGroupRecords  = 1 << 13
)

// sequencer puts operations into log order. Requests are resolved one at a time, under mu,
// against the applied state plus the overlay of what is logged but not yet applied.
type sequencer struct {
	mu       sync.Mutex
	space    sync.Cond // signalled when the queue shrinks
	log      *wal.Log
	last     uint64 // newest sequence number given out
	queue    []queued
	bytes    int64 // in queue
	maxBytes int64 // of the queue
	overlay  overlay
	nums     uint32 // last collection number or database generation given out
	keyNum   uint64 // last key number given out
	buf      binfmt.Writer
	failed   error
	closed   bool
	wake     chan struct{} // one pending wake-up of the syncer
}

// queued is an operation that is logged and not yet applied.
type queued struct {
	seq   uint64
	op    op
	bytes int64
}

// Ticket stands for one update on its way: logged, then applied and published.
type Ticket struct {
	db  *DB
	seq uint64
	due time.Time // not to be answered before, see pace
}

// Seq returns the sequence number of the update.
func (t *Ticket) Seq() uint64 { return t.seq }

// Done says whether the update is published and may be answered.
func (t *Ticket) Done() bool {
	return t.db.published.reached(t.seq) && (t.due.IsZero() || !time.Now().Before(t.due))
}

// Wait returns when the update is durable and every read sees it, or with the error that
// keeps it from that, or with ctx's; a write whose wait was ended by ctx still completes.
func (t *Ticket) Wait(ctx context.Context) error { return t.wait(ctx, &t.db.published) }

// waitDurable returns when the update is in the log for good.
func (t *Ticket) waitDurable(ctx context.Context) error { return t.wait(ctx, &t.db.durable) }

func (t *Ticket) wait(ctx context.Context, p *progress) error {
	if err := p.wait(ctx, t.seq); err != nil {
		return err
	}
	return waitUntil(ctx, t.due)
}

// enterLocked waits until the sequencer may take another operation. mu is held.
func (s *sequencer) enterLocked() error {
	for (s.bytes > s.maxBytes || len(s.queue) > maxQueuedRecords) && s.failed == nil && !s.closed {
		s.space.Wait()
	}
	switch {
	case s.failed != nil:
		return s.failed
	case s.closed:
		return ErrClosed
	}
	return nil
}

// encodeLocked puts o into the buffer and returns its size. mu is held.
func (s *sequencer) encodeLocked(o op) (int64, error) {
	s.buf.Buf = s.buf.Buf[:0]
	o.encode(&s.buf)
	n := int64(len(s.buf.Buf))
	if n > maxRecordBytes {
		return 0, fmt.Errorf("%w: operation of %d bytes", ErrLimit, n)
	}
	return n, nil
}

// appendLocked logs o, which is in the buffer, as the next record and queues it for the applier.
// mu is held.
func (s *sequencer) appendLocked(o op) (uint64, error) {
	n := int64(len(s.buf.Buf))
	seq := s.last + 1
	if err := s.log.Append(wal.Record{Seq: seq, Kind: o.kind(), Data: s.buf.Buf}); err != nil {
		return 0, fmt.Errorf("%w: log: %w", ErrReadOnly, err)
	}
	if cap(s.buf.Buf) > maxKeptBuffer {
		s.buf.Buf = nil
	}
	s.last = seq
	s.queue = append(s.queue, queued{seq, o, n})
	s.bytes += n
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return seq, nil
}

// appendLocked appends to the sequencer; a log that takes no records makes the database read-only.
func (db *DB) appendLocked(o op) (uint64, error) {
	n, err := db.seq.encodeLocked(o)
	if err != nil {
		return 0, err
	}
	if err := db.room.check(o, db.seq.bytes+n, db.need); err != nil {
		return 0, err
	}
	seq, err := db.seq.appendLocked(o)
	if errors.Is(err, ErrReadOnly) {
		db.failLocked(err)
	}
	return seq, err
}

// take removes the operations up to and including seq from the queue, as many as fit a group.
func (s *sequencer) take(upTo uint64, group []queued) []queued {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, bytes := 0, int64(0)
	for n < len(s.queue) && s.queue[n].seq <= upTo && bytes < maxGroupBytes && n < maxGroupRecords {
		bytes += s.queue[n].bytes
		n++
	}
	group = append(group[:0], s.queue[:n]...)
	s.queue = slices.Delete(s.queue, 0, n)
	return group
}

// applied forgets the overlay entries of a group that is applied now.
func (s *sequencer) applied(group []queued) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range group {
		s.overlay.forget(q)
		s.bytes -= q.bytes
	}
	s.space.Broadcast()
}

func (s *sequencer) queueLen() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}

func (s *sequencer) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// sequence appends the operation of build, which runs under the sequencer's lock.
func (db *DB) sequence(build func() (op, error)) (*Ticket, error) { return db.sequenceThen(build, nil) }

// sequenceThen appends the operation of build and then runs done, both under the lock.
func (db *DB) sequenceThen(build func() (op, error), done func(seq uint64, o op)) (*Ticket, error) {
	seq, o, err := db.sequenceOp(build, done)
	if err != nil {
		return nil, err
	}
	return &Ticket{db, seq, db.pace(o)}, nil
}

func (db *DB) sequenceOp(build func() (op, error), done func(seq uint64, o op)) (seq uint64, o op, err error) {
	s := &db.seq
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enterLocked(); err != nil {
		return 0, nil, err
	}
	if o, err = build(); err != nil {
		return 0, nil, err
	}
	if seq, err = db.appendLocked(o); err != nil {
		return 0, nil, err
	}
	if done != nil {
		done(seq, o)
	}
	return seq, o, nil
}

// Barrier returns a ticket that is done when everything sequenced so far is published.
func (db *DB) Barrier() *Ticket {
	db.seq.mu.Lock()
	defer db.seq.mu.Unlock()
	return &Ticket{db: db, seq: db.seq.last}
}

// progress is a sequence number that only grows, with goroutines waiting for values of it.
type progress struct {
	mu      sync.Mutex
	value   uint64
	err     error
	changed chan struct{} // closed and replaced at every change
}

func (p *progress) init(value uint64) {
	p.value = value
	p.changed = make(chan struct{})
}

func (p *progress) load() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.value
}

func (p *progress) reached(seq uint64) bool { return p.load() >= seq }

func (p *progress) advance(to uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if to > p.value {
		p.value = to
		close(p.changed)
		p.changed = make(chan struct{})
	}
}

// fail wakes every waiter with err; values already reached stay reached.
func (p *progress) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
		close(p.changed)
		p.changed = make(chan struct{})
	}
}

func (p *progress) wait(ctx context.Context, seq uint64) error {
	for {
		p.mu.Lock()
		value, err, changed := p.value, p.err, p.changed
		p.mu.Unlock()
		switch {
		case value >= seq:
			return nil
		case err != nil:
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
