package vectorindex

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/isobath/isobath/hnsw"
	"github.com/isobath/isobath/internal/mmap"
)

// merge is a merge under way: the live rows of its inputs become one new segment. The largest graph is the base, the
// rest is inserted into it; codes are copied as bytes. Rows that die meanwhile stay in it as dead ones. After a crash
// it begins anew.
type merge struct {
	segments []*segment // inputs, retained
	parts    []*part
	inputs   []mergeInput    // the base first
	dead     *roaring.Bitmap // at the beginning: left out
	begun    time.Time

	book   *codebook    // of the new segment
	rows   int          // of the new segment
	file   *segmentFile // reserved, nil once written
	memory *mmap.Memory
	slots  []uint32
	codes  []byte

	params hnsw.Params
	taken  int64 // bytes of the budget

	copied   int // rows copied so far
	input    int // input and ord copied next
	ord      int
	remap    []uint32 // ord in the base -> new ord
	graph    *hnsw.Graph
	inserted int // rows in graph

	clustering *clustering // once all are; nil: there are to be no cells
}

type mergeInput struct {
	slots []uint32
	codes []byte
	book  *codebook
	graph hnsw.Reader // nil: none that can serve as base
	live  int
}

const (
	copyRows    = 1 << 16 // of one slice
	recodeCosts = 16      // rows copied in the time of one that is encoded anew
)

// mergeable returns the segments to merge now, none if all is well: those that lie below a larger one by less than the
// tier, and what is mostly dead or lacks its graph, or at rest its cells, with all that is smaller.
func (ix *Index) mergeable(s *sources) []*segment {
	if unverified(s) != nil || !ix.may() {
		return nil
	}
	segments := slices.Clone(s.segments)
	slices.SortStableFunc(segments, func(a, b *segment) int { return cmp.Compare(b.live(), a.live()) })
	builds, deadShareMax := ix.wantsGraph(s), ix.deadShareMax()
	from := slices.IndexFunc(segments, func(sg *segment) bool {
		return sg.deadShare() > deadShareMax || (builds && !sg.hasGraph(ix.conf())) ||
			(ix.conf().NoGraph && sg.graph != nil) || sg.book != ix.target.Load() || (ix.idle() && ix.undivided(sg))
	})
	least := 1
	if from < 0 {
		from, least = ix.tier(segments), 2
	}
	if from >= 0 && len(segments)-from >= least {
		return segments[from:]
	}
	return nil
}

// tier returns where in segments, largest first, a merge begins; -1: nowhere.
func (ix *Index) tier(segments []*segment) int {
	tier, from, sum := idleTier, -1, 0
	if !ix.idle() {
		if len(segments) <= maxSegments {
			return -1
		}
		tier, from = busyTier, len(segments)-2
	}
	for i := len(segments) - 1; i > 0; i-- {
		if sum += segments[i].live(); sum*tier >= segments[i-1].live() {
			from = i - 1
		}
	}
	return from
}

// linkBytes is the memory of the links of a row in a graph, upper levels included.
func (ix *Index) linkBytes() int64 { return 4 * int64(2*ix.conf().M+4) }

// rowBytes is the memory of a row in a segment: code, links, slot.
func (ix *Index) rowBytes(book *codebook) int64 {
	n := int64(book.stride) + 4
	if !ix.conf().NoGraph {
		n += ix.linkBytes()
	}
	return n
}

// absorbs returns the segments that p, a part that no graph holds yet and that takes no more rows, is merged with at
// once: its rows are then inserted into the graph that they end up in, not first into one of their own. None if it is
// not to be: rows still come, or the segments are much larger than the part.
func (ix *Index) absorbs(s *sources, p *part) []*segment {
	if p.graph.Load() != nil || !(p.frozen.Load() || ix.idle()) || unverified(s) != nil || !ix.may() {
		return nil
	}
	segments := slices.Clone(s.segments)
	slices.SortStableFunc(segments, func(a, b *segment) int { return cmp.Compare(a.live(), b.live()) })
	sum, based := p.len(), false
	for i, sg := range segments {
		if sum*idleTier < sg.live() {
			segments = segments[:i]
			break
		}
		sum += sg.live()
		based = based || (sg.hasGraph(ix.conf()) && sg.live() >= p.len())
	}
	if !based {
		return nil
	}
	return segments
}

