package filter

import (
	"bytes"

	"github.com/RoaringBitmap/roaring/v2"
)

// merge walks tables, oldest first, as one: emit gets every key in order with the slots that have it, from a key on.
// Fields that are not live (nil: all are) are left out; at the bottom of a stack what a table changed is, too. Keys
// are borrowed, postings share memory with the tables.
func merge(tables []table, from string, bottom bool, live map[uint32]bool, emit func(key []byte, p posting) error) error {
	m := &merger{bottom: bottom, live: live, emit: emit, field: ^uint32(0)}
	for i, t := range tables {
		c := t.cursor(from)
		if c.next() {
			m.open = append(m.open, source{cursor: c, key: c.key(), age: i})
		} else if c.err() != nil {
			return c.err()
		}
	}
	m.tables = tables
	for len(m.open) > 0 {
		if err := m.step(); err != nil {
			return err
		}
	}
	return nil
}

type merger struct {
	tables []table
	bottom bool
	live   map[uint32]bool
	emit   func(key []byte, p posting) error

	open   []source // in order of age
	field  uint32
	masks  []*roaring.Bitmap // by table: what newer ones changed of the field
	keyBuf []byte
}

type source struct {
	cursor cursor
	key    []byte
	age    int
}

// step emits the least key and moves the cursors that stand on it.
func (m *merger) step() error {
	least := m.open[0].key
	for _, s := range m.open[1:] {
		if bytes.Compare(s.key, least) < 0 {
			least = s.key
		}
	}
	m.keyBuf = append(m.keyBuf[:0], least...)
	key := m.keyBuf
	if err := m.enter(keyField(key)); err != nil {
		return err
	}
	changed := key[sectionLen-1] == secChanged
	var p posting
	kept := m.open[:0]
	for _, s := range m.open {
		if !bytes.Equal(s.key, key) {
			kept = append(kept, s)
			continue
		}
		part, err := s.cursor.posting()
		if err != nil {
			return err
		}
		if !changed {
			part = part.without(m.masks[s.age])
		}
		p = p.union(part)
		if s.cursor.next() {
			s.key = s.cursor.key()
			kept = append(kept, s)
		} else if err := s.cursor.err(); err != nil {
			return err
		}
	}
	m.open = kept
	if p.empty() || changed && m.bottom || m.live != nil && m.field != allFields && !m.live[m.field] {
		return nil
	}
	return m.emit(key, p)
}

// enter computes the masks of a field.
func (m *merger) enter(field uint32) error {
	if field == m.field {
		return nil
	}
	m.field = field
	m.masks = make([]*roaring.Bitmap, len(m.tables))
	var mask *roaring.Bitmap
	for i := len(m.tables) - 1; i >= 0; i-- {
		m.masks[i] = mask
		all, own, err := changedIn(m.tables[i], field)
		if err != nil {
			return err
		}
		if all.empty() && own.empty() {
			continue
		}
		next := roaring.New()
		if mask != nil {
			next.Or(mask)
		}
		all.addTo(next)
		own.addTo(next)
		mask = next
	}
	return nil
}
