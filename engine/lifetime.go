package engine

import "sync"

// lifetime counts the calls that run inside something that can be closed. The zero value is open.
type lifetime struct {
	mu     sync.Mutex
	calls  int
	closed bool
	idle   sync.Cond // L is mu once close has run
}

// enter registers a call; false when the thing is closing.
func (l *lifetime) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.calls++
	return true
}

func (l *lifetime) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls--
	if l.closed && l.calls == 0 {
		l.idle.Broadcast()
	}
}

// close lets no further call in and returns when the running ones have left.
func (l *lifetime) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.idle.L = &l.mu
	l.closed = true
	for l.calls > 0 {
		l.idle.Wait()
	}
}
