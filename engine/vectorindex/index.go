package vectorindex

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
)

// ErrClosed is returned by calls on a closed index.
var ErrClosed = errors.New("vectorindex: closed")

// Index is the index of one named vector. See the package comment for who may call what.
type Index struct {
	o       Options
	config  atomic.Pointer[Config]
	books   books
	target  atomic.Pointer[codebook] // of new codes
	centre  []float32                // of new codebooks, see fixCentre; workMu
	centred bool                     // centre is decided; workMu
	scratch sync.Pool                // of *scratch

	working     atomic.Bool
	workMu      sync.Mutex // one slice of work at a time; guards the fields up to writeMu
	build       builder
	merge       *merge
	turn        int
	pausedTill  time.Time
	richerSince time.Time // since when there is memory for richer codes; zero: there is not
	broken      error     // Commit failed: which list of segments is durable is unknown

	writeMu    sync.Mutex // Append, and what else changes the last part
	lastAppend atomic.Int64
	lastKill   atomic.Int64
	strain     strain
	merging    atomic.Int64 // bytes that the running merge needs

	deadMu sync.Mutex
	dead   *roaring.Bitmap // slots that are dead and named
	named  *roaring.Bitmap // Flat only: slots that are named

	mu        sync.RWMutex // guards the fields below; load and pin are one step
	current   *sources
	committed *Saved // what Saved answers while Commit runs, else nil
	nextFile  uint64
	problems  []error
	closed    bool
}

// Problems returns what was found damaged since Open, and at Open.
func (ix *Index) Problems() []error {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	return slices.Clone(ix.problems)
}

// Append adds vectors that are not dead, in record order; rows are normalised already where cosine is meant, and copied.
// When it returns, views taken from then on find them. A slot that a segment names already, which happens at replay, is
// the same row: it is taken for alive again.
func (ix *Index) Append(slots []uint32, rows [][]float32) error {
	if len(slots) != len(rows) {
		return fmt.Errorf("vectorindex: append %d slots with %d rows", len(slots), len(rows))
	}
	ix.writeMu.Lock()
	defer ix.writeMu.Unlock()
	if slots, rows = ix.revive(slots, rows); len(slots) == 0 {
		return nil
	}
	ix.lastAppend.Store(time.Now().UnixNano())
	for len(slots) > 0 {
		p, err := ix.tailLocked()
		if err != nil {
			return err
		}
		n := min(len(slots), p.room())
		p.append(slots[:n], rows[:n], ix.o.Parallelism)
		slots, rows = slots[n:], rows[n:]
	}
	return nil
}

// revive returns what of slots and rows no source names yet. writeMu is held.
func (ix *Index) revive(slots []uint32, rows [][]float32) ([]uint32, [][]float32) {
	ix.deadMu.Lock()
	defer ix.deadMu.Unlock()
	s := ix.pin()
	defer s.release()
	for i, slot := range slots {
		if !ix.isNamedLocked(s, slot) {
			if ix.o.Flat {
				ix.named.Add(slot)
			}
			continue
		}
		freshSlots, freshRows := slices.Clone(slots[:i]), slices.Clone(rows[:i]) // rare: from here on pick
		for j := i; j < len(slots); j++ {
			if ix.isNamedLocked(s, slots[j]) {
				if ix.dead.CheckedRemove(slots[j]) {
					ix.countDead(s, slots[j], -1)
				}
				continue
			}
			if ix.o.Flat {
				ix.named.Add(slots[j])
			}
			freshSlots, freshRows = append(freshSlots, slots[j]), append(freshRows, rows[j])
		}
		return freshSlots, freshRows
	}
	return slots, rows
}

// isNamedLocked tells whether a source names slot. deadMu is held.
func (ix *Index) isNamedLocked(s *sources, slot uint32) bool {
	if ix.o.Flat {
		return ix.named.Contains(slot)
	}
	for _, p := range s.parts {
		if _, ok := p.find(slot); ok {
			return true
		}
	}
	for _, sg := range s.segments {
		if sg.set.Contains(slot) {
			return true
		}
	}
	return false
}

// partRows is the number of rows of a part: a full one takes an eighth of the budget at most, because its memory is
// needed until the segment that replaces it is written.
func (ix *Index) partRows(book *codebook) int {
	const least = 4 << 10
	n := ix.conf().SealRows
	if b := ix.o.Budget; b != nil {
		n = min(n, max(int(b.Total()/8/(ix.rowBytes(book)+partRowBytes)), least))
	}
	return n
}

// tailLocked returns a part with room for at least one row. writeMu is held.
func (ix *Index) tailLocked() (*part, error) {
	ix.mu.RLock()
	closed, p := ix.closed, ix.current.tail()
	ix.mu.RUnlock()
	if closed {
		return nil, ErrClosed
	}
	book := ix.target.Load()
	if p != nil && p.room() > 0 && (p.book == book || p.graph.Load() == nil) {
		return p, nil
	}
	next, err := newPart(ix.partRows(book), book, ix.o.Budget)
	if err != nil {
		return nil, err
	}
	if p != nil {
		p.frozen.Store(true)
	}
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ix.swapLocked(ix.current.segments, append(slices.Clone(ix.current.parts), next))
	return next, nil
}