// holds tells whether p is an input of the running merge.
func (m *merge) holds(p *part) bool { return m != nil && slices.Contains(m.parts, p) }

// beginMerge pins the inputs and reserves memory.
func (ix *Index) beginMerge(segments []*segment, parts []*part) error {
	for _, p := range parts {
		ix.freeze(p)
	}
	m := &merge{segments: segments, parts: parts, begun: time.Now(), book: ix.target.Load(), params: ix.graphParams()}
	ix.deadMu.Lock()
	m.dead = ix.dead.Clone()
	ix.deadMu.Unlock()
	for _, sg := range segments {
		in := mergeInput{slots: sg.slots, codes: sg.codes, book: sg.book, live: sg.rows - int(sg.set.AndCardinality(m.dead))}
		if sg.hasGraph(ix.conf()) {
			in.graph = sg.graph
		}
		m.inputs = append(m.inputs, in)
	}
	for _, p := range parts {
		set := roaring.New()
		p.named(set)
		in := mergeInput{slots: p.slots[:p.len()], codes: p.codes, book: p.book, live: p.len() - int(set.AndCardinality(m.dead))}
		if g := p.graph.Load(); g != nil && g.Params().M == m.params.M && g.Params().EfConstruction == max(m.params.EfConstruction, m.params.M) {
			in.graph = g
		}
		m.inputs = append(m.inputs, in)
	}
	slices.SortStableFunc(m.inputs, func(a, b mergeInput) int {
		if (a.graph == nil) != (b.graph == nil) {
			return cmp.Compare(b2i(a.graph == nil), b2i(b.graph == nil))
		}
		return cmp.Compare(b.live, a.live)
	})
	for _, in := range m.inputs {
		m.rows += in.live
	}
	if m.rows == 0 {
		return ix.commit(change{dropSegments: segments, dropParts: parts})
	}
	if err := ix.mergeMemory(m); err != nil {
		return err
	}
	for _, sg := range segments {
		sg.retain()
	}
	for _, p := range parts {
		p.retain()
		p.merged.Store(true)
	}
	ix.merge = m
	ix.o.Budget.pass(m.taken)
	ix.merging.Store(m.taken)
	return nil
}

