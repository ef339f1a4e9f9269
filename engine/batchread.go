package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/isobath/isobath/mmapvec"
	"github.com/isobath/isobath/payload"
)

// readAhead has the disk begin to read the stored rows that changes will be compared with, all at once. Of rows that lie
// on disk a change would wait for one after the other.
func (b *batch) readAhead(seq uint64, changes []pointChange) error {
	if len(changes) < leastReadAhead {
		return nil
	}
	var old []uint32
	for i := range changes {
		c := &changes[i]
		if (c.kind != changePut && c.kind != changeVectors) || b.c.used.never(c.id) {
			continue
		}
		slot, alive, err := b.slotOf(seq, c.id)
		if err != nil {
			return err
		}
		b.slots[c.id] = slotEntry{slot, alive}
		if alive {
			old = append(old, slot)
		}
	}
	if len(old) < leastReadAhead {
		return nil
	}
	for _, vb := range b.vectors {
		b.viewOf(vb).Prefetch(old)
	}
	return nil
}

// leastReadAhead is how many rows are worth it.
const leastReadAhead = 4

func (b *batch) slotOf(seq uint64, id PointID) (uint32, bool, error) {
	if e, ok := b.slots[id]; ok {
		return e.slot, e.alive, nil
	}
	return readSlot(b.ap.db.kv, seq-1, b.c.num, id)
}

func (b *batch) payloadOf(seq uint64, id PointID) ([]byte, error) {
	if doc, ok := b.payloads[id]; ok {
		return doc, nil
	}
	doc, _, err := readPayload(b.ap.db.kv, seq-1, b.c.num, id)
	return doc, err
}

func (b *batch) hasVector(name string, slot uint32) bool {
	if has, ok := b.vectors[name].has[slot]; ok {
		return has
	}
	return b.state().filter.Has(name).Contains(slot)
}

// row returns a stored row, borrowed until the group is published.
func (b *batch) row(name string, slot uint32) ([]float32, error) {
	vb := b.vectors[name]
	if i, ok := vb.at[slot]; ok {
		return vb.rows[i], nil
	}
	return b.viewOf(vb).Row(slot)
}

// viewOf returns the rows of a vector, borrowed until the group is published.
func (b *batch) viewOf(vb *vectorBatch) *mmapvec.View {
	if vb.view == nil {
		vb.view = vb.store.rows.View()
		b.ap.borrowed = append(b.ap.borrowed, vb)
	}
	return vb.view
}

// sameVectors says whether the slot holds exactly these vectors. A row that cannot be read
// counts as different: it is about to be replaced.
func (b *batch) sameVectors(slot uint32, vectors []namedVector) bool {
	n := 0
	for _, name := range b.c.names {
		if b.hasVector(name, slot) {
			n++
		}
	}
	if n != len(vectors) {
		return false
	}
	for _, v := range vectors {
		if b.vectors[v.name] == nil || !b.hasVector(v.name, slot) {
			return false
		}
		row, err := b.row(v.name, slot)
		if err != nil || !equalBits(row, v.data) {
			return false
		}
	}
	return true
}

func readSlot(kv kvStore, seq uint64, num uint32, id PointID) (uint32, bool, error) {
	var key [storePrefixBytes + idKeyBytes]byte
	value, err := kv.Get(seq, storeIDKey(key[:0], prefixSlot, num, id), nil)
	if errors.Is(err, payload.ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("engine: slot of point %s: %w", id, err)
	}
	if len(value) != 4 {
		return 0, false, fmt.Errorf("engine: slot of point %s: %d bytes", id, len(value))
	}
	return binary.BigEndian.Uint32(value), true, nil
}

func readPayload(kv kvStore, seq uint64, num uint32, id PointID) ([]byte, bool, error) {
	var key [storePrefixBytes + idKeyBytes]byte
	value, err := kv.Get(seq, storeIDKey(key[:0], prefixPayload, num, id), nil)
	if errors.Is(err, payload.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("engine: payload of point %s: %w", id, err)
	}
	return value, true, nil
}

func equalBits(a, b []float32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return false
		}
	}
	return true
}
