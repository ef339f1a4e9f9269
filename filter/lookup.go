package filter

import (
	"runtime"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/isobath/isobath/internal/mmap"
)

// guard runs fn, which may read mapped tables; they stay mapped until it returns.
func (s *State) guard(fn func() error) error {
	defer runtime.KeepAlive(s)
	if len(s.tables) == 0 {
		return fn()
	}
	return mmap.Guard("payload index", fn)
}

// lookup returns the slots under any key of the ranges: (below AND NOT changed) OR posting, table by
// table. The result belongs to the caller, yet may share containers with the tables.
func (s *State) lookup(field uint32, ranges ...keyRange) (*roaring.Bitmap, error) {
	acc := roaring.New()
	if s.all.read.IsEmpty() {
		return acc, nil
	}
	c := collector{into: acc, limit: s.all.read.Maximum()}
	for i, t := range s.tables {
		if i > 0 && !acc.IsEmpty() {
			all, own, err := changedIn(t, field)
			if err != nil {
				return nil, err
			}
			all.removeFrom(acc)
			own.removeFrom(acc)
		}
		for _, r := range ranges {
			if err := collect(t, r, &c); err != nil {
				return nil, err
			}
		}
		c.flush()
	}
	return acc, nil
}

func collect(t table, r keyRange, c *collector) error {
	if r.hi != "" {
		return t.scan(r, c)
	}
	p, err := t.get(r.lo)
	if err == nil {
		c.add(p)
	}
	return err
}

// sectionRange is the range of the one key of a section without values.
func sectionRange(field uint32, section byte) keyRange {
	return keyRange{lo: sectionKey(field, section)}
}
