package vectorindex

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// ctxRows is how many rows a scan reads between two looks at its context.
const ctxRows = 8192

// proceed counts n rows and returns the context's error now and then.
func (sc *scratch) proceed(n int) error {
	if sc.deadline -= n; sc.deadline > 0 {
		return nil
	}
	sc.deadline = ctxRows
	return sc.ctx.Err()
}

// scanCodes scans the codes of everything that matches, or the rows where these were asked for.
func (sc *scratch) scanCodes() error {
	for _, sg := range sc.v.s.segments {
		if err := sc.scanSegment(sg); err != nil {
			return err
		}
	}
	for i, p := range sc.v.s.parts {
		n, walked := sc.v.counts[i], int(p.walked.Load())
		if err := sc.scanPart(p, max(sc.limit(p, n, walked), min(walked, n))); err != nil {
			return err
		}
	}
	return nil
}

// scanPart scans the first n ords of a part: their codes, or the rows where there are none yet.
func (sc *scratch) scanPart(p *part, n int) error {
	if sc.r.Rows {
		return sc.scanRowsAt(p.slots[:n])
	}
	from, to := p.uncoded(n)
	if from < to {
		sc.compared = true
		if err := sc.scanUncoded(p, from, to); err != nil {
			return err
		}
	}
	if !sc.scansAll(n) {
		if to-from == n {
			return nil
		}
		return sc.scanMatches(p.coded(), ordFinder{part: p, rows: n, from: from, to: to})
	}
	if from == to {
		return sc.scanRange(p.coded(), 0, n)
	}
	if err := sc.scanRange(p.coded(), 0, from); err != nil {
		return err
	}
	return sc.scanRange(p.coded(), to, n)
}

// scanUncoded compares with the rows of ords from to to-1.
func (sc *scratch) scanUncoded(p *part, from, to int) error {
	if sc.scansAll(to - from) {
		return sc.scanRowsAt(p.slots[from:to])
	}
	f := ordFinder{part: p, rows: to, from: from, to: to, uncoded: true}
	for sc.members.Initialize(sc.r.Filter.Bitmap); ; {
		n, k := sc.nextMatches(&f)
		if k == 0 {
			return nil
		}
		sc.scanRowBatch(sc.slots[:n])
		if err := sc.proceed(k); err != nil {
			return err
		}
	}
}

func (sc *scratch) scanSegment(sg *segment) error {
	switch {
	case sc.r.Rows && sc.r.Filter == nil:
		return sc.scanRowsOf(sg.set, nil)
	case sc.r.Rows && sc.matches < sg.rows:
		return sc.scanRowsOf(sc.r.Filter.Bitmap, sg.set)
	case sc.r.Rows:
		return sc.scanRowsOf(sg.set, sc.r.Filter.Bitmap)
	}
	if sc.scansAll(sg.rows) {
		return sc.scanRange(sg.coded(), 0, sg.rows)
	}
	return sc.scanMatches(sg.coded(), ordFinder{segment: sg})
}

// ordFinder finds the ords of slots in one source.
type ordFinder struct {
	segment *segment // nil: a part
	hint    int      // where in the segment the last slot was, they are asked for in ascending order
	part    *part
	rows    int // of the part that are read
	from    int // its ords from here up to to have no code
	to      int
	uncoded bool // only these are found, otherwise only the others
}

func (f *ordFinder) find(slot uint32) (ord uint32, ok bool) {
	if f.segment != nil {
		return f.segment.bySlot.find(slot, &f.hint)
	}
	ord, ok = f.part.bySlot.get(slot)
	return ord, ok && int(ord) < f.rows && (int(ord) >= f.from && int(ord) < f.to) == f.uncoded
}

// nextMatches puts the next k members that f finds, n of them, into slots and ords; k is 0 at the end.
func (sc *scratch) nextMatches(f *ordFinder) (n, k int) {
	k = sc.members.NextMany(sc.slots[:scanBatch])
	for _, slot := range sc.slots[:k] {
		if ord, ok := f.find(slot); ok {
			sc.slots[n], sc.ords[n] = slot, ord
			n++
		}
	}
	return n, k
}

// scansAll tells whether a source of n rows is better scanned from end to end than by looking up the matches.
func (sc *scratch) scansAll(n int) bool { return sc.r.Filter == nil || sc.matches > n }

