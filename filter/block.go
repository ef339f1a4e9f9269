package filter

import (
	"encoding/binary"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/isobath/isobath/internal/binfmt"
)

// blockIter walks the entries of one checked block.
type blockIter struct {
	t      *frozenTable
	rest   []byte
	keyBuf []byte
	value  []byte // the encoded posting, from its kind on
	failed error
}

// Kinds of postings in a block; on disk.
const (
	postingList   = 0
	postingBitmap = 1
)

func (it *blockIter) next() bool {
	if it.failed != nil || len(it.rest) == 0 {
		return false
	}
	shared, n1 := binary.Uvarint(it.rest)
	if n1 <= 0 || shared > uint64(len(it.keyBuf)) {
		return it.fail()
	}
	own, n2 := binary.Uvarint(it.rest[n1:])
	rest := it.rest[n1+max(n2, 0):]
	if n2 <= 0 || own > uint64(len(rest)) {
		return it.fail()
	}
	it.keyBuf = append(it.keyBuf[:shared], rest[:own]...)
	rest = rest[own:]
	size, n := binary.Uvarint(rest)
	if n <= 0 || size == 0 || size > uint64(len(rest)-n) || len(it.keyBuf) < sectionLen {
		return it.fail()
	}
	it.value = rest[n : n+int(size)]
	it.rest = rest[n+int(size):]
	return true
}

func (it *blockIter) fail() bool {
	it.failed = it.t.corrupt(0, errBlock)
	return false
}

func (it *blockIter) posting() (posting, error) {
	if it.value[0] == postingBitmap {
		bm, err := it.bitmap()
		return posting{bm: bm}, err
	}
	var list []uint32
	err := it.eachSlot(func(slot uint32) { list = append(list, slot) })
	return posting{list: list}, err
}

func (it *blockIter) addTo(c *collector) error {
	if it.value[0] == postingBitmap {
		bm, err := it.bitmap()
		if err == nil {
			c.add(posting{bm: bm})
		}
		return err
	}
	return it.eachSlot(c.addSlot)
}

func (it *blockIter) eachSlot(fn func(uint32)) error {
	if it.value[0] != postingList {
		return it.t.corrupt(0, errBlock)
	}
	slot := uint64(0)
	for b := it.value[1:]; len(b) > 0; {
		d, n := binary.Uvarint(b)
		if n <= 0 || d > 1<<32 || slot+d > 1<<32-1 {
			return it.t.corrupt(0, errBlock)
		}
		slot += d
		fn(uint32(slot))
		b = b[n:]
	}
	return nil
}

func (it *blockIter) bitmap() (*roaring.Bitmap, error) {
	r := binfmt.NewReader(it.value[1:])
	off, n, sum := r.U64(), r.U32(), r.U32()
	size := uint64(len(it.t.data))
	if r.Err() != nil || off > size || uint64(n) > size-off {
		return nil, it.t.corrupt(0, errBlock)
	}
	b := it.t.data[off : off+uint64(n)]
	if binfmt.Checksum(b) != sum {
		return nil, it.t.corrupt(int(off), binfmt.ErrChecksum)
	}
	bm, err := frozenBitmap(b)
	if err != nil {
		return nil, it.t.corrupt(int(off), err)
	}
	return bm, nil
}

func (t *frozenTable) cursor(from string) cursor {
	c := &frozenCursor{t: t, from: from}
	if from != "" {
		c.block, c.failed = t.block(from)
	}
	return c
}

type frozenCursor struct {
	t      *frozenTable
	from   string
	block  int
	it     blockIter
	failed error
}

func (c *frozenCursor) next() bool {
	for c.failed == nil {
		if c.it.next() {
			if string(c.it.keyBuf) < c.from {
				continue
			}
			return true
		}
		if c.failed = c.it.failed; c.failed != nil || c.block == c.t.levels[0].count {
			return false
		}
		b, err := c.t.ref(0, c.block)
		c.failed = err
		c.block++
		c.it = blockIter{t: c.t, rest: b, keyBuf: c.it.keyBuf[:0]}
	}
	return false
}

func (c *frozenCursor) key() []byte               { return c.it.keyBuf }
func (c *frozenCursor) posting() (posting, error) { return c.it.posting() }
func (c *frozenCursor) err() error                { return c.failed }
