package vectorindex

import (
	"math/bits"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
)

// Matches is the exact set of slots that may be results of searches with one filter, live and with the vector of the index
// that is searched. What searches work out of it they keep, for others with the same filter: it is for one index. The set is
// not to be changed. Safe for concurrent use.
type Matches struct {
	*roaring.Bitmap

	mu       sync.Mutex
	segments []*ordMatches // of one list of sources
	asked    []uint64      // ids of the segments whose matches a walk has asked for
}

// NewMatches returns set as a filter of searches.
func NewMatches(set *roaring.Bitmap) *Matches { return &Matches{Bitmap: set} }

// ordMatches are the matches in one segment.
type ordMatches struct {
	file   uint64   // id of the segment
	bits   []uint64 // by ord
	inCell []uint32 // how many, by cell
}

// known returns the matches in sg if they were worked out before, or if a walk of it asked for them before: working them out
// takes longer than a walk without them, but saves every later one the way from ords to slots. Otherwise it returns nil.
func (m *Matches) known(sg *segment, s *sources) *ordMatches {
	if sg == nil || m.askFirst(sg) { // ords of a part still become more
		return nil
	}
	return m.in(sg, s)
}

// askFirst notes that a walk asks for the matches in sg and tells whether it is the first and they are not kept.
func (m *Matches) askFirst(sg *segment) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keptLocked(sg) != nil || slices.Contains(m.asked, sg.ref.ID) {
		return false
	}
	m.asked = append(m.asked, sg.ref.ID)
	return true
}

func (m *Matches) kept(sg *segment) *ordMatches {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.keptLocked(sg)
}

func (m *Matches) keptLocked(sg *segment) *ordMatches {
	for _, om := range m.segments {
		if om.file == sg.ref.ID {
			return om
		}
	}
	return nil
}

// in returns the matches in sg, which is one of s; those in segments that are not are forgotten.
func (m *Matches) in(sg *segment, s *sources) *ordMatches {
	if om := m.kept(sg); om != nil {
		return om
	}
	om := matchesIn(m.Bitmap, sg)
	m.mu.Lock()
	defer m.mu.Unlock()
	if faster := m.keptLocked(sg); faster != nil {
		return faster
	}
	m.segments = slices.DeleteFunc(m.segments, func(old *ordMatches) bool {
		return !slices.ContainsFunc(s.segments, func(sg *segment) bool { return sg.ref.ID == old.file })
	})
	m.segments = append(m.segments, om)
	return om
}

func matchesIn(set *roaring.Bitmap, sg *segment) *ordMatches {
	om := &ordMatches{file: sg.ref.ID, bits: make([]uint64, (sg.rows+63)/64), inCell: make([]uint32, sg.cells.len())}
	var slots [scanBatch]uint32
	hint := 0
	for it := set.ManyIterator(); ; {
		k := it.NextMany(slots[:])
		if k == 0 {
			break
		}
		for _, slot := range slots[:k] {
			if ord, ok := sg.bySlot.find(slot, &hint); ok {
				om.bits[ord/64] |= 1 << (ord % 64)
			}
		}
	}
	for cell := range om.inCell {
		from, to := int(sg.cells.begin[cell]), int(sg.cells.begin[cell+1])
		for w := from / 64; w*64 < to; w++ {
			om.inCell[cell] += uint32(bits.OnesCount64(om.bits[w] & wordMask(w, from, to)))
		}
	}
	return om
}
