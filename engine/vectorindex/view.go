package vectorindex

import (
	"context"
	"errors"
	"fmt"

	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/mmapvec"
)

// View pins what a search reads: its memory, its mapped files and the rows. It is safe for concurrent use until Release.
//
// The engine takes the view after it has pinned the sequence number, and before a slot that this number shows may be
// freed: then every slot that is visible is found.
type View struct {
	ix     *Index
	s      *sources
	rows   *mmapvec.View // nil after the store was closed
	counts []int         // ords of each part when the view was taken
	few    [4]int        // holds counts, nearly always
}

// View pins the current state.
func (ix *Index) View() *View {
	v := &View{ix: ix, s: ix.pin()}
	v.counts = v.few[:0]
	for _, p := range v.s.parts {
		v.counts = append(v.counts, p.len())
	}
	v.rows = ix.o.Rows.View() // after the counts: it has all their rows
	return v
}

// Release gives up the view. It is called once; nothing borrowed from the view is used afterwards.
func (v *View) Release() {
	if v.rows != nil {
		v.rows.Release()
	}
	v.s.release()
}

// suspect has all segments verified again when a mapping failed.
func (v *View) suspect(err error) {
	if fault := (*mmap.FaultError)(nil); errors.As(err, &fault) {
		for _, sg := range v.s.segments {
			sg.suspect.Store(true)
		}
	}
}

// rowCount is the number of ords that the view reads.
func (v *View) rowCount() (n int) {
	for _, sg := range v.s.segments {
		n += sg.rows
	}
	for _, count := range v.counts {
		n += count
	}
	return n
}

// Rows returns the pinned rows, for reading vectors of results.
func (v *View) Rows() *mmapvec.View { return v.rows }

// Search appends the nearest slots to dst, nearest first: K of them wherever so many match. A damaged row among the
// candidates and a failing disk are errors.
func (v *View) Search(ctx context.Context, r Request, dst []Result) ([]Result, Stats, error) {
	if len(r.Query) != v.ix.o.Dim {
		return dst, Stats{}, fmt.Errorf("vectorindex: query of %d dimensions, the index has %d", len(r.Query), v.ix.o.Dim)
	}
	if v.rows == nil {
		return dst, Stats{}, ErrClosed
	}
	sc := v.ix.scratch.Get().(*scratch)
	defer v.ix.scratch.Put(sc)
	return v.searchIn(ctx, sc, r, dst)
}

func (v *View) searchIn(ctx context.Context, sc *scratch, r Request, dst []Result) ([]Result, Stats, error) {
	sc.begin(ctx, v, r)
	defer sc.end()
	err := mmap.Guard("vector segments", sc.run)
	if err != nil {
		v.suspect(err)
		return dst, sc.stats, fmt.Errorf("vectorindex: search: %w", err)
	}
	return append(dst, sc.results...), sc.stats, nil
}
