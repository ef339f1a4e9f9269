package engine

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/isobath/isobath/engine/slots"
	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/mmapvec"
	"github.com/isobath/isobath/payload"
)

// batch collects what one commit group changes in one collection. Its lookups see the changes
// so far, whether or not they are in badger yet.
type batch struct {
	ap       *applier
	c        *Collection
	edit     *filter.Editor
	slots    map[PointID]slotEntry
	payloads map[PointID][]byte
	vectors  map[string]*vectorBatch
	killed   []uint32
	ownFeed  bool // c.applied.feed is this group's copy
}

type slotEntry struct {
	slot  uint32
	alive bool
}

// vectorBatch holds the rows of one named vector that the group writes.
type vectorBatch struct {
	store   *vectorStore
	slots   []uint32
	rows    [][]float32
	written int             // rows that are in the store already
	at      map[uint32]int  // slot -> row
	has     map[uint32]bool // overrides the published has-vector set
	view    *mmapvec.View   // of the store, opened at the first lookup
}

// pointRow is a whole point on its way into a collection.
type pointRow struct {
	id         PointID
	vectors    []namedVector // sorted by name
	payload    []byte        // JSON; FT collections: the key
	hasPayload bool
	values     map[string]filter.Values // FT collections: index values by alias; else they come from the payload
}

func newBatch(ap *applier, c *Collection) *batch {
	c.dirty = true
	b := &batch{ap: ap, c: c, edit: c.applied.filter.Edit(), slots: map[PointID]slotEntry{}, payloads: map[PointID][]byte{},
		vectors: map[string]*vectorBatch{}}
	for _, name := range c.names {
		b.vectors[name] = &vectorBatch{store: c.vectors[name], at: map[uint32]int{}, has: map[uint32]bool{}}
	}
	return b
}

func (b *batch) state() *collectionState { return &b.c.applied }

