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
	segments []*ordMatches // latest last
}

// NewMatches returns set as a filter of searches.
func NewMatches(set *roaring.Bitmap) *Matches { return &Matches{Bitmap: set} }

// ordMatches are the matches in one segment.
type ordMatches struct {
	file   uint64   // id of the segment
	bits   []uint64 // by ord
	inCell []uint32 // how many, by cell
}

// segmentsKept is how many segments a filter keeps its matches of.
const segmentsKept = maxSegments + 1

// in returns the matches in sg.
func (m *Matches) in(sg *segment) *ordMatches {
	m.mu.Lock()
	at := slices.IndexFunc(m.segments, func(om *ordMatches) bool { return om.file == sg.ref.ID })
	if at >= 0 {
		defer m.mu.Unlock()
		return m.segments[at]
	}
	m.mu.Unlock()
	om := matchesIn(m.Bitmap, sg)
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.segments) == segmentsKept {
		m.segments = slices.Delete(m.segments, 0, 1)
	}
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
