package vectorindex

import (
	"math"
	"math/bits"
	"slices"

	"github.com/isobath/isobath/internal/mmap"
)

// cellScan is the state of a scan of cells. It takes the cells of a segment by the mean distance of their rows from the query
// and ends when it expects to miss next to nothing in those that are left. Of the distances of the rows of a cell the mean and, but
// for one factor, the deviation are known from its centre; the factor is learnt from rows all over the segment; how many rows lie many
// deviations off was learnt when the segment was written.
type cellScan struct {
	mean     []float32 // see cells.place, as those that follow
	variance []float64
	order    []uint64
	placed   *segment  // whose cells order has; nil: of an earlier search
	best     []float32 // scratch

	share    float64 // of all matches that is in the segment: and of what may be missed
	gathered int     // matches in ords of the search and in cells that are not scored yet
	scored   int

	worth   float32 // distance beyond which no candidate is rescored
	factor  factor
	seen    seen
	since   []float32 // distances of rows that came among the candidates since seen was last told
	checked int       // rank of the first cell that it was not told of
}

// seen compares how many rows the tails let expect within the farthest candidate in the cells scanned with how many there were. What
// matches a filter may be spread otherwise than the rows that the tails were learnt from. The last cells count most.
type seen struct{ found, expected float64 }

const (
	seenFades = 0.5  // at each check
	seenPrior = 2.0  // rows, as many found as expected, that nobody saw
	seenLeast = 0.25 // of those expected: near duplicates come in lumps
)

func (s *seen) add(found, expected float64) {
	s.found, s.expected = s.found*seenFades+found, s.expected*seenFades+expected
}

// ratio is what part of the rows that are expected there are.
func (s *seen) ratio() float64 { return max((s.found+seenPrior)/(s.expected+seenPrior), seenLeast) }

const (
	leastScored = 256 // matches before a scan of cells may end
	checkGrowth = 1.2 // it looks whether it may end each time the matches scored have grown by so much
	factorRows  = 512 // that the factor is learnt from
	// missedByEf, by Ef, is the part of the best matches that are wanted that may be expected to be missed, within the two bounds.
	missedByEf              = 8.0
	leastMissed, mostMissed = 0.005, 0.05

	// What scans of cells were measured to take: of all matches about cellsScanned by the share of the rows that match to the power of
	// scannedFall, and for each cell and each row that the factor is learnt from so many distances.
	cellsScanned, scannedFall = 0.2, -0.25
	cellRowsPerDistance       = 4.5
	costOfCell                = 0.6
	foundPerDistance          = 16 // matches whose ords are looked up

	nearRows  = 512 // that tell how many match near a query, at least, ...
	nearCells = 16  // in so many cells at most

	mostOfCells  = 1000 // wanted beyond which cells save little
	insertedBest = 32   // wanted up to which the best are kept in order
)

// cellCost is what a scan of the cells of sg takes that hold so many matches, in distances of a walk.
func (sc *scratch) cellCost(sg *segment, matches int) float64 {
	if sg.cells == nil || sc.r.wanted() > mostOfCells || sc.r.Rows { // the bounds are those of codes
		return math.Inf(1)
	}
	n := float64(max(matches, 1))
	scanned := min(cellsScanned*math.Pow(n/float64(sg.rows), scannedFall), 1)
	cost := scanned*n/cellRowsPerDistance + float64(sg.cells.len()+factorRows)*costOfCell
	if sc.r.Filter.kept(sg) == nil {
		cost += n / foundPerDistance
	}
	return cost
}