// scanRange scans the codes of ords from to to-1, one after the other in memory.
func (sc *scratch) scanRange(c coded, from, to int) error {
	sc.aim(c)
	stride := c.book.stride
	for begin := from; from < to; from += scanBatch {
		n := min(scanBatch, to-from)
		c.askAhead(begin, from, to)
		batch := codeScorer{sc.codes.query, coded{book: c.book, codes: c.codes[from*stride : (from+n)*stride], mapped: c.mapped}}
		batch.Distances(sc.iota[:n], sc.out, sc.near.bound())
		for i, d := range sc.out[:n] {
			if sc.near.takes(d) && sc.allowed(c.slots[from+i]) {
				sc.near.push(Result{c.slots[from+i], d, batch.query.Deviation(batch.codes[i*stride:])})
			}
		}
		sc.count(n, 0, c.book)
		sc.stats.Scanned += n
		if err := sc.proceed(n); err != nil {
			return err
		}
	}
	return nil
}

// scanMatches scans the codes of the filter's matches that are in the source of f.
func (sc *scratch) scanMatches(c coded, f ordFinder) error {
	q := sc.aim(c)
	for sc.members.Initialize(sc.r.Filter.Bitmap); ; {
		n, k := sc.nextMatches(&f)
		if k == 0 {
			return nil
		}
		c.ask(sc.ords[:n])
		sc.codes.Distances(sc.ords[:n], sc.out, sc.near.bound())
		for i, d := range sc.out[:n] {
			if slot := sc.slots[i]; sc.near.takes(d) && (sc.r.Visible == nil || sc.r.Visible(slot)) {
				sc.near.push(Result{slot, d, q.Deviation(c.codes[int(sc.ords[i])*c.book.stride:])})
			}
		}
		sc.count(n, 0, c.book)
		sc.stats.Scanned += n
		if err := sc.proceed(k); err != nil {
			return err
		}
	}
}

// scanRows compares with the rows themselves: those of the filter, or all.
func (sc *scratch) scanRows() error {
	if sc.r.Filter != nil {
		return sc.scanRowsOf(sc.r.Filter.Bitmap, nil)
	}
	for _, sg := range sc.v.s.segments { // by slot: the rows lie one after the other
		if err := sc.scanRowsOf(sg.set, nil); err != nil {
			return err
		}
	}
	for i, p := range sc.v.s.parts {
		n := sc.v.counts[i]
		for from := 0; from < n; from += scanBatch {
			batch := p.slots[from:min(n, from+scanBatch)]
			sc.scanRowBatch(batch)
			if err := sc.proceed(len(batch)); err != nil {
				return err
			}
		}
	}
	return nil
}

// scanRowsOf compares with the rows of set that are in other, too, or all of them where that is nil.
func (sc *scratch) scanRowsOf(set, other *roaring.Bitmap) error {
	for sc.members.Initialize(set); ; {
		n := sc.members.NextMany(sc.slots[:scanBatch])
		if n == 0 {
			return nil
		}
		slots := sc.slots[:n]
		if other != nil {
			slots = slices.DeleteFunc(slots, func(slot uint32) bool { return !other.Contains(slot) })
		}
		sc.scanRowBatch(slots)
		if err := sc.proceed(n); err != nil {
			return err
		}
	}
}

// scanRowsAt compares with the rows of slots that match the filter.
func (sc *scratch) scanRowsAt(slots []uint32) error {
	for len(slots) > 0 {
		n, batch := 0, min(len(slots), scanBatch)
		for _, slot := range slots[:batch] {
			if sc.r.Filter == nil || sc.r.Filter.Contains(slot) {
				sc.slots[n] = slot
				n++
			}
		}
		slots = slots[batch:]
		sc.scanRowBatch(sc.slots[:n])
		if err := sc.proceed(batch); err != nil {
			return err
		}
	}
	return nil
}

// scanRowBatch compares with the rows of at most scanBatch slots, a run of neighbours at a time.
func (sc *scratch) scanRowBatch(slots []uint32) {
	sc.v.rows.PrefetchCold(slots)
	for len(slots) > 0 {
		span := sc.v.rows.Span(slots[0])
		n := 0
		for n < len(slots) && slots[n] >= span.First && int64(slots[n]-span.First) < int64(span.Count) {
			sc.ords[n] = slots[n] - span.First
			n++
		}
		if n == 0 { // never written
			slots = slots[1:]
			continue
		}
		sc.query.Span(span, sc.ords[:n], sc.out)
		for i, d := range sc.out[:n] {
			if sc.near.takes(d) && (sc.r.Visible == nil || sc.r.Visible(slots[i])) {
				sc.near.push(Result{Slot: slots[i], Distance: d})
			}
		}
		sc.stats.RowsRead += n
		slots = slots[n:]
	}
}
