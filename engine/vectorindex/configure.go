package vectorindex

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/mmapvec"
)

// conf returns the configuration in force.
func (ix *Index) conf() *Config { return ix.config.Load() }

// Configure changes all of the configuration but Dim, Metric, Datatype, Seed and Flat. What it changes in segments is done by Work;
// until then these serve as they are.
func (ix *Index) Configure(c Config) error {
	o := ix.o
	o.Config = c
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return err
	}
	ix.workMu.Lock()
	defer ix.workMu.Unlock()
	if c.Dim != ix.o.Dim || c.Metric != ix.o.Metric || c.Datatype != ix.o.Datatype || c.Seed != ix.o.Seed || c.Flat != ix.o.Flat {
		return errors.New("vectorindex: dimension, metric, seed and flatness are for ever")
	}
	ix.config.Store(&o.Config)
	if ix.isClosed() {
		return ErrClosed
	}
	if c.NoBackground && ix.merge != nil {
		ix.endMerge()
	}
	s := ix.pin()
	defer s.release()
	ix.target.Store(ix.wanted(s.rows() - s.deadRows()))
	return nil
}

// affordable returns the kind of codes for an index of so many rows: the first of those allowed that fits into what
// other indexes leave of the budget, the smallest if none does. Going back to a larger one takes some room to spare.
func (ix *Index) affordable(rows int) codeKind {
	kinds := ix.conf().kinds()
	b := ix.o.Budget
	if b == nil || ix.o.Flat || rows == 0 {
		return kinds[0]
	}
	lasting, now := b.room(ix.held())
	current := ix.target.Load()
	smallest, least := kinds[0], int64(math.MaxInt64)
	for i, k := range kinds {
		need := int64(rows) * ix.rowBytes(ix.books.get(ix.conf(), k, 0, nil))
		if need < least {
			smallest, least = k, need
		}
		room := lasting
		if current != nil && i < indexOfKind(kinds, current.kind) {
			need += need / 4
			room = now
		}
		if need <= room {
			return k
		}
	}
	return smallest
}

func indexOfKind(kinds []codeKind, k codeKind) int {
	for i, x := range kinds {
		if x == k {
			return i
		}
	}
	return -1
}

// held is the memory of the budget that the current sources of this index have.
func (ix *Index) held() (n int64) {
	s := ix.pin()
	defer s.release()
	for _, p := range s.parts {
		n += p.charged.Load()
	}
	for _, sg := range s.segments {
		n += sg.held()
	}
	return n
}

// richerAfter is how long there must have been memory for richer codes before all is written anew for them: another
// index has less for a moment whenever it replaces segments.
const richerAfter = 10 * time.Second

// retarget follows the budget: it changes what codes new rows get, and with that what segments are written anew.
// workMu is held.
func (ix *Index) retarget(s *sources) {
	old, wanted := ix.target.Load(), ix.wanted(s.rows()-s.deadRows())
	kinds := ix.conf().kinds()
	switch {
	case indexOfKind(kinds, wanted.kind) >= indexOfKind(kinds, old.kind):
		ix.richerSince = time.Time{}
	case ix.richerSince.IsZero():
		ix.richerSince = time.Now()
	}
	if wanted == old || (!ix.richerSince.IsZero() && time.Since(ix.richerSince) < richerAfter) {
		return
	}
	ix.target.Store(wanted)
	ix.o.Log.Info("other codes", "bits before", old.kind.bits(), "bits", wanted.kind.bits())
}

// keepPoorer goes on with the codes that most rows of segments have where richer ones seem to fit: other indexes have no
// memory yet when one is opened. retarget finds out later.
func (ix *Index) keepPoorer(segments []*segment) {
	kinds, rows := ix.conf().kinds(), make([]int, lastKind+1)
	most := ix.target.Load().kind
	for _, sg := range segments {
		if rows[sg.book.kind] += sg.rows; rows[sg.book.kind] > rows[most] {
			most = sg.book.kind
		}
	}
	if indexOfKind(kinds, most) > indexOfKind(kinds, ix.target.Load().kind) {
		ix.target.Store(ix.books.get(ix.conf(), most, 0, ix.centre))
	}
}

// centres tells whether the centre of codes is to be fixed.
func (ix *Index) centres(s *sources) bool {
	return !ix.centred && ix.target.Load().kind.rotated() && s.rows() > 0 && ix.wantsGraph(s)
}

