package vectorindex

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/isobath/isobath/internal/vfs"
	"github.com/isobath/isobath/mmapvec"
)

// Open maps the segments of saved and puts the slots of live that no segment holds into memory, from their rows. live
// are the slots that have this vector and are alive. A segment that is absent, damaged or of another kind does not
// prevent opening: it is among problems, its slots are indexed again.
func Open(o Options, saved Saved, live *roaring.Bitmap) (ix *Index, problems []error, err error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, nil, err
	}
	ix = &Index{o: o, dead: roaring.New(), named: roaring.New(), nextFile: saved.NextFile}
	ix.config.Store(&o.Config)
	ix.scratch.New = func() any { return newScratch() }
	var segments []*segment
	segments, ix.problems = ix.openSegments(saved)
	most := 0
	for _, sg := range segments { // the centre of the largest one that has any is for all
		if sg.book.kind.rotated() {
			ix.centred = true
			if len(sg.book.centre) > 0 && sg.rows > most {
				ix.centre, most = sg.book.centre, sg.rows
			}
		}
	}
	ix.current = newSources(segments, nil)
	ix.target.Store(ix.wanted(int(live.GetCardinality())))
	ix.keepPoorer(segments)
	covered := roaring.New()
	for _, sg := range segments {
		covered.Or(sg.set)
		sg.dead.Store(int64(sg.set.GetCardinality() - sg.set.AndCardinality(live)))
	}
	ix.dead = roaring.AndNot(covered, live)
	if err := ix.appendRows(roaring.AndNot(live, covered)); err != nil {
		return nil, nil, errors.Join(err, ix.Close())
	}
	ix.lastAppend.Store(0)
	ix.lastKill.Store(time.Now().UnixNano()) // a start has better things to do
	if err := ix.removeUnnamed(); err != nil {
		return nil, nil, errors.Join(err, ix.Close())
	}
	return ix, ix.Problems(), nil
}

func (ix *Index) openSegments(saved Saved) (segments []*segment, problems []error) {
	seen := roaring.New()
	for _, ref := range saved.Segments {
		ix.nextFile = max(ix.nextFile, ref.ID+1)
		sg, err := openSegment(ix.o.FS, ix.o.Dir, ref)
		if err == nil {
			err = sg.readBook(ix.conf(), &ix.books)
		}
		switch {
		case err != nil:
		case seen.Intersects(sg.set):
			err = fmt.Errorf("vectorindex: segment %s holds slots of another segment", ref.File)
		}
		if err != nil {
			if sg != nil {
				err = errors.Join(err, sg.close())
			}
			ix.o.Log.Warn("segment dropped, rebuilding it", "file", ref.File, "rows", ref.Rows, "err", err)
			problems = append(problems, err)
			continue
		}
		seen.Or(sg.set)
		segments = append(segments, sg)
	}
	return segments, problems
}

// removeUnnamed removes segment files that no segment in use has: those of writes that no manifest saw, and those whose
// last user was killed before the removal.
func (ix *Index) removeUnnamed() error {
	names, err := ix.o.FS.List(ix.o.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("vectorindex: list segments: %w", err)
	}
	inUse := func(name string) bool {
		return slices.ContainsFunc(ix.current.segments, func(sg *segment) bool { return sg.ref.File == name })
	}
	for _, name := range names {
		base := strings.TrimSuffix(name, vfs.TempSuffix)
		if strings.HasSuffix(base, segmentSuffix) && !inUse(name) {
			if err := ix.o.FS.Remove(path.Join(ix.o.Dir, name)); err != nil {
				return fmt.Errorf("vectorindex: remove an unused segment: %w", err)
			}
		}
	}
	return nil
}

// appendRows appends the slots of set from their rows. A damaged row is left out: it is a problem of its own.
func (ix *Index) appendRows(set *roaring.Bitmap) error {
	if set.IsEmpty() {
		return nil
	}
	const chunk = 2048
	view := ix.o.Rows.View()
	if view == nil {
		return ErrClosed
	}
	defer view.Release()
	slots, ahead := make([]uint32, chunk), make([]uint32, chunk)
	flat := make([]float32, chunk*ix.o.Dim)
	rows := make([][]float32, chunk)
	it := set.ManyIterator()
	for next := it.NextMany(ahead); next > 0; {
		n := next
		slots, ahead = ahead, slots
		next = it.NextMany(ahead)
		view.Prefetch(ahead[:next])
		for i := range rows[:n] {
			rows[i] = flat[i*ix.o.Dim : (i+1)*ix.o.Dim]
		}
		kept := ix.readRows(view, slots[:n], rows)
		if err := ix.Append(slots[:kept], rows[:kept]); err != nil {
			return err
		}
	}
	return nil
}

// readRows copies the rows of slots to rows and returns how many there are; of a damaged one it drops the slot.
func (ix *Index) readRows(view *mmapvec.View, slots []uint32, rows [][]float32) (kept int) {
	_, err := view.Fetch(slots, func(i int, row []float32) error {
		copy(rows[i], row)
		return nil
	})
	if err == nil {
		return len(slots)
	}
	for _, slot := range slots { // one after the other, to find the damage
		row, err := view.Row(slot)
		if err != nil {
			ix.report(fmt.Errorf("vectorindex: row of slot %d is not indexed: %w", slot, err))
			continue
		}
		copy(rows[kept], row)
		slots[kept] = slot
		kept++
	}
	return kept
}

func (ix *Index) report(err error) {
	ix.o.Log.Error("vector index damaged", "err", err)
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if len(ix.problems) < 100 {
		ix.problems = append(ix.problems, err)
	}
}
