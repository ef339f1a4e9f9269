package vectorindex

import (
	"math"
	"math/bits"
	"slices"

	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/mmapvec/distance"
)

// cellScan is the state of a scan of cells. It takes the cells of a segment by the mean distance of their rows from the query
// and ends when it expects to miss next to nothing in those that are left: the distances of the rows of a cell are taken for
// normally distributed. Their mean and, but for one factor, their deviation are known from the cell; the factor is learnt
// from the rows scanned.
type cellScan struct {
	mean     []float32 // of the distances of the rows of each cell
	variance []float32 // of these, in units of the factor
	order    []uint64  // keys of the cells, by mean
	kth      []float32 // scratch

	gathered int // matches in ords, slots and cells of the search that are not scored yet
	cells    [scanBatch]uint32
	scored   int

	residuals, expected float64 // sums over the rows that the factor is learnt from
}

const (
	leastScored    = 256  // matches before a scan of cells may end
	checkGrowth    = 1.15 // it looks whether it may end each time the matches scored have grown by so much
	measuredABatch = 32   // of a batch, those whose distances are computed however far they are
	// missedByEf, by Ef, is the part of the K best matches that may be expected to be missed, within the two bounds.
	missedByEf              = 4.0
	leastMissed, mostMissed = 0.002, 0.05
	farDeviations           = 4.5 // beyond which no row is expected
	tailSteps               = 32  // of the table of the normal distribution, a deviation

	// What scans of cells were measured to take: of all matches about cellsScanned by the share of the rows that match to the power of
	// scannedFall, and for each cell so many distances.
	cellsScanned, scannedFall = 0.2, -0.25
	cellRowsPerDistance       = 4.5
	cellCost                  = 0.6
)

// normalTail[i] is the probability that a normally distributed number lies more than i/tailSteps deviations above its mean.
var normalTail = func() (table [int(farDeviations*tailSteps) + 2]float64) {
	for i := range table {
		table[i] = math.Erfc(float64(i)/tailSteps/math.Sqrt2) / 2
	}
	return table
}()

// above is the probability that a normally distributed number lies z deviations or more above its mean.
func above(z float64) float64 {
	switch {
	case z < 0:
		return 1 - above(-z)
	case z < farDeviations:
		return normalTail[int(z*tailSteps+0.5)]
	}
	return 0
}

// cost is what a scan of cells with so many matches takes, in distances of a walk.
func (c *cells) cost(matches int) float64 {
	if c == nil {
		return math.Inf(1)
	}
	n := float64(max(matches, 1))
	scanned := min(cellsScanned*math.Pow(n/float64(c.begin[c.len()]), scannedFall), 1)
	return scanned*n/cellRowsPerDistance + float64(c.len())*cellCost
}

// scanCells scans the cells of sg that may hold some of the best matches.
func (sc *scratch) scanCells(sg *segment) error {
	cs, c := &sc.cellScan, sg.coded()
	sc.aim(c)
	matches := sc.r.Filter.in(sg)
	sc.sortCells(sg.cells, matches)
	cs.gathered, cs.scored, cs.residuals, cs.expected = 0, 0, 0, 0
	check := leastScored
	for i, key := range cs.order {
		cell := uint32(key)
		from, to := int(sg.cells.begin[cell]), int(sg.cells.begin[cell+1])
		if c.askable() {
			mmap.Prefetch(c.codes[from*c.book.stride : to*c.book.stride])
		}
		sc.gather(c, cell, matches.bits, from, to)
		if err := sc.proceed(int(matches.inCell[cell])); err != nil {
			return err
		}
		if cs.scored+cs.gathered < check {
			continue
		}
		sc.scoreGathered(c)
		check = int(float64(cs.scored)*checkGrowth) + 1
		if sc.missesFew(matches, cs.order[i+1:]) {
			return nil
		}
	}
	sc.scoreGathered(c)
	return nil
}

