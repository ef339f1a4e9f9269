package slots

import (
	"sync"

	"github.com/isobath/isobath/internal/mmap"
)

// arena hands out page memory from growing pieces outside the Go heap.
type arena struct {
	mu     sync.Mutex
	pieces []*mmap.Memory
	rest   []byte   // of the newest piece
	free   [][]byte // given back, not cleared
	closed bool
}

const (
	arenaFirst = 1  // pages of the first piece: most collections are small
	arenaMost  = 64 // pages of the largest
)

// get returns pageBytes of memory with arbitrary content.
func (a *arena) get() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := len(a.free); n > 0 {
		b := a.free[n-1]
		a.free = a.free[:n-1]
		return b
	}
	if len(a.rest) < pageBytes {
		n := min(arenaFirst<<len(a.pieces), arenaMost)
		if len(a.pieces) > 6 {
			n = arenaMost
		}
		m, err := mmap.Alloc(n * pageBytes)
		if err != nil { // no address space: the Go heap may still have some
			return bytesOf(new(pageData))
		}
		a.pieces = append(a.pieces, m)
		a.rest = m.Bytes()
	}
	b := a.rest[:pageBytes:pageBytes]
	a.rest = a.rest[pageBytes:]
	return b
}

// bytes is the memory of all pieces.
func (a *arena) bytes() (n int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.pieces {
		n += int64(len(m.Bytes()))
	}
	return n
}

// put takes memory back that nobody reads any more.
func (a *arena) put(b []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.free = append(a.free, b)
	}
}

func (a *arena) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	for _, m := range a.pieces {
		m.Free()
	}
	a.pieces, a.rest, a.free = nil, nil, nil
}
