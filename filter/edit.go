package filter

import (
	"bytes"
	"maps"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/isobath/isobath/internal/invariant"
)

// Editor gathers changes for the next State. One goroutine; one Editor of a State at a time.
type Editor struct {
	base  *State
	next  State
	all   *roaring.Bitmap            // nil until changed
	has   map[string]*roaring.Bitmap // those that changed
	puts  map[uint32][]put
	wiped map[uint32]struct{}
}

type put struct {
	field uint32
	vs    Values
}

// Edit begins a change.
func (s *State) Edit() *Editor {
	return &Editor{base: s, next: *s, puts: map[uint32][]put{}, wiped: map[uint32]struct{}{}}
}

// Add makes a slot live. A slot that is not live has no values and no vectors.
func (e *Editor) Add(slot uint32) { e.ownAll().Add(slot) }

func (e *Editor) ownAll() *roaring.Bitmap {
	if e.all == nil {
		e.all = e.base.all.edit()
	}
	return e.all
}

func (e *Editor) contains(slot uint32) bool {
	if e.all != nil {
		return e.all.Contains(slot)
	}
	return e.base.Contains(slot)
}

// Remove takes a slot out of the all-set, of every has-vector set and of every field.
func (e *Editor) Remove(slot uint32) {
	if !e.contains(slot) {
		return
	}
	e.ownAll().Remove(slot)
	for name := range e.next.has {
		e.SetVector(name, slot, false)
	}
	delete(e.puts, slot)
	if e.base.Contains(slot) {
		e.wiped[slot] = struct{}{}
	}
}

// SetVector says whether a slot has the named vector.
func (e *Editor) SetVector(name string, slot uint32, has bool) {
	bm, ok := e.has[name]
	if !ok {
		set, known := e.next.has[name]
		if !known {
			set = slotSet{read: roaring.New()}
		}
		if set.read.Contains(slot) == has {
			return
		}
		bm = set.edit()
		if e.has == nil {
			e.has = map[string]*roaring.Bitmap{}
		}
		e.has[name] = bm
		if !known {
			e.next.has = maps.Clone(e.next.has)
			if e.next.has == nil {
				e.next.has = map[string]slotSet{}
			}
			e.next.has[name] = set
		}
	}
	if has {
		bm.Add(slot)
	} else {
		bm.Remove(slot)
	}
}

// Put replaces the values of one field of one live slot. Values of slots that are not live when
// Commit runs, and of unknown fields, are dropped.
func (e *Editor) Put(field string, slot uint32, v Values) {
	f, ok := e.next.fields[field]
	if !ok {
		return
	}
	puts := e.puts[slot]
	for i := range puts {
		if puts[i].field == f.id {
			puts[i].vs = v
			return
		}
	}
	e.puts[slot] = append(puts, put{field: f.id, vs: v})
}

// AddField adds an empty payload index; one of the same name goes, with its values, unless its
// definition is equal.
func (e *Editor) AddField(def FieldDef) {
	if old, ok := e.next.fields[def.Name]; ok && old.def.equal(def) {
		return
	}
	def.Options = bytes.Clone(def.Options)
	e.setField(field{id: e.next.nextField, def: def})
	e.next.nextField++
}

// SetReady ends the building of a field: Resolve uses it.
func (e *Editor) SetReady(name string) {
	if f, ok := e.next.fields[name]; ok {
		f.def.Building = false
		e.setField(f)
	}
}

func (e *Editor) setField(f field) {
	fields := make(map[string]field, len(e.next.fields)+1)
	maps.Copy(fields, e.next.fields)
	fields[f.def.Name] = f
	e.next.fields = fields
}

// DropField removes a payload index.
func (e *Editor) DropField(name string) {
	fields := maps.Clone(e.next.fields)
	delete(fields, name)
	e.next.fields = fields
}

// Commit returns the next State. The Editor is spent.
func (e *Editor) Commit() *State {
	s := e.next
	if t := e.table(); t != nil {
		tables, err := push(s.tables, t, s.live())
		invariant.Assertf(err == nil, "filter: merging tables in memory: %v", err)
		s.tables = tables
	}
	if e.all != nil {
		s.all = publish(e.all)
	}
	if len(e.has) > 0 {
		s.has = maps.Clone(s.has)
		for name, bm := range e.has {
			s.has[name] = publish(bm)
		}
	}
	return &s
}

// table turns the edits into a table, nil if they change no field.
func (e *Editor) table() *memTable {
	b := &tableBuilder{index: make(map[string]int, 8+len(e.puts)/4)}
	defs := make(map[uint32]FieldDef, len(e.next.fields))
	for _, f := range e.next.fields {
		defs[f.id] = f.def
	}
	if len(defs) == 0 {
		return nil
	}
	key := make([]byte, 0, 64)
	for _, slot := range slices.Sorted(maps.Keys(e.wiped)) {
		b.add(appendSection(key, allFields, secChanged), slot)
	}
	for _, slot := range slices.Sorted(maps.Keys(e.puts)) {
		if !e.contains(slot) {
			continue
		}
		_, wiped := e.wiped[slot]
		for _, p := range e.puts[slot] {
			def, ok := defs[p.field]
			if !ok {
				continue
			}
			// A slot that was not live has no values below.
			if !wiped && e.base.Contains(slot) {
				b.add(appendSection(key, p.field, secChanged), slot)
			}
			b.addValues(def, p.field, slot, p.vs)
		}
	}
	return b.build()
}

// addValues files a slot under all its keys of one field.
func (b *tableBuilder) addValues(def FieldDef, field, slot uint32, vs Values) {
	var scratch [64]byte
	first, distinct := "", 0
	def.eachKey(field, vs, scratch[:0], func(key []byte) {
		b.add(key, slot)
		switch {
		case distinct == 0:
			first, distinct = string(key), 1
		case distinct == 1 && string(key) != first:
			distinct = 2
		}
	})
	for _, section := range vs.flags(distinct) {
		b.add(appendSection(scratch[:0], field, section), slot)
	}
}
