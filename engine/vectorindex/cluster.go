package vectorindex

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/internal/nice"
	"github.com/isobath/isobath/mmapvec"
	"github.com/isobath/isobath/mmapvec/distance"
	"github.com/isobath/isobath/mmapvec/quant"
)

const (
	cellsPerRoot = 1.5 // cells in units of the root of the rows: more take longer to choose from, fewer to scan
	cellSample   = 32  // rows that a centre is the mean of, about
	groupSample  = 64  // and the centre of a group of cells
	lloydRounds  = 4
	nearGroups   = 3 // groups in whose cells a row looks for the nearest centre
	// spreadPrior is the number of rows with the spread of all that are counted in with those of a cell.
	spreadPrior = 4
	clusterRows = 1024 // of one step of a worker

	tailQueries = 128     // rows that tails are learnt from as if they were queries
	tailRows    = 1 << 14 // and those that they are compared with
	leastTail   = 8       // rows that a part of a tail is learnt from; beyond it falls as fast as before
	tailFall    = 0.9     // at most, each step
)

// farthest is a distance that nothing lies beyond.
var farthest = float32(math.Inf(1))

// leastCellRows is the number of rows from which a segment has cells: fewer are scanned in no time. Tests lower it.
var leastCellRows = 16 << 10

// clustering makes the cells of rows that become a segment: centres of groups by Lloyd's algorithm over some rows, in every
// group centres of cells over some rows of it, and then every row goes to the nearest centre that it finds, by its code.
type clustering struct {
	ix   *Index
	in   *segmentInput
	view *mmapvec.View
	dim  int

	groups  []byte   // codes of the centres of groups
	first   []uint32 // first cell of each group, and the number of cells
	cells   cells
	squares float64 // sum over all rows sampled of their squared distances from the mean of their cell
	sampled int
}

// cluster gives in its cells, if it is large enough for them, and an order that has the rows of a cell together. Where the rows
// needed for it cannot be read there are none.
func (ix *Index) cluster(in *segmentInput) error {
	if in.graph == nil || in.rows < leastCellRows || ix.o.Metric == distance.L1 {
		return nil
	}
	view := ix.o.Rows.View()
	if view == nil {
		return ErrClosed
	}
	defer view.Release()
	cl := &clustering{ix: ix, in: in, view: view, dim: ix.o.Dim}
	if err := cl.train(); err != nil {
		return cl.refuse(err)
	}
	own, err := cl.assign()
	if err != nil {
		return err
	}
	if err := cl.learnTails(own); err != nil {
		return cl.refuse(err)
	}
	in.order = cl.arrange(own)
	in.cells = &cl.cells
	return nil
}

// refuse reports why a segment gets no cells.
func (cl *clustering) refuse(err error) error {
	cl.ix.report(fmt.Errorf("vectorindex: a segment of %d rows has no cells: %w", cl.in.rows, err))
	return nil
}

// train finds the centres.
func (cl *clustering) train() error {
	count := max(nearGroups, int(cellsPerRoot*math.Sqrt(float64(cl.in.rows))))
	groups := int(math.Sqrt(float64(count)))
	rows, err := cl.load(every(cl.in.rows, groups*groupSample))
	if err != nil {
		return err
	}
	centres, _ := cl.lloyd(rows, groups)
	cl.groups = cl.encode(nil, centres)
	members := make([][]uint32, groups)
	a := cl.newAssigner(groups)
	for _, ord := range every(cl.in.rows, count*cellSample) {
		g := a.nearest(ord)[0]
		members[g] = append(members[g], ord)
	}
	for _, ords := range members {
		cl.first = append(cl.first, uint32(cl.cells.len()))
		if len(ords) == 0 {
			continue
		}
		if rows, err = cl.load(ords); err != nil {
			return err
		}
		centres, own := cl.lloyd(rows, (len(ords)+cellSample/2)/cellSample)
		cl.cells.codes = cl.encode(cl.cells.codes, centres)
		cl.measure(rows, centres, own)
	}
	cl.first = append(cl.first, uint32(cl.cells.len()))
	for i, sum := range cl.cells.spread { // which has been a sum so far, over as many rows as gain says
		n := cl.cells.begin[i]
		cl.cells.spread[i] = finite32((float64(sum) + spreadPrior*cl.squares/float64(cl.sampled)) / float64(n+spreadPrior))
	}
	return nil
}