// points applies the changes of one operation on a collection of the HTTP kind.
func (ap *applier) points(seq uint64, o *opPoints) error {
	b := ap.batch(o.num)
	if b == nil {
		return nil
	}
	b.state().operation = o.operation
	if err := b.readAhead(seq, o.changes); err != nil {
		return err
	}
	for i := range o.changes {
		if err := b.change(seq, o.operation, &o.changes[i]); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) change(seq, version uint64, c *pointChange) error {
	if c.kind == changePut {
		return b.put(seq, version, &pointRow{id: c.id, vectors: c.vectors, payload: c.payload, hasPayload: c.hasPayload})
	}
	slot, ok, err := b.slotOf(seq, c.id)
	if err != nil || !ok {
		return err // gone meanwhile: nothing to change
	}
	switch c.kind {
	case changeDelete:
		b.delete(seq, c.id, slot)
	case changePayload:
		b.c.slots.SetVersion(slot, version)
		b.putPayload(seq, c.id, c.payload, c.hasPayload)
		b.index(slot, &pointRow{payload: c.payload})
	case changeVectors:
		return b.changeVectors(seq, version, c, slot)
	case changeUnset:
		b.c.slots.SetVersion(slot, version)
		for _, name := range c.names {
			if vb := b.vectors[name]; vb != nil {
				vb.has[slot] = false
				b.edit.SetVector(name, slot, false)
			}
		}
	}
	return nil
}

// put stores a whole point. Vectors that equal the stored ones byte for byte keep the slot.
func (b *batch) put(seq, version uint64, row *pointRow) error {
	if b.c.used.never(row.id) {
		b.insert(seq, version, row)
		return nil
	}
	old, exists, err := b.slotOf(seq, row.id)
	if err != nil {
		return err
	}
	if !exists {
		b.insert(seq, version, row)
		return nil
	}
	slot := old
	if b.sameVectors(old, row.vectors) {
		b.c.slots.SetVersion(slot, version)
	} else {
		slot = b.move(seq, version, row.id, old, true, row.vectors)
	}
	b.putPayload(seq, row.id, row.payload, row.hasPayload)
	b.index(slot, row)
	return nil
}

// insert stores a point that is known to be absent.
func (b *batch) insert(seq, version uint64, row *pointRow) {
	b.c.used.add(row.id)
	slot := b.move(seq, version, row.id, 0, false, row.vectors)
	if row.hasPayload {
		b.putPayload(seq, row.id, row.payload, true)
	} else {
		b.payloads[row.id] = nil // whatever ended an earlier life of the point has deleted its payload
	}
	b.index(slot, row)
}

// changeVectors gives the point a new slot that holds the changed vectors and the others.
func (b *batch) changeVectors(seq, version uint64, c *pointChange, old uint32) error {
	merged := slices.Clone(c.vectors)
	for _, name := range b.c.names {
		if slices.ContainsFunc(c.vectors, func(v namedVector) bool { return v.name == name }) || !b.hasVector(name, old) {
			continue
		}
		row, err := b.row(name, old)
		if err != nil {
			return err
		}
		merged = append(merged, namedVector{name, slices.Clone(row)})
	}
	if b.sameVectors(old, merged) {
		b.c.slots.SetVersion(old, version)
		return nil
	}
	doc, err := b.payloadOf(seq, c.id)
	if err != nil {
		return err
	}
	slot := b.move(seq, version, c.id, old, true, merged)
	b.index(slot, &pointRow{payload: doc})
	return nil
}

// move puts the point into a new slot and kills the old one.
func (b *batch) move(seq, version uint64, id PointID, old uint32, exists bool, vectors []namedVector) uint32 {
	slot := b.c.slots.Allocate()
	b.c.slots.Set(slot, slots.Row{ID: id, Version: version, Birth: seq})
	if exists {
		b.killSlot(seq, old)
	}
	b.edit.Add(slot)
	for _, vb := range b.vectors {
		vb.has[slot] = false
	}
	for _, v := range vectors {
		vb := b.vectors[v.name]
		if vb == nil {
			continue // validated before sequencing; the schema cannot lose a vector
		}
		vb.at[slot] = len(vb.slots)
		vb.slots = append(vb.slots, slot)
		vb.rows = append(vb.rows, v.data)
		vb.has[slot] = true
		b.edit.SetVector(v.name, slot, true)
	}
	b.slots[id] = slotEntry{slot, true}
	b.ap.group = append(b.ap.group, payload.Op{
		Key: storeIDKey(nil, prefixSlot, b.c.num, id), Value: binary.BigEndian.AppendUint32(nil, slot), Seq: seq})
	return slot
}

func (b *batch) delete(seq uint64, id PointID, slot uint32) {
	b.killSlot(seq, slot)
	b.slots[id] = slotEntry{}
	b.payloads[id] = nil
	b.ap.group = append(b.ap.group,
		payload.Op{Key: storeIDKey(nil, prefixSlot, b.c.num, id), Seq: seq, Delete: true},
		payload.Op{Key: storeIDKey(nil, prefixPayload, b.c.num, id), Seq: seq, Delete: true})
}

func (b *batch) killSlot(seq uint64, slot uint32) {
	b.c.slots.Kill(slot, seq)
	b.edit.Remove(slot)
	b.c.dead.Add(slot)
	b.killed = append(b.killed, slot)
}

func (b *batch) putPayload(seq uint64, id PointID, doc []byte, has bool) {
	op := payload.Op{Key: storeIDKey(nil, prefixPayload, b.c.num, id), Seq: seq, Delete: !has, Value: doc}
	if has {
		b.payloads[id] = doc
	} else {
		b.payloads[id] = nil
	}
	b.ap.group = append(b.ap.group, op)
}

// index replaces the point's values in every payload index.
func (b *batch) index(slot uint32, row *pointRow) {
	for name, f := range b.state().fields {
		if row.values != nil {
			b.edit.Put(name, slot, row.values[name])
		} else {
			b.edit.Put(name, slot, filter.Extract(f.def, row.payload))
		}
	}
}

// feed applies the change of a key to an FT collection. With fresh the collection has no point of the key's number.
func (b *batch) feed(seq uint64, c *keyChange, fresh bool) error {
	feed := b.state().feed
	if c.kind == keyPut && feed.covers(c.key, c.doc.Kind) {
		row := b.feedOwn().row(c.key, c.doc)
		if fresh {
			b.insert(seq, seq, &row)
			return nil
		}
		return b.put(seq, seq, &row)
	}
	if !c.existed {
		return nil
	}
	id := NumID(c.doc.Number)
	slot, ok, err := b.slotOf(seq, id)
	if err == nil && ok {
		b.delete(seq, id, slot)
	}
	return err
}

// feedOwn returns the feed state as this group's own copy.
func (b *batch) feedOwn() *feedState {
	if !b.ownFeed {
		b.c.applied.feed = b.c.applied.feed.clone()
		b.ownFeed = true
	}
	return b.c.applied.feed
}

// writeRows writes the rows that the store does not have yet.
func (b *batch) writeRows() error {
	for _, name := range b.c.names {
		vb := b.vectors[name]
		if vb.written == len(vb.slots) {
			continue
		}
		if err := vb.store.rows.Write(vb.slots[vb.written:], vb.rows[vb.written:]); err != nil {
			return fmt.Errorf("rows of %q: %w", name, err)
		}
		vb.written = len(vb.slots)
	}
	return nil
}

// commit makes the group's changes the collection's applied state. Rows are written already.
func (b *batch) commit() error {
	b.c.applied.filter = b.edit.Commit()
	for _, name := range b.c.names {
		vb := b.vectors[name]
		if vb.store.index == nil || len(vb.slots) == 0 {
			continue // replay: the index is opened over the final state
		}
		if err := vb.store.index.Append(vb.slots, vb.rows); err != nil {
			return fmt.Errorf("index of %q: %w", name, err)
		}
		b.c.db.unlooked += int64(len(vb.slots)) * int64(b.c.applied.schema.Vectors[name].Size+64) // codes have 8 bits at most
	}
	return nil
}

// kill tells the indexes about dead slots.
func (b *batch) kill() {
	if len(b.killed) == 0 {
		return
	}
	for _, name := range b.c.names {
		if ix := b.c.vectors[name].index; ix != nil {
			ix.Kill(b.killed)
		}
	}
	b.c.killing.Store(false)
}

func (ap *applier) freeSlots(o opFreeSlots) error {
	b := ap.batch(o.num)
	if b == nil {
		return nil
	}
	set := roaring.New()
	if err := set.UnmarshalBinary(o.set); err != nil {
		return fmt.Errorf("free slots: %w", err)
	}
	b.c.slots.Free(set)
	b.c.dead.AndNot(set)
	return nil
}
