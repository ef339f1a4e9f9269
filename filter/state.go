package filter

import (
	"cmp"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// State is an immutable state of all payload indexes, the all-set and the has-vector sets of one
// collection. It is safe for concurrent use.
type State struct {
	all       slotSet
	has       map[string]slotSet
	fields    map[string]field
	nextField uint32
	tables    []table  // oldest first: frozen ones, then those in memory
	saved     *setFile // the file that holds some version of the sets
}

type field struct {
	id  uint32
	def FieldDef
}

// FieldInfo describes a payload index of a State.
type FieldInfo struct {
	Def    FieldDef
	Points int // slots with at least one indexed value
}

// NewState returns a state without slots and fields.
func NewState() *State {
	return &State{all: slotSet{read: roaring.New()}, nextField: allFields + 1}
}

// All returns the set of live slots. It is shared: do not modify it.
func (s *State) All() *roaring.Bitmap { return s.all.read }

// Has returns the set of slots with a vector. It is shared: do not modify it.
func (s *State) Has(vector string) *roaring.Bitmap {
	if set, ok := s.has[vector]; ok {
		return set.read
	}
	return roaring.New()
}

// Contains tells whether a slot is live.
func (s *State) Contains(slot uint32) bool { return s.all.read.Contains(slot) }

// Len returns the number of live slots.
func (s *State) Len() int { return int(s.all.read.GetCardinality()) }

// Fields lists the payload indexes by name. Points is -1 where the index is damaged.
func (s *State) Fields() []FieldInfo {
	out := make([]FieldInfo, 0, len(s.fields))
	for _, f := range s.fields {
		info := FieldInfo{Def: f.def, Points: -1}
		_ = s.guard(func() error {
			set, err := s.lookup(f.id, sectionRange(f.id, secPresent))
			if err == nil {
				info.Points = int(set.GetCardinality())
			}
			return err
		})
		out = append(out, info)
	}
	slices.SortFunc(out, func(a, b FieldInfo) int { return cmp.Compare(a.Def.Name, b.Def.Name) })
	return out
}

// Field returns the definition of a payload index.
func (s *State) Field(name string) (FieldDef, bool) {
	f, ok := s.fields[name]
	return f.def, ok
}

// Memory returns the bytes of changes that are not in files yet.
func (s *State) Memory() int64 {
	n := int64(0)
	for _, t := range s.tables {
		if m, ok := t.(*memTable); ok {
			n += m.size
		}
	}
	return n
}

func (s *State) live() map[uint32]bool {
	live := make(map[uint32]bool, len(s.fields))
	for _, f := range s.fields {
		live[f.id] = true
	}
	return live
}

// slotSet is a versioned set of slots. Copies share containers; the one writer works on a private
// copy whose every container is copied before it is changed.
type slotSet struct {
	read *roaring.Bitmap // published, never modified
	work *workSet        // for the next edit
}

// workSet hands the private copy from one version to the next. Belongs to the writer.
type workSet struct{ bm *roaring.Bitmap }

// edit takes the private copy.
func (s slotSet) edit() *roaring.Bitmap {
	var bm *roaring.Bitmap
	if s.work != nil {
		bm, s.work.bm = s.work.bm, nil
	}
	if bm == nil {
		bm = s.read.Clone()
		bm.SetCopyOnWrite(true)
	}
	return bm
}

// publish makes a version of an edited copy. Its containers are marked as shared here, so that
// readers never write to it, not even marks.
func publish(bm *roaring.Bitmap) slotSet {
	read := bm.Clone()
	read.SetCopyOnWrite(false)
	return slotSet{read: read, work: &workSet{bm: bm}}
}