// every returns about n of so many ords, spread evenly, or all of them.
func every(rows, n int) []uint32 {
	n = min(n, rows)
	ords := make([]uint32, n)
	for i := range ords {
		ords[i] = uint32(i * rows / n)
	}
	return ords
}

// load reads rows, one after the other into one slice.
func (cl *clustering) load(ords []uint32) ([]float32, error) {
	slots := make([]uint32, len(ords))
	for i, ord := range ords {
		slots[i] = cl.in.slots[ord]
	}
	rows := make([]float32, len(ords)*cl.dim)
	_, err := cl.view.Fetch(slots, func(i int, row []float32) error {
		copy(rows[i*cl.dim:], row)
		return nil
	})
	return rows, err
}

// lloyd returns k centres of rows, one at least, and which of them each row is nearest to.
func (cl *clustering) lloyd(rows []float32, k int) (centres []float32, own []uint32) {
	dim, n := cl.dim, len(rows)/cl.dim
	k = min(max(k, 1), n)
	centres = make([]float32, 0, k*dim)
	ids := upTo(k)
	for i := range k {
		at := i * n / k
		centres = append(centres, rows[at*dim:(at+1)*dim]...)
		cl.normalise(centres[i*dim:])
	}
	own = make([]uint32, n)
	out, counts := make([]float32, k), make([]int, k)
	for round := 0; ; round++ {
		for i := range n {
			distance.RowsF32(cl.ix.o.Metric, rows[i*dim:(i+1)*dim], bytesOf(centres), 4*dim, ids, out)
			own[i] = uint32(argmin(out))
		}
		if round == lloydRounds {
			return centres, own
		}
		clear(counts)
		sums := make([]float32, k*dim)
		for i, c := range own {
			counts[c]++
			for j, x := range rows[i*dim : (i+1)*dim] {
				sums[int(c)*dim+j] += x
			}
		}
		for c, count := range counts {
			if mean := sums[c*dim : (c+1)*dim]; count > 0 {
				for j := range mean {
					mean[j] /= float32(count)
				}
				cl.normalise(mean)
				copy(centres[c*dim:], mean)
			}
		}
	}
}

// normalise gives a centre length 1 where the metric goes by products: else long ones would attract every row.
func (cl *clustering) normalise(centre []float32) {
	if cl.ix.o.Metric != distance.Dot {
		return
	}
	if length := math.Sqrt(float64(distance.DotF32(centre, centre))); length > 0 && length <= math.MaxFloat32 {
		for i := range centre {
			centre[i] = float32(float64(centre[i]) / length)
		}
	}
}

// argmin returns the index of the least value.
func argmin(values []float32) (at int) {
	for i, v := range values {
		if v < values[at] {
			at = i
		}
	}
	return at
}

// encode appends the codes of centres.
func (cl *clustering) encode(codes []byte, centres []float32) []byte {
	stride := cl.in.book.stride
	for len(centres) > 0 {
		n := len(codes)
		codes = append(codes, make([]byte, stride)...)
		cl.in.book.quantizer.Encode(codes[n:], centres[:cl.dim])
		centres = centres[cl.dim:]
	}
	return codes
}

// measure appends gains, sums of spreads, and, as begin for now, numbers of rows.
func (cl *clustering) measure(rows, centres []float32, own []uint32) {
	dim, k := cl.dim, len(centres)/cl.dim
	counts, along, squares := make([]uint32, k), make([]float64, k), make([]float64, k)
	for i, c := range own {
		row, centre := rows[i*dim:(i+1)*dim], centres[int(c)*dim:int(c+1)*dim]
		counts[c]++
		if cl.ix.o.Metric == distance.Dot {
			along[c] += float64(distance.DotF32(row, centre))
			squares[c] += float64(distance.DotF32(row, row))
		} else {
			squares[c] += float64(distance.L2F32(row, centre))
		}
	}
	for c, n := range counts {
		gain, sum := 1.0, squares[c]
		if cl.ix.o.Metric == distance.Dot {
			gain = along[c] / float64(max(n, 1))
			sum = max(0, sum-gain*along[c])
		}
		cl.cells.begin = append(cl.cells.begin, n)
		cl.cells.gain = append(cl.cells.gain, finite32(gain))
		cl.cells.spread = append(cl.cells.spread, finite32(sum))
		cl.squares += float64(finite32(sum))
		cl.sampled += int(n)
	}
}

