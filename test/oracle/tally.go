package oracle

import (
	"fmt"
	"sync"
)

// Tally follows a counter that several clients increment by one. Safe for concurrent use.
type Tally struct {
	mu    sync.Mutex
	base  int64 // value at the last restart
	acked int64 // increments acknowledged since
	sent  int64 // increments sent since
	total int64 // acknowledged ever
	seen  map[int64]bool
}

// NewTally returns the tally of a counter that does not exist yet.
func NewTally() *Tally { return &Tally{seen: map[int64]bool{}} }

// Sent notes that n increments are about to be sent.
func (t *Tally) Sent(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent += int64(n)
}

// Acked notes a reply: the counter's value after one increment. Every value is seen once.
func (t *Tally) Acked(value int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.acked++
	t.total++
	if t.seen[value] {
		return fmt.Errorf("oracle: two increments were answered with %d", value)
	}
	t.seen[value] = true
	if value <= t.base || value > t.base+t.sent {
		return fmt.Errorf("oracle: an increment was answered with %d, must be within %d to %d", value, t.base+1, t.base+t.sent)
	}
	return nil
}

// Total returns the number of increments acknowledged so far.
func (t *Tally) Total() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total
}

// Resolve compares the value found after a restart and continues from it.
func (t *Tally) Resolve(value int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	low, high := t.base+t.acked, t.base+t.sent
	if value < low || value > high {
		return fmt.Errorf("oracle: counter is %d, must be within %d (acknowledged) to %d (sent)", value, low, high)
	}
	t.base, t.acked, t.sent = value, 0, 0
	clear(t.seen) // all later replies are above value
	return nil
}