// fixCentre decides on the centre of rotated codes, once, before the first graph on them is built: the mean of some rows
// of all sources. workMu is held.
func (ix *Index) fixCentre(s *sources) error {
	view := ix.o.Rows.View()
	if view == nil {
		return ErrClosed
	}
	defer view.Release()
	var rows [][]float32
	total := s.rows()
	step := max(1, total/centreRows)
	skip := 0
	sample := func(slots []uint32) {
		for ; skip < len(slots); skip += step {
			row, err := view.Row(slots[skip])
			if err != nil {
				ix.report(fmt.Errorf("vectorindex: row of slot %d is not indexed: %w", slots[skip], err))
				continue
			}
			rows = append(rows, row)
		}
		skip -= len(slots)
	}
	err := mmap.Guard("rows", func() error {
		for _, sg := range s.segments {
			sample(sg.slots)
		}
		for _, p := range s.parts {
			sample(p.slots[:p.len()])
		}
		if len(rows) > 0 {
			ix.centre = centreOf(ix.o.Dim, rows)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("vectorindex: centre: %w", err)
	}
	ix.centred = true
	ix.target.Store(ix.wanted(s.rows() - s.deadRows()))
	return nil
}

// recodable returns a part that no graph holds and whose codes are not those wanted.
func (ix *Index) recodable(s *sources) *part {
	target := ix.target.Load()
	for _, p := range s.parts {
		if p.book != target && p.graph.Load() == nil && p.len() > 0 && !ix.merge.holds(p) {
			return p
		}
	}
	return nil
}

// recode replaces a part by one with codes of the codebook wanted, or that will have them where p has none yet.
func (ix *Index) recode(p *part) error {
	if from, to := p.uncoded(p.len()); from == 0 && to > 0 {
		return ix.refill(p, func(fresh *part, slots []uint32) error {
			fresh.adopt(slots)
			return nil
		})
	}
	return ix.refill(p, ix.recodeRows)
}

// refillRounds is how often refill looks for rows that came meanwhile before appends have to wait for it.
const refillRounds = 16

// refill replaces a part by one that fill puts the rows of p into. Where p takes rows these come meanwhile, and appends wait only for a
// batch of them at the end.
func (ix *Index) refill(p *part, fill func(fresh *part, slots []uint32) error) error {
	fresh, err := newPart(p.capacity, ix.target.Load(), ix.o.Budget)
	if err != nil {
		return err
	}
	from := 0
	fillMore := func() error {
		to := p.len()
		err := fill(fresh, p.slots[from:to])
		from = to
		return err
	}
	for range refillRounds {
		if waiting := p.len() - from; err != nil || waiting == 0 || waiting <= ix.batchRows() && !p.frozen.Load() {
			break
		}
		err = fillMore()
	}
	if !p.frozen.Load() {
		ix.writeMu.Lock()
		defer ix.writeMu.Unlock()
	}
	if err == nil && from < p.len() {
		err = fillMore()
	}
	if err != nil {
		fresh.free()
		return err
	}
	fresh.frozen.Store(p.frozen.Load())
	ix.deadMu.Lock()
	defer ix.deadMu.Unlock()
	ix.recountLocked(nil, []*part{fresh})
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ix.swapLocked(ix.current.segments, replace(ix.current.parts, []*part{p}, []*part{fresh}))
	ix.forgetLocked() // rows that could not be read
	return nil
}

// recodeRows encodes the rows of slots for fresh. A damaged row is left out: it is a problem of its own.
func (ix *Index) recodeRows(fresh *part, slots []uint32) error {
	view := ix.o.Rows.View()
	if view == nil {
		return ErrClosed
	}
	defer view.Release()
	reader := ix.newRowReader(len(slots))
	for slots := range slices.Chunk(slices.Clone(slots), reader.size) {
		rows, err := reader.read(view, slots)
		if err != nil {
			slots, rows = ix.readIntact(view, slots, reader.rows)
		}
		fresh.append(slots, rows, ix.o.Parallelism)
	}
	return nil
}

// readIntact copies the rows that can be read, one after the other to find those that cannot, which it reports.
func (ix *Index) readIntact(view *mmapvec.View, slots []uint32, rows [][]float32) ([]uint32, [][]float32) {
	kept := 0
	for _, slot := range slots {
		err := mmap.Guard("rows", func() error {
			row, err := view.Row(slot)
			copy(rows[kept], row)
			return err
		})
		if err != nil {
			ix.report(fmt.Errorf("vectorindex: row of slot %d is not indexed: %w", slot, err))
			continue
		}
		slots[kept] = slot
		kept++
	}
	return slots[:kept], rows[:kept]
}
