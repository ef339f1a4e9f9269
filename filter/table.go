package filter

import (
	"github.com/RoaringBitmap/roaring/v2"
)

// table is an immutable sorted map from keys to postings: *memTable or *frozenTable. Postings may
// share memory with the table: they are valid while it is reachable, and never modified.
type table interface {
	get(key string) (posting, error)
	scan(r keyRange, into *collector) error // all postings within a half-open range
	cursor(from string) cursor              // stands before the first key that is not below from
	bytes() int64
}

// cursor walks a table in key order.
type cursor interface {
	next() bool
	key() []byte // borrowed until next, read only
	posting() (posting, error)
	err() error
}

// changedIn returns what t voids below itself for a field: in every field, and in this one.
func changedIn(t table, field uint32) (all, own posting, err error) {
	if all, err = t.get(sectionKey(allFields, secChanged)); err != nil {
		return all, own, err
	}
	own, err = t.get(sectionKey(field, secChanged))
	return all, own, err
}

// collector gathers many small postings into one bitmap: directly while they are few, then through
// a dense bit array. Slots above limit are ignored.
type collector struct {
	into  *roaring.Bitmap
	limit uint32
	lists int
	dense []uint64
}

// denseAfter is the number of single slots from which a dense array pays.
const denseAfter = 1024

func (c *collector) add(p posting) {
	if p.bm != nil {
		c.into.Or(p.bm)
		return
	}
	for _, slot := range p.list {
		c.addSlot(slot)
	}
}

func (c *collector) addSlot(slot uint32) {
	if slot > c.limit {
		return
	}
	if c.dense != nil {
		c.dense[slot>>6] |= 1 << (slot & 63)
		return
	}
	c.into.Add(slot)
	if c.lists++; c.lists == denseAfter && uint64(c.limit) < 1<<31 {
		c.dense = make([]uint64, c.limit>>6+1)
	}
}

// flush moves everything gathered into the bitmap.
func (c *collector) flush() {
	if c.dense != nil {
		c.into.Or(roaring.FromDense(c.dense, true))
	}
	c.dense, c.lists = nil, 0
}
