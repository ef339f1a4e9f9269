package vectorindex

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/isobath/isobath/hnsw"
	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/internal/vfs"
	"github.com/isobath/isobath/mmapvec/distance"
)

// segment is one sealed segment: a mapped file.
type segment struct {
	pinned
	ref         SegmentRef
	head        *segmentHead
	rows        int
	stride      int
	book        *codebook       // of codes, given by who opened it
	slots       []uint32        // by ord
	set         *roaring.Bitmap // of slots; shared, not to be changed
	bySlot      slotIndex
	codes       []byte
	graph       *hnsw.Mapped // nil: none
	cells       *cells       // nil: none
	undividable bool         // see segmentInput
	dead        atomic.Int64

	checked int         // blocks verified so far, by Work only
	suspect atomic.Bool // a search met damage: verify it once more
	doomed  atomic.Bool // the file goes when the last user does

	fs     vfs.FS
	name   string
	region *mmap.Region
	memory *mmap.Memory // holds codes or links or both, see place
	budget *Budget      // of memory
	passed bool         // memory goes with the last search
	inRAM  placed
	cold   coldness
}

// placed tells what of a segment is held in memory.
type placed struct{ codes, links bool }

// openSegment maps a segment file and verifies what ord -> slot depends on. Codes and graph are verified later, see
// checkSome: damage there can cost recall, never a wrong row or distance.
func openSegment(fsys vfs.FS, dir string, ref SegmentRef) (*segment, error) {
	name := path.Join(dir, ref.File)
	f, err := fsys.OpenRead(name)
	if err != nil {
		return nil, fmt.Errorf("vectorindex: open segment: %w", err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, fmt.Errorf("vectorindex: open segment: %w", err)
	}
	if size < headPage || size > 1<<46 {
		return nil, binfmt.Corrupt(name, 0, "file of %d bytes", size)
	}
	region, err := mmap.Map(f, 0, int(size))
	if err != nil {
		return nil, fmt.Errorf("vectorindex: open segment: %w", err)
	}
	sg := &segment{ref: ref, fs: fsys, name: name, region: region}
	_ = region.Advise(mmap.Random) // only a hint; ordinary read-ahead would read megabytes of codes
	err = mmap.Guard(name, func() error {
		if err := sg.parse(region.Bytes()); err != nil {
			return err
		}
		if sg.head.id != ref.ID || sg.rows != ref.Rows || sg.head.fileBytes != ref.Bytes {
			return binfmt.Corrupt(name, 0, "not the file that the manifest names")
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, sg.close())
	}
	sg.onFree = sg.free
	return sg, nil
}

// parse reads head, ord -> slot and its reverse from b and verifies the blocks that hold them.
func (sg *segment) parse(b []byte) error {
	corrupt := func(off int64, err error) error { return &binfmt.CorruptError{File: sg.name, Offset: off, Err: err} }
	head, err := decodeHead(b)
	if err != nil {
		return corrupt(0, err)
	}
	if head.fileBytes != int64(len(b)) {
		return corrupt(0, fmt.Errorf("file of %d bytes, %d written", len(b), head.fileBytes))
	}
	sg.head, sg.rows, sg.stride = head, int(head.rows), int(head.stride)
	part := func(kind sectionKind) []byte {
		s := head.section(kind)
		return b[s.off : s.off+s.len : s.off+s.len]
	}
	if sums := head.section(sectionSums); binfmt.Checksum(part(sectionSums)) != sums.crc {
		return corrupt(sums.off, binfmt.ErrChecksum)
	}
	needed := []sectionKind{sectionSlots, sectionBitmap, sectionBySlot, sectionCentre, sectionCells}
	for _, kind := range needed {
		mmap.Prefetch(part(kind))
	}
	for _, kind := range needed {
		s := head.section(kind)
		if err := sg.checkBlocks(b, int((s.off-headPage)/blockBytes), int((s.off+s.len-headPage+blockBytes-1)/blockBytes)); err != nil {
			return err
		}
	}
	sg.slots = wordsOf(part(sectionSlots))
	if sg.set, err = decodeBitmap(part(sectionBitmap)); err == nil && int(sg.set.GetCardinality()) != sg.rows {
		err = errSection
	}
	if err != nil {
		return corrupt(head.section(sectionBitmap).off, err)
	}
	if sg.bySlot, err = decodeBySlot(head.section(sectionBySlot).aux, wordsOf(part(sectionBySlot)), sg.rows); err != nil {
		return corrupt(head.section(sectionBySlot).off, err)
	}
	if sg.stride > 0 {
		sg.codes = part(sectionCodes)
	}
	if s := head.section(sectionCells); s.len > 0 {
		if sg.cells, err = decodeCells(part(sectionCells), int(s.aux), sg.stride, sg.rows); err != nil {
			return corrupt(s.off, err)
		}
	}
	if s := head.section(sectionGraph); s.len > 0 {
		if sg.graph, err = hnsw.OpenMapped(part(sectionGraph)); err == nil && sg.graph.Len() != sg.rows {
			err = errSection
		}
		if err != nil {
			return corrupt(s.off, err)
		}
	}
	return nil
}

// linkBytes is the size of the graph, 0 without one.
func (sg *segment) linkBytes() int64 { return sg.head.section(sectionGraph).len }

// hold copies codes or links or both to memory: n bytes that were taken from the budget. The segment is not in use yet;
// after an error it is closed.
func (sg *segment) hold(where placed, n int64, budget *Budget) error {
	m, err := mmap.Alloc(int(n))
	if err != nil {
		budget.give(n)
		return errors.Join(err, sg.close())
	}
	sg.memory, sg.budget, sg.inRAM = m, budget, where
	m.HugePages(int(n))
	err = mmap.Guard(sg.name, func() (err error) {
		free := m.Bytes()
		if where.codes {
			k := copyMapped(free, sg.codes)
			sg.letGo(sectionCodes)
			sg.codes, free = free[:k:k], free[k:]
		}
		if where.links && sg.graph != nil {
			off := sg.head.section(sectionGraph).off
			copyMapped(free, sg.region.Bytes()[off:off+sg.linkBytes()])
			sg.letGo(sectionGraph)
			sg.graph, err = hnsw.OpenMapped(free)
		}
		return err
	})
	if err != nil {
		return errors.Join(err, sg.close())
	}
	return nil
}

// copyMapped copies mapped bytes, which the disk is asked for some megabytes ahead.
func copyMapped(dst, src []byte) int {
	const step = 4 << 20
	mmap.Prefetch(src[:min(step, len(src))])
	for at := 0; at < len(src); at += step {
		next := min(at+step, len(src))
		mmap.Prefetch(src[next:min(next+step, len(src))])
		copy(dst[at:], src[at:next])
	}
	return len(src)
}

// letGo unmaps the pages of a section that is held in memory; the file keeps them.
func (sg *segment) letGo(kind sectionKind) {
	s := sg.head.section(kind)
	_ = sg.region.AdviseRange(int(s.off), int(s.len), mmap.DontNeed) // only a hint
}

func (sg *segment) blocks() int { return int(sg.head.section(sectionSums).len / 4) }

// checkBlocks verifies blocks from to to-1 of the file b.
func (sg *segment) checkBlocks(b []byte, from, to int) error {
	s := sg.head.section(sectionSums)
	sums := wordsOf(b[s.off : s.off+s.len])
	for i := from; i < min(to, len(sums)); i++ {
		off := headPage + int64(i)*blockBytes
		if blockSum(sg.head.id, i, b[off:min(off+blockBytes, s.off)]) != sums[i] {
			return &binfmt.CorruptError{File: sg.name, Offset: off, Err: binfmt.ErrChecksum}
		}
	}
	return nil
}

// checkSome verifies up to n blocks more and tells whether all are done.
func (sg *segment) checkSome(n int) (done bool, err error) {
	b := sg.region.Bytes()
	mmap.Prefetch(b[min(headPage+sg.checked*blockBytes, len(b)):min(headPage+(sg.checked+n)*blockBytes, len(b))])
	err = mmap.Guard(sg.name, func() error { return sg.checkBlocks(b, sg.checked, sg.checked+n) })
	sg.checked += n
	return sg.checked >= sg.blocks(), err
}

// suspectAfter has the segment verified once more if err tells of damage.
func (sg *segment) suspectAfter(err error) {
	var fault *mmap.FaultError
	var corrupt *binfmt.CorruptError
	if errors.Is(err, hnsw.ErrCorrupt) || errors.As(err, &corrupt) || errors.As(err, &fault) {
		sg.suspect.Store(true)
	}
}

func (sg *segment) free() {
	_ = sg.close() // unmapping memory that was mapped does not fail
	if sg.doomed.Load() {
		_ = sg.fs.Remove(sg.name) // a leftover is removed by the next Open
	}
}

func (sg *segment) close() error {
	if sg.memory != nil {
		if sg.passed {
			sg.budget.givePassed(sg.held())
		} else {
			sg.budget.give(sg.held())
		}
		sg.memory.Free()
	}
	return sg.region.Close()
}

// held is the memory taken from the budget.
func (sg *segment) held() int64 {
	if sg.memory == nil {
		return 0
	}
	return int64(len(sg.memory.Bytes()))
}

// retire tells that the segment is no current source any more: its memory goes with the last search.
func (sg *segment) retire() {
	sg.budget.pass(sg.held())
	sg.passed = true
}

// centre returns the centre of the codes, nil for the origin.
func (sg *segment) centre() []float32 {
	s := sg.head.section(sectionCentre)
	if s.len == 0 {
		return nil
	}
	return slices.Clone(floatsOf(sg.region.Bytes()[s.off : s.off+s.len]))
}

// readBook verifies that the segment was made for c and finds its codebook among bs.
func (sg *segment) readBook(c *Config, bs *books) error {
	h := sg.head
	if int(h.dim) != c.Dim || h.metric != uint8(c.Metric) || (h.codes == codesNone) != c.Flat {
		return fmt.Errorf("vectorindex: segment %s holds other vectors", sg.name)
	}
	if h.codes != codesNone && (h.seed != c.Seed || (h.codes == codesPlain8) != (c.Metric == distance.L1)) {
		return fmt.Errorf("vectorindex: segment %s holds codes that do not fit", sg.name)
	}
	centre := sg.centre()
	if h.codes != codesNone {
		if err := codeParams(c, h.codes, h.quantile, centre).Validate(); err != nil {
			return fmt.Errorf("vectorindex: segment %s: %w", sg.name, err)
		}
	}
	sg.book = bs.get(c, h.codes, h.quantile, centre)
	if sg.book.stride != sg.stride {
		return fmt.Errorf("vectorindex: segment %s holds codes of %d bytes, not of %d", sg.name, sg.stride, sg.book.stride)
	}
	return nil
}

// hasGraph tells whether the segment has a graph with the parameters of c.
func (sg *segment) hasGraph(c *Config) bool {
	return sg.graph != nil && int(sg.head.m) == c.M && int(sg.head.efConstruct) == max(c.EfConstruct, c.M)
}

// undivided tells whether the segment should have cells and has none: an older file, or what a crash or a stop in a hurry has left.
func (ix *Index) undivided(sg *segment) bool {
	return sg.graph != nil && sg.cells == nil && !sg.undividable && ix.divides(sg.rows)
}

// deadShare is the share of dead rows.
func (sg *segment) deadShare() float64 { return float64(sg.dead.Load()) / float64(sg.rows) }

func (sg *segment) live() int { return max(0, sg.rows-int(sg.dead.Load())) }

// decodeBitmap reads a serialized bitmap into memory of its own.
func decodeBitmap(b []byte) (set *roaring.Bitmap, err error) {
	defer func() { // the library trusts its input in places
		if recover() != nil {
			set, err = nil, errors.New("malformed bitmap")
		}
	}()
	set = roaring.New()
	if _, err := set.ReadFrom(bytes.NewReader(b)); err != nil {
		return nil, err
	}
	return set, set.Validate()
}

// slotIndex finds the ord of a slot in a segment.
type slotIndex struct {
	rows  uint32
	first uint32
	dense []uint32 // ord+1 of slot first+i; nil: sorted form
	slots []uint32 // ascending
	ords  []uint32 // of slots[i]
}

func decodeBySlot(form uint32, words []uint32, rows int) (slotIndex, error) {
	x := slotIndex{rows: uint32(rows)}
	if form == bySlotSorted {
		x.slots, x.ords = words[:rows], words[rows:]
		return x, nil
	}
	x.first, x.dense = words[0], words[2:]
	if int(words[1]) != len(x.dense) || uint64(x.first)+uint64(len(x.dense)) > 1<<32 {
		return x, errSection
	}
	return x, nil
}

// find returns the ord of slot. hint, kept by the caller and 0 at first, makes ascending lookups fast.
func (x *slotIndex) find(slot uint32, hint *int) (ord uint32, ok bool) {
	if x.dense != nil {
		i := slot - x.first
		if slot < x.first || uint64(i) >= uint64(len(x.dense)) {
			return 0, false
		}
		ord = x.dense[i] - 1
		return ord, ord < x.rows
	}
	rest := x.slots[*hint:]
	bound := 1
	for bound < len(rest) && rest[bound-1] < slot {
		bound *= 2
	}
	low := bound / 2
	rest = rest[low:min(bound, len(rest))]
	*hint += low + sort.Search(len(rest), func(i int) bool { return rest[i] >= slot })
	if *hint >= len(x.slots) || x.slots[*hint] != slot {
		return 0, false
	}
	ord = x.ords[*hint]
	return ord, ord < x.rows
}
