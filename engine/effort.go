package engine

import (
	"sync"
	"sync/atomic"
	"time"
)

// effort is how much of the time workers work, found over windows.
type effort struct {
	report func(busy bool) // Options.Busy; may be nil
	worked atomic.Int64    // nanoseconds, of all workers

	mu     sync.Mutex // guards the fields below
	begun  time.Time  // of the window
	before int64      // worked at its begin
	busy   bool
	ended  bool
}

const (
	effortWindow = 500 * time.Millisecond
	busyFrom     = 0.25 // of the time of one worker
	idleBelow    = 0.05
)

// spent notes that a worker worked so long.
func (e *effort) spent(d time.Duration) { e.worked.Add(int64(d)) }

// look ends the window when it is due, and reports a change.
func (e *effort) look(now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	elapsed := now.Sub(e.begun)
	if !e.begun.IsZero() && elapsed < effortWindow {
		return
	}
	worked := e.worked.Load()
	share := float64(worked-e.before) / float64(elapsed)
	e.begun, e.before = now, worked
	e.setLocked(share >= busyFrom || e.busy && share >= idleBelow)
}

// long is told of a piece of work that takes longer than a window.
func (e *effort) long() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.setLocked(true)
}

// end reports that workers work no more.
func (e *effort) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.setLocked(false)
	e.ended = true
}

func (e *effort) setLocked(busy bool) {
	if e.ended || busy == e.busy {
		return
	}
	e.busy = busy
	if e.report != nil {
		e.report(busy)
	}
}
