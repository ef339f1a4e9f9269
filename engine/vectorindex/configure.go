package vectorindex

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/isobath/isobath/internal/mmap"
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

// recode replaces a part by one with codes of the codebook wanted. Appends wait meanwhile if it is the one that takes
// rows.
func (ix *Index) recode(p *part) error {
	ix.writeMu.Lock()
	defer ix.writeMu.Unlock()
	s := ix.pin()
	defer s.release()
	view := ix.o.Rows.View()
	if view == nil {
		return ErrClosed
	}
	defer view.Release()
	fresh, err := newPart(p.capacity, ix.target.Load(), ix.o.Budget)
	if err != nil {
		return err
	}
	err = mmap.Guard("rows", func() error {
		ix.recodeRows(fresh, p, view.Row)
		return nil
	})
	if err != nil {
		fresh.free()
		return fmt.Errorf("vectorindex: new codes: %w", err)
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

func (ix *Index) recodeRows(fresh, p *part, row func(slot uint32) ([]float32, error)) {
	batch := min(max((4<<20)/(4*ix.o.Dim), 16), 1024)
	flat := make([]float32, batch*ix.o.Dim) // read here, in the guard of this goroutine; encoded by several
	rows := make([][]float32, 0, batch)
	slots := make([]uint32, 0, batch)
	n := p.len()
	for ord, slot := range p.slots[:n] {
		r, err := row(slot)
		if err != nil {
			ix.report(fmt.Errorf("vectorindex: row of slot %d is not indexed: %w", slot, err))
		} else {
			to := flat[len(rows)*ix.o.Dim:][:ix.o.Dim]
			copy(to, r)
			rows, slots = append(rows, to), append(slots, slot)
		}
		if len(rows) == batch || ord == n-1 {
			fresh.append(slots, rows, ix.o.Parallelism)
			rows, slots = rows[:0], slots[:0]
		}
	}
}
