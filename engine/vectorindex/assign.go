package vectorindex

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/internal/nice"
	"github.com/isobath/isobath/mmapvec/quant"
)

// assign finds the cells of the next ords.
func (cl *clustering) assign() error {
	if cl.own == nil {
		cl.own = make([]uint32, cl.in.rows)
	}
	end := min(cl.owned+assignedRows, cl.in.rows)
	var next atomic.Int64
	next.Store(int64(cl.owned))
	var wg sync.WaitGroup
	errs := make([]error, cl.ix.o.Parallelism)
	for i := range errs {
		nice.Go(&wg, func() {
			errs[i] = mmap.Guard("cells", func() error { // codes of a merge may be a file
				a := cl.newAssigner(max(cl.cells.len(), len(cl.members)))
				for {
					to := int(next.Add(assignedOnce))
					if to-assignedOnce >= end {
						return nil
					}
					for ord := to - assignedOnce; ord < min(to, end); ord++ {
						cl.own[ord] = a.cell(uint32(ord))
					}
				}
			})
		})
	}
	wg.Wait()
	cl.owned = end
	return errors.Join(errs...)
}

// assigner finds the cells of rows by their codes.
type assigner struct {
	*clustering
	query quant.Query
	ids   []uint32
	out   []float32
}

// newAssigner makes an assigner that compares with n centres at a time.
func (cl *clustering) newAssigner(n int) *assigner {
	return &assigner{clustering: cl, query: cl.in.book.quantizer.NewQuery(), ids: upTo(n), out: make([]float32, n)}
}

// nearest makes the row of ord the query and returns the groups whose centres are nearest to it.
func (a *assigner) nearest(ord uint32) (groups [nearGroups]int) {
	stride := a.in.book.stride
	at := int(ord) * stride
	a.query.ResetCode(a.in.codes[at : at+stride])
	out := a.distances(a.groups, 0, len(a.groups)/stride)
	for i := range groups {
		groups[i] = argmin(out)
		out[groups[i]] = farthest
	}
	return groups
}

// distances returns the distances of the query to the centres from to to-1 of codes. Valid until the next call.
func (a *assigner) distances(codes []byte, from, to int) []float32 {
	out := a.out[:to-from]
	a.query.Distances(codes, a.ids[from:to], out, farthest)
	return out
}

// cell returns the cell of the row of ord.
func (a *assigner) cell(ord uint32) (cell uint32) {
	nearest := farthest
	for _, g := range a.nearest(ord) {
		from, to := int(a.first[g]), int(a.first[g+1])
		if from == to {
			continue
		}
		out := a.distances(a.cells.codes, from, to)
		if c := argmin(out); out[c] < nearest {
			cell, nearest = uint32(from+c), out[c]
		}
	}
	return cell
}