// scanCells scans the cells of the segment of w that may hold some of the best matches.
func (sc *scratch) scanCells(w *walk) error {
	sg := w.segment
	cs, c := &sc.cellScan, sg.coded()
	cs.share = float64(w.matches) / float64(max(sc.matches, 1))
	sc.placeCells(sg)
	slices.Sort(cs.order)
	sc.learnFactor(sg)
	matches := sc.r.Filter.in(sg, sc.v.s)
	cs.gathered, cs.scored = 0, 0
	cs.seen, cs.since, cs.checked = seen{}, cs.since[:0], 0
	cs.worth = float32(math.Inf(1))
	check := leastScored
	for i, key := range cs.order {
		cell := uint32(key)
		n := int(matches.inCell[cell])
		if n == 0 {
			continue
		}
		from, to := int(sg.cells.begin[cell]), int(sg.cells.begin[cell+1])
		if c.askable() {
			mmap.Prefetch(c.codes[from*c.book.stride : to*c.book.stride])
		}
		sc.gather(c, matches.bits, from, to)
		if err := sc.proceed(n); err != nil {
			return err
		}
		if cs.scored+cs.gathered < check {
			continue
		}
		sc.scoreGathered(c)
		check = int(float64(cs.scored)*checkGrowth) + 1
		if sc.missesFew(sg.cells, matches, i+1) {
			return nil
		}
	}
	sc.scoreGathered(c)
	return nil
}

// placeCells makes the codes of sg what is scored and finds the mean distances of the rows in its cells, unless they are known.
func (sc *scratch) placeCells(sg *segment) {
	cs, c := &sc.cellScan, sg.cells
	sc.aim(sg.coded())
	if cs.placed == sg {
		return
	}
	cs.placed = sg
	if sc.codes.askable() {
		mmap.Prefetch(c.codes)
	}
	n, stride := c.len(), sc.codes.book.stride
	cs.mean, cs.variance = slices.Grow(cs.mean[:0], n)[:n], slices.Grow(cs.variance[:0], n)[:n]
	for from := 0; from < n; from += scanBatch {
		k := min(scanBatch, n-from)
		sc.codes.query.Distances(c.codes[from*stride:(from+k)*stride], sc.iota[:k], cs.mean[from:], farthest)
	}
	sc.count(n, 0, sc.codes.book)
	cs.order = c.place(sc.v.ix.o.Metric, cs.mean, cs.variance, slices.Grow(cs.order[:0], n))
}

// nearShare is what part of the rows in the nearest cells that hold so many matches; of nearCells cells at most.
func (sc *scratch) nearShare(sg *segment, least int) float64 {
	matches := sc.r.Filter.in(sg, sc.v.s)
	rows, n := 0, 0
	last := uint64(0)
	for range nearCells {
		nearest := uint64(math.MaxUint64) // no key
		for _, key := range sc.cellScan.order {
			if key > last {
				nearest = min(nearest, key)
			}
		}
		if nearest == math.MaxUint64 {
			break
		}
		cell := uint32(nearest)
		rows += int(sg.cells.begin[cell+1] - sg.cells.begin[cell])
		n += int(matches.inCell[cell])
		if rows >= least {
			break
		}
		last = nearest
	}
	return float64(n) / float64(max(rows, 1))
}

// learnFactor learns the factor as it was when the tails were learnt: from rows all over the segment. Rows of the cells near the query
// alone make it too small where a set has few dimensions of its own.
func (sc *scratch) learnFactor(sg *segment) {
	cs, c := &sc.cellScan, &sc.codes
	cs.factor = factor{}
	rows, cell := min(factorRows, sg.rows), 0
	for from := 0; from < rows; from += scanBatch {
		ords := sc.ords[:min(scanBatch, rows-from)]
		for i := range ords {
			ords[i] = uint32((from + i) * sg.rows / rows)
		}
		c.ask(ords)
		c.Distances(ords, sc.out[:len(ords)], farthest)
		for i, ord := range ords {
			for sg.cells.begin[cell+1] <= ord {
				cell++
			}
			cs.factor.add(sc.out[i], cs.mean[cell], cs.variance[cell])
		}
	}
	sc.count(rows, 0, c.book)
}

