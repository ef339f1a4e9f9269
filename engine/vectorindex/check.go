package vectorindex

import (
	"errors"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/internal/vfs"
)

// Check verifies the segments of saved, offline: every checksum, ord -> slot and back, and the graphs. It returns
// all that is wrong.
func Check(fsys vfs.FS, dir string, saved Saved) error {
	var errs []error
	seen := roaring.New()
	for _, ref := range saved.Segments {
		sg, err := openSegment(fsys, dir, ref)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if err := mmap.Guard(sg.name, sg.check); err != nil {
			errs = append(errs, err)
		}
		if seen.Intersects(sg.set) {
			errs = append(errs, fmt.Errorf("vectorindex: segment %s holds slots of another segment", ref.File))
		}
		seen.Or(sg.set)
		errs = append(errs, sg.close())
	}
	return errors.Join(errs...)
}

// check verifies what openSegment has left.
func (sg *segment) check() error {
	if err := sg.checkBlocks(sg.region.Bytes(), 0, sg.blocks()); err != nil {
		return err
	}
	corrupt := func(kind sectionKind, format string, args ...any) error {
		return binfmt.Corrupt(sg.name, sg.head.section(kind).off, format, args...)
	}
	for ord, slot := range sg.slots {
		hint := 0
		if back, ok := sg.bySlot.find(slot, &hint); !ok || int(back) != ord {
			return corrupt(sectionBySlot, "slot %d of ord %d is found at ord %d", slot, ord, back)
		}
		if !sg.set.Contains(slot) {
			return corrupt(sectionBitmap, "slot %d of ord %d is missing", slot, ord)
		}
	}
	if sg.graph != nil {
		if err := sg.graph.Verify(); err != nil {
			return corrupt(sectionGraph, "%w", err)
		}
	}
	return nil
}
