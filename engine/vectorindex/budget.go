package vectorindex

import "sync/atomic"

// Budget is the anonymous memory that all indexes of a process share: for codes and links held in memory, for parts and
// for merges. A nil *Budget has no bound. Safe for concurrent use.
type Budget struct {
	total int64
	used  atomic.Int64
}

// NewBudget returns a budget of so many bytes.
func NewBudget(bytes int64) *Budget { return &Budget{total: bytes} }

// Used returns the bytes in use.
func (b *Budget) Used() int64 {
	if b == nil {
		return 0
	}
	return b.used.Load()
}

// reserve takes n bytes if they are left.
func (b *Budget) reserve(n int64) bool {
	if b == nil {
		return true
	}
	if b.used.Add(n) <= b.total {
		return true
	}
	b.used.Add(-n)
	return false
}

// take takes n bytes, whatever is left: for rows that were accepted.
func (b *Budget) take(n int64) {
	if b != nil {
		b.used.Add(n)
	}
}

// give gives n bytes back.
func (b *Budget) give(n int64) {
	if b != nil {
		b.used.Add(-n)
	}
}

// spare is the part that segments held in memory leave to the rows that arrive and to merges.
func (b *Budget) spare() int64 {
	if b == nil {
		return 0
	}
	return b.total / 4
}

// left returns the bytes that could be reserved.
func (b *Budget) left() int64 {
	if b == nil {
		return 1 << 62
	}
	return max(0, b.total-b.used.Load())
}