// swapLocked makes a new list of sources the current one. mu is held for writing.
func (ix *Index) swapLocked(segments []*segment, parts []*part) {
	old := ix.current
	ix.current = newSources(segments, parts)
	for _, sg := range without(old.segments, segments...) {
		sg.retire()
	}
	for _, p := range without(old.parts, parts...) {
		p.retire()
	}
	old.release()
}

// pin returns the current sources; the caller releases them.
func (ix *Index) pin() *sources {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	ix.current.retain()
	return ix.current
}

// Kill tells that slots are dead for every view to come, after that is published. It only counts: what a search returns
// is decided by the caller's Filter and Visible. Slots that are not named are ignored.
func (ix *Index) Kill(slots []uint32) {
	ix.deadMu.Lock()
	defer ix.deadMu.Unlock()
	s := ix.pin()
	defer s.release()
	for _, slot := range slots {
		if !ix.dead.Contains(slot) && ix.countDead(s, slot, 1) {
			ix.dead.Add(slot)
			ix.lastKill.Store(time.Now().UnixNano())
		}
	}
}

// countDead adds by to the dead of the source that names slot and tells whether there is one. deadMu is held.
func (ix *Index) countDead(s *sources, slot uint32, by int64) bool {
	if ix.o.Flat {
		return ix.named.Contains(slot)
	}
	for _, p := range s.parts {
		if _, ok := p.find(slot); ok {
			p.dead.Add(by)
			return true
		}
	}
	for _, sg := range s.segments {
		if sg.set.Contains(slot) {
			sg.dead.Add(by)
			return true
		}
	}
	return false
}

// recountLocked sets the dead counts of new sources. deadMu is held.
func (ix *Index) recountLocked(segments []*segment, parts []*part) {
	for _, sg := range segments {
		sg.dead.Store(int64(sg.set.AndCardinality(ix.dead)))
	}
	for _, p := range parts {
		set := roaring.New()
		p.named(set)
		p.dead.Store(int64(set.AndCardinality(ix.dead)))
	}
}

// Named returns the slots that a part or segment names, dead ones included: these must not be given to other rows. The
// engine asks under the lock that it holds over Saved and the writing of its manifest.
func (ix *Index) Named() *roaring.Bitmap {
	if ix.o.Flat {
		ix.deadMu.Lock()
		defer ix.deadMu.Unlock()
		return ix.named.Clone()
	}
	s := ix.pin()
	defer s.release()
	set := roaring.New()
	for _, sg := range s.segments {
		set.Or(sg.set)
	}
	for _, p := range s.parts {
		p.named(set)
	}
	return set
}

// Saved returns what the manifest has to keep. See Options.Commit for the lock that goes with it.
func (ix *Index) Saved() Saved {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	if ix.committed != nil {
		return *ix.committed
	}
	return ix.savedLocked(ix.current.segments, ix.current.parts)
}

func (ix *Index) savedLocked(segments []*segment, parts []*part) Saved {
	s := Saved{NextFile: ix.nextFile}
	for _, sg := range segments {
		s.Segments = append(s.Segments, sg.ref)
	}
	for _, p := range parts {
		if p.saved != nil {
			s.Segments = append(s.Segments, *p.saved)
		}
	}
	return s
}

// Pending tells what background work is left.
func (ix *Index) Pending() Pending {
	s := ix.pin()
	defer s.release()
	p := Pending{Segments: len(s.segments), Rows: s.rows(), Dead: ix.deadRows(s)}
	for _, sg := range s.segments {
		p.IndexedRows += sg.rows
	}
	for _, pt := range s.parts {
		walked := int(pt.walked.Load())
		p.Head += walked
		p.Tail += pt.len() - walked
		p.IndexedRows += walked
	}
	p.Building = p.Tail > 0 && ix.wantsGraph(s)
	if !p.Building {
		p.IndexedRows = p.Rows
	}
	p.Due = ix.due(s)
	return p
}

func (ix *Index) deadRows(s *sources) int {
	if ix.o.Flat {
		ix.deadMu.Lock()
		defer ix.deadMu.Unlock()
		return int(ix.dead.GetCardinality())
	}
	return s.deadRows()
}

// wantsGraph tells whether the index is large enough for graphs.
func (ix *Index) wantsGraph(s *sources) bool {
	return !ix.o.Flat && !ix.conf().NoGraph && ix.conf().rawBytes(s.rows()-s.deadRows()) >= ix.conf().IndexFromBytes
}

// TailBytes is the memory of rows that wait for a graph which is to be built, and of these what the running merge puts
// into its own. It is cheap.
func (ix *Index) TailBytes() (all, merged int64) {
	s := ix.pin()
	defer s.release()
	if !ix.wantsGraph(s) {
		return 0, 0
	}
	for _, p := range s.parts {
		n := p.tailBytes()
		if all += n; p.merged.Load() {
			merged += n
		}
	}
	return all, merged
}

// Working tells whether a slice of work is being done.
func (ix *Index) Working() bool { return ix.working.Load() }

// Close frees everything. Work that runs is waited for; views that are still held keep what they need.
func (ix *Index) Close() error {
	ix.workMu.Lock()
	defer ix.workMu.Unlock()
	ix.writeMu.Lock()
	defer ix.writeMu.Unlock()
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if ix.closed {
		return nil
	}
	ix.closed = true
	if ix.merge != nil {
		ix.endMerge()
	}
	ix.swapLocked(nil, nil)
	return nil
}
