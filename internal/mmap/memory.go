package mmap

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	mmapgo "github.com/edsrzf/mmap-go"
)

var allocated atomic.Int64

// Allocated returns the number of bytes now reserved by Alloc, touched or not.
func Allocated() int64 { return allocated.Load() }

// Memory is a piece of anonymous memory, or of a file without a name. See Alloc and Spill.
type Memory struct {
	bytes  []byte
	mu     sync.Mutex
	n      int
	onHeap bool
	file   mmapgo.MMap // of Spill
}

// Alloc reserves n bytes, zeroed and page aligned, outside the Go heap; pages that nobody touches
// cost nothing. No Go pointers may be stored there. In race builds small pieces come from the Go
// heap, so that the detector sees them.
func Alloc(n int) (*Memory, error) {
	if n < 0 {
		return nil, fmt.Errorf("mmap: allocate %d bytes: %w", n, os.ErrInvalid)
	}
	if n == 0 {
		return &Memory{}, nil
	}
	m := &Memory{n: n}
	if heapBelow(n) {
		m.bytes, m.onHeap = alignedBytes(n), true
	} else {
		b, err := reserve(n)
		if err != nil {
			return nil, fmt.Errorf("mmap: allocate %d bytes: %w", n, err)
		}
		m.bytes = b
	}
	allocated.Add(int64(n))
	return m, nil
}

// Bytes returns the memory, valid until Free.
func (m *Memory) Bytes() []byte { return m.bytes }

// HugePages asks for huge pages behind the first n bytes. It is a wish: failures are ignored.
func (m *Memory) HugePages(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n = min(n, len(m.bytes)); n > 0 && !m.onHeap && m.file == nil {
		_ = advise(m.bytes[:n], HugePage)
	}
}

// Free gives the memory back. The caller guarantees that nobody uses it any more. Twice is fine.
func (m *Memory) Free() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.n == 0 {
		return
	}
	if m.file != nil {
		m.freeSpill()
		return
	}
	if !m.onHeap {
		release(m.bytes)
	}
	allocated.Add(-int64(m.n))
	m.bytes, m.n = nil, 0
}

// alignedBytes returns n bytes of Go heap that start at a page boundary.
func alignedBytes(n int) []byte {
	page := os.Getpagesize()
	b := make([]byte, n+page)
	skip := page - addressOf(b)%page
	return b[skip : skip+n : skip+n]
}
