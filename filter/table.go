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
	before(key string) (string, error)      // for walking backwards
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
	slots int // gathered
	dense []uint64
	some  [128]uint32
}

const (
	// denseAfter is the number of slots from which a dense array pays.
	denseAfter = 1024
	// denseShare is the share of all slots, as a divisor, from which the union with a bitmap costs less
	// than setting its bits: its containers are words then, or become so soon.
	denseShare = 64
)

func (c *collector) add(p posting) {
	if p.bm == nil {
		for _, slot := range p.list {
			c.addSlot(slot)
		}
		return
	}
	n := p.bm.GetCardinality()
	if c.dense == nil || n > uint64(c.limit/denseShare) {
		c.into.Or(p.bm)
		c.gathered(int(n))
		return
	}
	for it := p.bm.ManyIterator(); ; {
		k := it.NextMany(c.some[:])
		if k == 0 {
			return
		}
		for _, slot := range c.some[:k] {
			if slot <= c.limit {
				c.dense[slot>>6] |= 1 << (slot & 63)
			}
		}
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
	c.gathered(1)
}

// gathered counts slots that are in the bitmap and goes over to the dense array.
func (c *collector) gathered(n int) {
	if c.slots += n; c.slots >= denseAfter && c.dense == nil && uint64(c.limit) < 1<<31 {
		c.dense = make([]uint64, c.limit>>6+1)
	}
}

// flush moves everything gathered into the bitmap.
func (c *collector) flush() {
	if c.dense != nil {
		c.into.Or(roaring.FromDense(c.dense, true))
	}
	c.dense, c.slots = nil, 0
}
