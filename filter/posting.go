package filter

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// Postings above these sizes become bitmaps: in memory, in a file.
const (
	memListMax  = 128
	diskListMax = 64
)

// posting is an immutable set of slots: a sorted list when small, else a bitmap. The zero value is
// empty.
type posting struct {
	list []uint32
	bm   *roaring.Bitmap
}

func listPosting(sorted []uint32) posting {
	if len(sorted) <= memListMax {
		return posting{list: sorted}
	}
	bm := roaring.New()
	bm.AddMany(sorted)
	return bitmapPosting(bm)
}

// bitmapPosting takes over bm.
func bitmapPosting(bm *roaring.Bitmap) posting {
	if bm.GetCardinality() <= memListMax {
		return posting{list: bm.ToArray()}
	}
	return posting{bm: bm}
}

func (p posting) empty() bool { return len(p.list) == 0 && p.bm == nil }

func (p posting) memory() int64 {
	n := int64(4 * cap(p.list))
	if p.bm != nil {
		n += 128 + int64(p.bm.GetSizeInBytes())
	}
	return n
}

// addTo adds the slots to bm in place. bm may come to share containers with p.
func (p posting) addTo(bm *roaring.Bitmap) {
	if p.bm != nil {
		bm.Or(p.bm)
		return
	}
	for _, slot := range p.list {
		bm.Add(slot)
	}
}

// removeFrom removes the slots from bm in place.
func (p posting) removeFrom(bm *roaring.Bitmap) {
	if p.bm != nil {
		bm.AndNot(p.bm)
		return
	}
	for _, slot := range p.list {
		bm.Remove(slot)
	}
}

// without returns p less the slots of mask, which may be nil.
func (p posting) without(mask *roaring.Bitmap) posting {
	if mask == nil {
		return p
	}
	if p.bm != nil {
		if !p.bm.Intersects(mask) {
			return p
		}
		return bitmapPosting(roaring.AndNot(p.bm, mask))
	}
	if !slices.ContainsFunc(p.list, mask.Contains) {
		return p
	}
	var kept []uint32
	for _, slot := range p.list {
		if !mask.Contains(slot) {
			kept = append(kept, slot)
		}
	}
	return posting{list: kept}
}

// union returns the slots of both.
func (p posting) union(o posting) posting {
	switch {
	case p.empty():
		return o
	case o.empty():
		return p
	case p.bm == nil && o.bm == nil && len(p.list)+len(o.list) <= memListMax:
		return posting{list: mergeLists(p.list, o.list)}
	}
	bm := roaring.New()
	p.addTo(bm)
	o.addTo(bm)
	return bitmapPosting(bm)
}

func mergeLists(a, b []uint32) []uint32 {
	out := make([]uint32, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			out, a = append(out, a[0]), a[1:]
		case a[0] > b[0]:
			out, b = append(out, b[0]), b[1:]
		default:
			out, a, b = append(out, a[0]), a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}