// gather adds the matches among the ords from to to-1 to the batch and scores full batches.
func (sc *scratch) gather(c coded, set []uint64, from, to int) {
	cs := &sc.cellScan
	n, ords := cs.gathered, sc.ords[:scanBatch]
	for w := from / 64; w*64 < to; w++ {
		word := set[w] & wordMask(w, from, to)
		for word != 0 {
			ords[n] = uint32(w*64 + bits.TrailingZeros64(word))
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
	n, bound := cs.gathered, min(sc.near.bound(), cs.worth)
	sc.codes.Distances(sc.ords[:n], sc.out[:n], bound)
	for i, d := range sc.out[:n] {
		if d >= bound { // most are
			continue
		}
		ord := sc.ords[i]
		if slot := c.slots[ord]; sc.r.Visible == nil || sc.r.Visible(slot) {
			sc.near.push(Result{slot, d, sc.codes.query.Deviation(c.codes[int(ord)*c.book.stride:])})
			bound = min(sc.near.bound(), cs.worth)
			cs.since = append(cs.since, d)
		}
	}
	sc.count(n, 0, c.book)
	sc.stats.Scanned += n
	cs.scored, cs.gathered = cs.scored+n, 0
}

// farthestOfBest is the distance of the last of the best candidates that are wanted, that of each taken a deviation farther: estimates that err
// towards the query come first. The deviation is the largest of a candidate, 0 where one is not known.
func (sc *scratch) farthestOfBest() (kth, deviation float32) {
	cs, k := &sc.cellScan, sc.r.wanted()
	best, least, most := cs.best[:0], float32(math.Inf(1)), float32(0)
	for _, r := range slices.Backward(sc.near.heap) { // of a full heap the farthest come last: fewer are inserted
		least, most = min(least, r.deviation), max(most, r.deviation)
		d := r.Distance + r.deviation
		switch {
		case k > insertedBest:
			best = append(best, d)
		case len(best) < k || d < best[k-1]:
			at, _ := slices.BinarySearch(best, d)
			best = slices.Insert(best[:min(len(best), k-1)], at, d)
		}
	}
	if k > insertedBest {
		slices.Sort(best)
	}
	cs.best = best
	if !(least > 0) {
		most = 0
	}
	return best[k-1], most
}

// missesFew tells whether few of the best matches that are wanted are expected in the cells from rank from on.
func (sc *scratch) missesFew(c *cells, matches *ordMatches, from int) bool {
	cs := &sc.cellScan
	if len(sc.near.heap) < sc.r.wanted() || !cs.factor.known() {
		return false
	}
	sc.compareSeen(c, matches, from)
	kth, deviation := sc.farthestOfBest()
	if sc.r.Oversampling <= 1 && !sc.r.Approximate && deviation > 0 { // as worthwhile does, which knows each deviation
		cs.worth = kth + rescoreDeviations*math.Sqrt2*deviation
	}
	few := float64(sc.r.wanted()) * min(max(missedByEf/float64(sc.r.Ef), leastMissed), mostMissed) * cs.share / cs.seen.ratio()
	return sc.expectedIn(c, matches, from, c.len(), float64(kth), few) <= few
}

// compareSeen tells seen of the cells below rank to.
func (sc *scratch) compareSeen(c *cells, matches *ordMatches, to int) {
	cs := &sc.cellScan
	within, found := cs.worth, 0
	if len(sc.near.heap) == sc.near.limit {
		within = min(within, sc.near.heap[0].Distance)
	}
	if math.IsInf(float64(within), 1) {
		return
	}
	for _, d := range cs.since {
		if d <= within {
			found++
		}
	}
	cs.seen.add(float64(found), sc.expectedIn(c, matches, cs.checked, to, float64(within), math.Inf(1)))
	cs.since, cs.checked = cs.since[:0], to
}

// expectedIn is how many matches are expected within a distance in the cells of the ranks from from to to-1; more than most is
// not counted.
func (sc *scratch) expectedIn(c *cells, matches *ordMatches, from, to int, within, most float64) (sum float64) {
	cs := &sc.cellScan
	for zone, end := range zoneEnds(c.len()) {
		tail := c.tail(zone)
		for end = min(end, to); from < end && sum <= most; from++ {
			cell := uint32(cs.order[from])
			if n := matches.inCell[cell]; n > 0 {
				z := (float64(cs.mean[cell]) - within) / cs.factor.deviation(cs.variance[cell])
				sum += above(tail, z) * float64(n)
			}
		}
	}
	return sum
}
