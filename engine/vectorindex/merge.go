package vectorindex

import (
	"cmp"
	"context"
	"errors"
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

	rows   int          // of the new segment
	file   *segmentFile // reserved, nil once written
	memory *mmap.Memory
	slots  []uint32
	codes  []byte

	copied   int // rows copied so far
	input    int // input and ord copied next
	ord      int
	remap    []uint32 // ord in the base -> new ord
	graph    *hnsw.Graph
	inserted int // rows in graph
}

type mergeInput struct {
	slots []uint32
	codes []byte
	graph hnsw.Reader // nil: none that can serve as base
	live  int
}

const copyRows = 1 << 16 // of one slice

// mergeable returns the segments to merge now, none if all is well: those that lie below a larger one by less than the
// tier, and what is mostly dead or lacks its graph with all that is smaller.
func (ix *Index) mergeable(s *sources) []*segment {
	if unverified(s) != nil || !ix.may() {
		return nil
	}
	segments := slices.Clone(s.segments)
	slices.SortStableFunc(segments, func(a, b *segment) int { return cmp.Compare(b.live(), a.live()) })
	builds := ix.wantsGraph(s)
	from := slices.IndexFunc(segments, func(sg *segment) bool {
		return sg.deadShare() > deadShareMax || (builds && !sg.hasGraph(&ix.o.Config))
	})
	least := 1
	if from < 0 {
		from, least = ix.tier(segments), 2
	}
	for from >= 0 && len(segments)-from >= least {
		n := 0
		for _, sg := range segments[from:] {
			n += sg.live()
		}
		if ix.o.MergeBytes == 0 || ix.mergeBytes(n) <= ix.o.MergeBytes {
			return segments[from:]
		}
		from++
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

// mergeBytes estimates the memory of a merge to n rows.
func (ix *Index) mergeBytes(n int) int64 {
	return int64(n) * int64(ix.stride+4+4*(2*ix.o.M+4))
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
		if sum*idleTier < sg.live() || (ix.o.MergeBytes > 0 && ix.mergeBytes(sum+sg.live()) > ix.o.MergeBytes) {
			segments = segments[:i]
			break
		}
		sum += sg.live()
		based = based || (sg.hasGraph(&ix.o.Config) && sg.live() >= p.len())
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
	m := &merge{segments: segments, parts: parts, begun: time.Now()}
	ix.deadMu.Lock()
	m.dead = ix.dead.Clone()
	ix.deadMu.Unlock()
	for _, sg := range segments {
		in := mergeInput{slots: sg.slots, codes: sg.codes, live: sg.rows - int(sg.set.AndCardinality(m.dead))}
		if sg.hasGraph(&ix.o.Config) {
			in.graph = sg.graph
		}
		m.inputs = append(m.inputs, in)
	}
	for _, p := range parts {
		set := roaring.New()
		p.named(set)
		in := mergeInput{slots: p.slots[:p.len()], codes: p.codes, live: p.len() - int(set.AndCardinality(m.dead))}
		if g := p.graph.Load(); g != nil {
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
	memory, err := mmap.Alloc(m.rows * (ix.stride + 4))
	if err != nil {
		return fmt.Errorf("vectorindex: merge %d rows: %w", m.rows, err)
	}
	if m.file, err = ix.createNew(m.rows); err != nil { // now, not after the graph was built
		memory.Free()
		return err
	}
	memory.HugePages(m.rows * ix.stride)
	m.memory = memory
	m.codes = memory.Bytes()[: m.rows*ix.stride : m.rows*ix.stride]
	m.slots = wordsOf(memory.Bytes()[m.rows*ix.stride:])
	for _, sg := range segments {
		sg.retain()
	}
	for _, p := range parts {
		p.retain()
	}
	ix.merge = m
	ix.merging.Store(ix.mergeBytes(m.rows))
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
	ix.merge.free()
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
		var fault *mmap.FaultError
		for _, sg := range m.segments {
			sg.suspect.Store(errors.Is(err, hnsw.ErrCorrupt) || errors.As(err, &fault))
		}
		return fmt.Errorf("vectorindex: merge: %w", err)
	}
	return nil
}

func (ix *Index) mergeStep(m *merge) (done bool, err error) {
	switch {
	case m.copied < m.rows:
		return false, m.copySome(ix.stride)
	case ix.o.NoGraph:
	case m.graph == nil:
		return false, ix.mergeBase(m)
	case m.inserted < m.rows:
		ix.build.aim(ix, m.codes)
		defer ix.build.rest()
		m.inserted, err = ix.build.insert(m.graph, m.inserted, m.rows)
		return false, err
	}
	in := segmentInput{rows: m.rows, slots: m.slots, codes: m.codes, stride: ix.stride}
	if m.graph != nil {
		in.graph, in.order = m.graph, m.graph.Order()
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

// copySome copies the live rows of the next ords.
func (m *merge) copySome(stride int) error {
	for budget := copyRows; budget > 0 && m.input < len(m.inputs); budget-- {
		in := &m.inputs[m.input]
		if m.ord == len(in.slots) {
			m.input, m.ord = m.input+1, 0
			continue
		}
		if m.input == 0 && in.graph != nil && m.remap == nil {
			m.remap = slices.Repeat([]uint32{hnsw.NoOrd}, len(in.slots))
		}
		if slot := in.slots[m.ord]; !m.dead.Contains(slot) {
			if m.copied == m.rows {
				return fmt.Errorf("more than %d live rows", m.rows)
			}
			if m.input == 0 && m.remap != nil {
				m.remap[m.ord] = uint32(m.copied)
			}
			m.slots[m.copied] = slot
			copy(m.codes[m.copied*stride:][:stride], in.codes[m.ord*stride:])
			m.copied++
		}
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
		m.graph, err = hnsw.New(m.rows, ix.graphParams())
		return err
	}
	space := codeSpace{quantizer: ix.quantizer, codes: m.codes, stride: ix.stride}
	m.graph, err = hnsw.Rebase(base.graph, len(base.slots), m.remap, m.rows, ix.graphParams(), space.NewProbe)
	m.inserted = base.live
	m.remap = nil
	return err
}