// finite32 returns x as a finite float32, 0 for NaN.
func finite32(x float64) float32 {
	if x != x {
		return 0
	}
	return float32(min(max(x, -math.MaxFloat32), math.MaxFloat32))
}

// upTo returns the numbers below n.
func upTo(n int) []uint32 { return every(n, n) }

// assign returns the cell of each ord.
func (cl *clustering) assign() ([]uint32, error) {
	own := make([]uint32, cl.in.rows)
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, cl.ix.o.Parallelism)
	for i := range errs {
		nice.Go(&wg, func() {
			errs[i] = mmap.Guard("cells", func() error { // codes of a merge may be a file
				a := cl.newAssigner(cl.cells.len())
				for {
					to := int(next.Add(clusterRows))
					if to-clusterRows >= len(own) {
						return nil
					}
					for ord := to - clusterRows; ord < min(to, len(own)); ord++ {
						own[ord] = a.cell(uint32(ord))
					}
				}
			})
		})
	}
	wg.Wait()
	return own, errors.Join(errs...)
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

// learnTails learns the tails of the zones from rows, as if they were queries, in the way searches go: by codes.
func (cl *clustering) learnTails(own []uint32) error {
	queries := every(cl.in.rows, tailQueries)
	rows, err := cl.load(queries)
	if err != nil {
		return err
	}
	n, others := cl.cells.len(), every(cl.in.rows, tailRows)
	zone, order := make([]int, n), make([]uint64, 0, n)
	mean, variance, out := make([]float32, n), make([]float32, n), make([]float32, len(others))
	counts, totals := make([]int, zones*tailLength), [zones]int{}
	q, all := cl.in.book.quantizer.NewQuery(), upTo(n)
	for i, ord := range queries {
		q.Reset(rows[i*cl.dim:][:cl.dim])
		q.Distances(cl.cells.codes, all, mean, farthest)
		order = cl.cells.place(cl.ix.o.Metric, mean, variance, order[:0])
		from := 0
		for z, end := range zoneEnds(n) {
			for ; from < end; from++ {
				zone[uint32(order[from])] = z
			}
		}
		q.Distances(cl.in.codes, others, out, farthest)
		var residuals, expected float64
		for j, d := range out {
			off := float64(d - mean[own[others[j]]])
			residuals += off * off
			expected += float64(variance[own[others[j]]])
		}
		for j, d := range out {
			c := own[others[j]]
			z := float64(mean[c]-d) / math.Sqrt(residuals/expected*float64(variance[c]))
			if others[j] == ord || !(z < math.MaxInt32) {
				continue
			}
			totals[zone[c]]++
			if z >= 0 {
				counts[zone[c]*tailLength+min(int(z*tailSteps), tailLength-1)]++
			}
		}
	}
	for z, total := range totals {
		cl.cells.tails = append(cl.cells.tails, tailOf(counts[z*tailLength:][:tailLength], total)...)
	}
	return nil
}

// tailOf returns what part of so many numbers are so large as each of tailLength steps says, or larger, from how many fall into
// each.
func tailOf(counts []int, total int) []float32 {
	tail := make([]float32, len(counts))
	larger := make([]int, len(counts)+1)
	for i := len(counts) - 1; i >= 0; i-- {
		larger[i] = larger[i+1] + counts[i]
	}
	for i := range tail {
		switch {
		case larger[i] >= leastTail:
			tail[i] = float32(larger[i]) / float32(total)
		case i < 2: // too few numbers to tell
			tail[i] = 1
		case tail[i-1] > 0:
			tail[i] = tail[i-1] * min(tail[i-1]/tail[i-2], tailFall)
		}
	}
	return tail
}

// arrange sets where each cell begins, and returns the ords by cell and, within a cell, in the order there was.
func (cl *clustering) arrange(own []uint32) []uint32 {
	order := cl.in.order
	if order == nil {
		order = orderBySlot(cl.in.slots[:cl.in.rows])
	}
	order = slices.Clone(order)
	slices.SortStableFunc(order, func(a, b uint32) int { return cmp.Compare(own[a], own[b]) })
	cl.cells.begin = make([]uint32, cl.cells.len()+1)
	for _, c := range own {
		cl.cells.begin[c+1]++
	}
	for c := range cl.cells.gain {
		cl.cells.begin[c+1] += cl.cells.begin[c]
	}
	return order
}
