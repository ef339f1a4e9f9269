package vectorindex

import (
	"sync"
	"sync/atomic"
)

// Budget is the anonymous memory that all indexes of a process share: for codes and links held in memory, for parts and
// for merges. A nil *Budget has no bound. Safe for concurrent use.
type Budget struct {
	mu      sync.Mutex
	total   int64
	lasting int64 // what total is expected to be most of the time
	used    int64
	passing int64 // of used: goes by itself, so that it is no reason for smaller codes

	pressing atomic.Bool // see Press
}

// NewBudget returns a budget of so many bytes.
func NewBudget(bytes int64) *Budget { return &Budget{total: bytes, lasting: bytes} }

// Resize sets the bytes that there are, by which memory is given out and taken back, and those that there are most of the
// time, by which codes are chosen: other codes are a lot of work, also when a little memory is short for a moment.
func (b *Budget) Resize(bytes, lasting int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total, b.lasting = bytes, lasting
}

// Total returns the bytes that there are.
func (b *Budget) Total() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total
}

// Used returns the bytes in use.
func (b *Budget) Used() int64 {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// reserve takes n bytes if that leaves so many others.
func (b *Budget) reserve(n, others int64) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used+n > b.total-others {
		return false
	}
	b.used += n
	return true
}

// take takes n bytes, whatever is left: for rows that were accepted.
func (b *Budget) take(n int64) {
	if b != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.used += n
	}
}

// give gives n bytes back.
func (b *Budget) give(n int64) { b.take(-n) }

// pass tells that n bytes taken will be given back before long: a merge has them, or what the last searches read that
// began before it was replaced. A negative n takes that back.
func (b *Budget) pass(n int64) {
	if b != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.passing += n
	}
}

// givePassed gives n bytes back that were passing.
func (b *Budget) givePassed(n int64) {
	if b != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.used -= n
		b.passing -= n
	}
}

// spare is the part that segments held in memory leave to the rows that arrive and to merges.
func (b *Budget) spare() int64 {
	if b == nil {
		return 0
	}
	return b.Total() / spareShare
}

// spareShare of the bytes are spare.
const spareShare = 8

// left returns the bytes that could be reserved.
func (b *Budget) left() int64 {
	if b == nil {
		return 1 << 62
	}
	return max(0, b.Total()-b.Used())
}

// exceeded tells whether more is in use, not only in passing, than there is.
func (b *Budget) exceeded() bool {
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used-b.passing > b.total
}

// room returns the bytes for the sources of an index that has so many bytes in them: what others do not have most of the time, less
// what is spare.
// now is what of that there is at the moment.
func (b *Budget) room(own int64) (lasting, now int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	others := max(0, b.used-b.passing-own)
	return b.lasting - b.lasting/spareShare - others, b.total - b.total/spareShare - others
}

// Press tells whether writers wait because tails are too large: then none waits for a merge.
func (b *Budget) Press(on bool) {
	if b != nil {
		b.pressing.Store(on)
	}
}

func (b *Budget) pressed() bool { return b != nil && b.pressing.Load() }