// sortCells sorts the cells with matches by the mean distance of their rows.
func (sc *scratch) sortCells(c *cells, matches *ordMatches) {
	cs, n, stride := &sc.cellScan, c.len(), sc.codes.book.stride
	cs.mean, cs.variance = slices.Grow(cs.mean[:0], n)[:n], slices.Grow(cs.variance[:0], n)[:n]
	cs.order = slices.Grow(cs.order[:0], n)
	for from := 0; from < n; from += scanBatch {
		k := min(scanBatch, n-from)
		sc.codes.query.Distances(c.codes[from*stride:(from+k)*stride], sc.iota[:k], cs.mean[from:], farthest)
	}
	sc.count(n, stride)
	squared := sc.v.ix.o.Metric == distance.L2
	for i, d := range cs.mean {
		if squared {
			cs.mean[i], cs.variance[i] = d+c.spread[i], max(d, 0)*c.spread[i]
		} else {
			cs.mean[i], cs.variance[i] = d*c.gain[i], c.spread[i]
		}
		if matches.inCell[i] > 0 {
			cs.order = append(cs.order, cellKey(cs.mean[i], uint32(i)))
		}
	}
	slices.Sort(cs.order)
}

// cellKey orders cells by distance; the cell is the lower half.
func cellKey(d float32, cell uint32) uint64 {
	b := math.Float32bits(d)
	return uint64(b^(uint32(int32(b)>>31)|1<<31))<<32 | uint64(cell)
}

// gather adds the matches among the ords from to to-1, which are those of a cell, to the batch and scores full batches.
func (sc *scratch) gather(c coded, cell uint32, set []uint64, from, to int) {
	cs := &sc.cellScan
	n, ords := cs.gathered, sc.ords[:scanBatch]
	for w := from / 64; w*64 < to; w++ {
		word := set[w] & wordMask(w, from, to)
		for word != 0 {
			ords[n], cs.cells[n] = uint32(w*64+bits.TrailingZeros64(word)), cell
			word &= word - 1
			if n++; n == scanBatch {
				cs.gathered = n
				sc.scoreGathered(c)
				n = 0
			}
		}
	}
	cs.gathered = n
}

// wordMask has the bits of word w that are from to to-1 of the bitset.
func wordMask(w, from, to int) uint64 {
	mask := ^uint64(0)
	if from > w*64 {
		mask <<= from - w*64
	}
	if to < w*64+64 {
		mask &= 1<<(to-w*64) - 1
	}
	return mask
}

// scoreGathered scores the batch and empties it.
func (sc *scratch) scoreGathered(c coded) {
	cs := &sc.cellScan
	n, whole := cs.gathered, min(cs.gathered, measuredABatch)
	sc.codes.Distances(sc.ords[:whole], sc.out[:whole], farthest)
	sc.codes.Distances(sc.ords[whole:n], sc.out[whole:n], sc.near.bound())
	for i, d := range sc.out[:whole] {
		cell := cs.cells[i]
		off := float64(d - cs.mean[cell])
		cs.residuals += off * off
		cs.expected += float64(cs.variance[cell])
	}
	bound := sc.near.bound()
	for i, d := range sc.out[:n] {
		if d >= bound { // most are
			continue
		}
		ord := sc.ords[i]
		if slot := c.slots[ord]; sc.r.Visible == nil || sc.r.Visible(slot) {
			sc.near.push(Result{slot, d, sc.codes.query.Deviation(c.codes[int(ord)*c.book.stride:])})
			bound = sc.near.bound()
		}
	}
	sc.count(n, c.book.stride)
	sc.stats.Scanned += n
	cs.scored, cs.gathered = cs.scored+n, 0
}

// missesFew tells whether few of the K best matches are expected in the cells left, which are sorted.
func (sc *scratch) missesFew(matches *ordMatches, left []uint64) bool {
	cs := &sc.cellScan
	if len(sc.near.heap) < sc.r.K {
		return false
	}
	cs.kth = cs.kth[:0]
	for _, r := range sc.near.heap { // those whose estimates err towards the query come first: not the K-th of these
		cs.kth = append(cs.kth, r.Distance+r.deviation)
	}
	slices.Sort(cs.kth)
	kth := float64(cs.kth[sc.r.K-1])
	few := float64(sc.r.K) * min(max(missedByEf/float64(sc.r.Ef), leastMissed), mostMissed)
	factor, sum := cs.residuals/cs.expected, 0.0
	if !(factor <= math.MaxFloat64) { // no cell has any spread, or distances overflow
		return false
	}
	for _, key := range left {
		cell := uint32(key)
		deviation := math.Sqrt(factor * float64(cs.variance[cell]))
		if sum += above((float64(cs.mean[cell])-kth)/deviation) * float64(matches.inCell[cell]); sum > few {
			return false
		}
	}
	return true
}