// mergeMemory reserves memory and file of a merge. Where the budget is used up, memory is a file that the kernel may
// write out.
func (ix *Index) mergeMemory(m *merge) error {
	alloc := mmap.Alloc
	if need := int64(m.rows) * ix.rowBytes(m.book); ix.o.Budget.reserve(need, ix.o.Budget.spare()/2) {
		m.taken = need
	} else if ix.o.SpillDir != "" {
		if err := ix.o.Room(need); err != nil {
			return err
		}
		alloc = func(n int) (*mmap.Memory, error) { return mmap.Spill(ix.o.SpillDir, n) }
	}
	m.params.Alloc = alloc
	codes := m.rows * m.book.stride
	memory, err := alloc(codes + 4*m.rows)
	if err == nil {
		m.memory = memory
		m.file, err = ix.createNew(m.rows, m.book) // now, not after the graph was built
	}
	if err != nil {
		if memory != nil {
			memory.Free()
		}
		ix.o.Budget.give(m.taken)
		return fmt.Errorf("vectorindex: merge %d rows: %w", m.rows, err)
	}
	memory.HugePages(codes)
	m.codes, m.slots = memory.Bytes()[:codes:codes], wordsOf(memory.Bytes()[codes:])
	return nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (m *merge) free() {
	if m.graph != nil {
		m.graph.Free()
	}
	if m.file != nil {
		m.file.drop()
	}
	m.memory.Free()
	for _, sg := range m.segments {
		sg.release()
	}
	for _, p := range m.parts {
		p.release()
	}
}

// endMerge drops the merge. workMu is held.
func (ix *Index) endMerge() {
	for _, p := range ix.merge.parts {
		p.merged.Store(false)
	}
	ix.merge.free()
	ix.o.Budget.givePassed(ix.merge.taken)
	ix.merge = nil
	ix.merging.Store(0)
}

// mergeSlice goes one step on. After an error the merge is given up; it begins anew when Work is called again.
func (ix *Index) mergeSlice(context.Context) error {
	m := ix.merge
	var done bool
	err := mmap.Guard("vector segments", func() (err error) {
		done, err = ix.mergeStep(m)
		return err
	})
	if err != nil || done {
		ix.endMerge()
	}
	if err != nil {
		for _, sg := range m.segments {
			sg.suspectAfter(err)
		}
		return fmt.Errorf("vectorindex: merge: %w", err)
	}
	return nil
}

func (ix *Index) mergeStep(m *merge) (done bool, err error) {
	switch {
	case m.copied < m.rows:
		return false, ix.copySome(m)
	case m.rows == 0: // none of them can be read
		return true, ix.commit(change{dropSegments: m.segments, dropParts: m.parts})
	case ix.conf().NoGraph:
	case m.graph == nil:
		return false, ix.mergeBase(m)
	case m.inserted < m.rows:
		ix.build.aim(ix, m.book, m.codes)
		defer ix.build.rest()
		m.inserted, err = ix.build.insert(m.graph, m.inserted, m.rows)
		return false, err
	}
	in := segmentInput{rows: m.rows, slots: m.slots, codes: m.codes, book: m.book}
	if m.graph != nil && m.inserted == m.rows { // not one that was given up half way for NoGraph
		in.graph = m.graph
		if m.clustering == nil {
			m.clustering = ix.newClustering(in)
		}
		if m.clustering != nil && !m.clustering.done {
			return false, m.clustering.step()
		}
		in.order = m.graph.Order()
		m.clustering.give(&in)
	}
	sf := m.file
	m.file = nil
	sg, err := ix.writeNew(sf, in)
	if err != nil {
		return false, err
	}
	if err := ix.commit(change{dropSegments: m.segments, addSegments: []*segment{sg}, dropParts: m.parts}); err != nil {
		return false, err
	}
	ix.o.Log.Info("segments merged", "inputs", len(m.inputs), "file", sg.ref.File, "rows", sg.rows,
		"bytes", sg.ref.Bytes, "took", time.Since(m.begun))
	return true, nil
}

// copySome copies the live rows of the next ords. Codes of another codebook are made anew.
func (ix *Index) copySome(m *merge) error {
	view := ix.o.Rows.View()
	if view == nil {
		return ErrClosed
	}
	defer view.Release()
	stride := m.book.stride
	for budget := copyRows; budget > 0 && m.input < len(m.inputs); budget-- {
		in := &m.inputs[m.input]
		if m.ord == len(in.slots) {
			m.input, m.ord = m.input+1, 0
			continue
		}
		if m.input == 0 && in.graph != nil && m.remap == nil {
			m.remap = slices.Repeat([]uint32{hnsw.NoOrd}, len(in.slots))
		}
		slot := in.slots[m.ord]
		if m.dead.Contains(slot) {
			m.ord++
			continue
		}
		if m.copied == m.rows {
			return fmt.Errorf("more than %d live rows", m.rows)
		}
		if code := m.codes[m.copied*stride:][:stride]; in.book == m.book {
			copy(code, in.codes[m.ord*stride:])
		} else {
			budget -= recodeCosts
			row, err := view.Row(slot)
			if err != nil {
				ix.report(fmt.Errorf("vectorindex: row of slot %d is not indexed: %w", slot, err))
				m.rows--
				in.live--
				m.ord++
				continue
			}
			m.book.quantizer.Encode(code, row)
		}
		if m.input == 0 && m.remap != nil {
			m.remap[m.ord] = uint32(m.copied)
		}
		m.slots[m.copied] = slot
		m.copied++
		m.ord++
	}
	if m.input == len(m.inputs) && m.copied < m.rows {
		return fmt.Errorf("%d live rows of %d", m.copied, m.rows)
	}
	return nil
}

// mergeBase makes the graph to insert into.
func (ix *Index) mergeBase(m *merge) (err error) {
	base := &m.inputs[0]
	if base.graph == nil {
		m.graph, err = hnsw.New(m.rows, m.params)
		return err
	}
	space := codeSpace{book: m.book, codes: m.codes}
	m.graph, err = hnsw.Rebase(base.graph, len(base.slots), m.remap, m.rows, m.params, space.NewProbe)
	m.inserted = base.live
	m.remap = nil
	return err
}
