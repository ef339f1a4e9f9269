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
)

// Open maps the segments of saved and takes up the slots of live that no segment holds: their rows are encoded by Work.
// live are the slots that have this vector and are alive. A segment that is absent, damaged or of another kind does not
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
			// Codes without a graph may have been written before the centre was decided.
			ix.centred = ix.centred || sg.graph != nil || len(sg.book.centre) > 0
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
	if err := ix.adopt(roaring.AndNot(live, covered)); err != nil {
		return nil, nil, errors.Join(err, ix.Close())
	}
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

// adopt makes slots that no segment holds those of parts.
func (ix *Index) adopt(set *roaring.Bitmap) error {
	parts, err := ix.partsOf(set, ix.partRows(ix.target.Load()))
	if err != nil || len(parts) == 0 {
		return err
	}
	for _, p := range parts[:len(parts)-1] {
		p.frozen.Store(true)
	}
	if ix.o.Flat {
		ix.named.Or(set)
	}
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ix.swapLocked(ix.current.segments, parts)
	return nil
}

// report notes damage once, however often it is met.
func (ix *Index) report(err error) {
	if ix.noteProblem(err) {
		ix.o.Log.Error("vector index damaged", "err", err)
	}
}

// noteProblem adds err to the problems and tells whether it is a new one.
func (ix *Index) noteProblem(err error) bool {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if slices.ContainsFunc(ix.problems, func(known error) bool { return known.Error() == err.Error() }) {
		return false
	}
	if len(ix.problems) < 100 {
		ix.problems = append(ix.problems, err)
	}
	return true
}
