package vectorindex

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/internal/nice"
	"github.com/isobath/isobath/mmapvec"
	"github.com/isobath/isobath/mmapvec/distance"
)

const (
	cellsPerRoot = 1.5      // cells in units of the root of the rows: more take longer to choose from, fewer to scan
	cellSample   = 32       // rows that a centre is the mean of, about
	groupSample  = 64       // and the centre of a group of cells
	crowded      = 4        // a group has so many times the cells of a mean one at most: where most rows are equal, more are of no use
	loadedBytes  = 32 << 20 // of rows at once
	lloydRounds  = 4
	nearGroups   = 3 // groups in whose cells a row looks for the nearest centre
	// spreadPrior is the number of rows with the spread of all that are counted in with those of a cell.
	spreadPrior  = 4
	assignedRows = 1 << 14 // of one step
	assignedOnce = 512     // of these, by one worker at a time

	tailQueries = 128     // rows that tails are learnt from as if they were queries
	tailRows    = 1 << 14 // and those that they are compared with
	leastTail   = 8       // rows that a part of a tail is learnt from; beyond it falls as fast as before
	tailFall    = 0.9     // at most, each step
)

// farthest is a distance that nothing lies beyond.
var farthest = float32(math.Inf(1))

// leastCellRows is the number of rows from which a segment has cells: fewer are scanned in no time. Tests lower it.
var leastCellRows = 16 << 10

// clustering makes the cells of rows that become a segment, in steps: centres of groups by Lloyd's algorithm over some rows; in every
// group centres of cells over some rows of it; then every row goes to the nearest centre that it finds, by its code; at
// last the tails are learnt. Rows are read for the centres only.
type clustering struct {
	ix   *Index
	in   segmentInput
	view *mmapvec.View // during a step
	dim  int
	done bool

	groups  []byte     // codes of the centres of groups
	members [][]uint32 // of each group, the rows that its cells are learnt from
	first   []uint32   // first cell of each group done, and the number of cells
	cells   cells
	sums    []float64 // of the squared distances of the rows sampled from the mean of their cell
	counts  []int     // of these rows, by cell
	own     []uint32  // cell of each ord
	owned   int       // ords that have one
}

// divides tells whether so many rows in a graph are to have cells.
func (ix *Index) divides(rows int) bool { return rows >= leastCellRows && ix.o.Metric != distance.L1 }

// newClustering begins to divide rows into cells, unless they are to have none: it returns nil.
func (ix *Index) newClustering(in segmentInput) *clustering {
	if in.graph == nil || !ix.divides(in.rows) {
		return nil
	}
	return &clustering{ix: ix, in: in, dim: ix.o.Dim}
}

// cluster divides the rows into cells unless ctx ends before.
func (ix *Index) cluster(ctx context.Context, in *segmentInput) error {
	cl := ix.newClustering(*in)
	if cl == nil {
		return nil
	}
	for !cl.done && ctx.Err() == nil {
		if err := cl.step(); err != nil {
			return err
		}
	}
	cl.give(in)
	return nil
}

// step goes one step on, at a low priority. Where rows cannot be read it is done, without cells.
func (cl *clustering) step() error {
	if cl.view = cl.ix.o.Rows.View(); cl.view == nil {
		return ErrClosed
	}
	defer cl.view.Release()
	if cl.members != nil && len(cl.first) > len(cl.members) && cl.owned < cl.in.rows {
		return cl.assign()
	}
	var err error
	var wg sync.WaitGroup
	nice.Go(&wg, func() {
		err = mmap.Guard("cells", func() error {
			switch {
			case cl.members == nil:
				return cl.group()
			case len(cl.first) <= len(cl.members):
				return cl.train()
			}
			cl.done = true
			return cl.learnTails()
		})
	})
	wg.Wait()
	if err != nil {
		cl.ix.report(fmt.Errorf("vectorindex: a segment of %d rows has no cells: %w", cl.in.rows, err))
		cl.done, cl.cells.tails = true, nil
	}
	return nil
}

// give gives in the cells and an order that has the rows of each together: the order that it has, within a cell.
func (cl *clustering) give(in *segmentInput) {
	if cl == nil || !cl.done {
		return
	}
	if in.undividable = cl.cells.tails == nil; in.undividable {
		return
	}
	c := &cl.cells
	c.begin = make([]uint32, c.len()+1)
	for _, cell := range cl.own {
		c.begin[cell+1]++
	}
	for i := range c.len() {
		c.begin[i+1] += c.begin[i]
	}
	old := in.order
	if old == nil {
		old = orderBySlot(in.slots[:in.rows])
	}
	next, order := slices.Clone(c.begin), make([]uint32, in.rows)
	for _, ord := range old {
		cell := cl.own[ord]
		order[next[cell]] = ord
		next[cell]++
	}
	in.order, in.cells = order, c
}

// group finds the centres of groups and which rows the cells of each are learnt from.
func (cl *clustering) group() error {
	count := max(nearGroups, int(cellsPerRoot*math.Sqrt(float64(cl.in.rows))))
	groups := int(math.Sqrt(float64(count)))
	rows, err := cl.load(every(cl.in.rows, groups*groupSample))
	if err != nil {
		return err
	}
	centres, _ := cl.lloyd(rows, groups)
	cl.groups = cl.encode(nil, centres)
	groups = len(centres) / cl.dim
	cl.members = make([][]uint32, groups)
	a := cl.newAssigner(groups)
	for _, ord := range every(cl.in.rows, count*cellSample) {
		g := a.nearest(ord)[0]
		if len(cl.members[g]) < crowded*count*cellSample/groups {
			cl.members[g] = append(cl.members[g], ord)
		}
	}
	cl.first = []uint32{0}
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

// upTo returns the numbers below n.
func upTo(n int) []uint32 { return every(n, n) }

// load reads rows, one after the other into one slice: not all of them where they are very long.
func (cl *clustering) load(ords []uint32) ([]float32, error) {
	ords = ords[:min(len(ords), max(loadedBytes/(4*cl.dim), 1))]
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

// train finds the cells of the next group; after the last one, the spreads.
func (cl *clustering) train() error {
	g := len(cl.first) - 1
	if ords := cl.members[g]; len(ords) > 0 {
		rows, err := cl.load(ords)
		if err != nil {
			return err
		}
		centres, own := cl.lloyd(rows, (len(rows)/cl.dim+cellSample/2)/cellSample)
		cl.cells.codes = cl.encode(cl.cells.codes, centres)
		cl.measure(rows, centres, own)
	}
	cl.members[g] = nil
	cl.first = append(cl.first, uint32(cl.cells.len()))
	if len(cl.first) > len(cl.members) {
		cl.spread()
	}
	return nil
}

// measure notes the gains of cells and how far the rows sampled lie from their means.
func (cl *clustering) measure(rows, centres []float32, own []uint32) {
	dim, k := cl.dim, len(centres)/cl.dim
	counts, along, lengths, sums := make([]int, k), make([]float64, k), make([]float64, k), make([]float64, k)
	for c := range k {
		centre := centres[c*dim : (c+1)*dim]
		lengths[c] = float64(distance.DotF32(centre, centre))
	}
	dot := cl.ix.o.Metric == distance.Dot
	for i, c := range own {
		row, centre := rows[i*dim:(i+1)*dim], centres[int(c)*dim:int(c+1)*dim]
		counts[c]++
		if dot {
			along[c] += float64(distance.DotF32(row, centre))
			sums[c] += float64(distance.DotF32(row, row))
		} else {
			sums[c] += float64(distance.L2F32(row, centre))
		}
	}
	for c, n := range counts {
		gain := 1.0
		if dot && n > 0 && lengths[c] > 0 {
			gain = along[c] / (float64(n) * lengths[c])
			sums[c] = max(0, sums[c]-gain*along[c])
		}
		cl.cells.gain = append(cl.cells.gain, finite32(gain))
		cl.sums, cl.counts = append(cl.sums, float64(finite32(sums[c]))), append(cl.counts, n)
	}
}

// spread sets the spreads: of few rows little is known, so that some with the spread of all count in with them.
func (cl *clustering) spread() {
	sum, n := 0.0, 0
	for i := range cl.sums {
		sum, n = sum+cl.sums[i], n+cl.counts[i]
	}
	for i := range cl.sums {
		cl.cells.spread = append(cl.cells.spread, finite32((cl.sums[i]+spreadPrior*sum/float64(n))/float64(cl.counts[i]+spreadPrior)))
	}
}

// finite32 returns x as a finite float32, 0 for NaN.
func finite32(x float64) float32 {
	if x != x {
		return 0
	}
	return float32(min(max(x, -math.MaxFloat32), math.MaxFloat32))
}

// learnTails learns the tails of the zones from rows, as if they were queries, in the way searches go: by codes.
func (cl *clustering) learnTails() error {
	queries := every(cl.in.rows, tailQueries)
	rows, err := cl.load(queries)
	if err != nil {
		return err
	}
	n, others := cl.cells.len(), every(cl.in.rows, tailRows)
	zone, order := make([]int, n), make([]uint64, 0, n)
	mean, out, variance := make([]float32, n), make([]float32, len(others)), make([]float64, n)
	counts, totals := make([]int, zones*tailLength), [zones]int{}
	q, all := cl.in.book.quantizer.NewQuery(), upTo(n)
	for i := range len(rows) / cl.dim {
		q.Reset(rows[i*cl.dim:][:cl.dim])
		q.Distances(cl.cells.codes, all, mean, farthest)
		order = cl.cells.place(cl.ix.o.Metric, mean, variance, order[:0])
		slices.Sort(order)
		from := 0
		for z, end := range zoneEnds(n) {
			for ; from < end; from++ {
				zone[uint32(order[from])] = z
			}
		}
		q.Distances(cl.in.codes, others, out, farthest)
		var learnt factor
		for j, d := range out {
			cell := cl.own[others[j]]
			learnt.add(d, mean[cell], variance[cell])
		}
		for j, d := range out {
			cell := cl.own[others[j]]
			z := (float64(mean[cell]) - float64(d)) / learnt.deviation(variance[cell])
			if others[j] == queries[i] || z != z {
				continue
			}
			totals[zone[cell]]++
			if z >= 0 {
				counts[zone[cell]*tailLength+int(min(z*tailSteps, tailLength-1))]++
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
