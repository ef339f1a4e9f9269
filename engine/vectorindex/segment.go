package vectorindex

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"sort"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/isobath/isobath/hnsw"
	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/internal/vfs"
)

// segment is one sealed segment: a mapped file.
type segment struct {
	pinned
	ref    SegmentRef
	head   *segmentHead
	rows   int
	stride int
	slots  []uint32        // by ord
	set    *roaring.Bitmap // of slots; shared, not to be changed
	bySlot slotIndex
	codes  []byte
	graph  *hnsw.Mapped // nil: none
	dead   atomic.Int64

	checked int         // blocks verified so far, by Work only
	suspect atomic.Bool // a search met damage: verify it once more
	doomed  atomic.Bool // the file goes when the last user does

	fs     vfs.FS
	name   string
	region *mmap.Region
	memory *mmap.Memory // holds codes and graph with Config.InRAM
}

// openSegment maps a segment file and verifies what ord -> slot depends on. Codes and graph are verified later, see
// checkSome: damage there can cost recall, never a wrong row or distance.
func openSegment(fsys vfs.FS, dir string, ref SegmentRef, inRAM bool) (*segment, error) {
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
	err = mmap.Guard(name, func() error {
		if err := sg.parse(region.Bytes()); err != nil {
			return err
		}
		if sg.head.id != ref.ID || sg.rows != ref.Rows || sg.head.fileBytes != ref.Bytes {
			return binfmt.Corrupt(name, 0, "not the file that the manifest names")
		}
		return sg.place(inRAM)
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
	for _, kind := range []sectionKind{sectionSlots, sectionBitmap, sectionBySlot} {
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

// place copies codes and graph to memory where that is wanted.
func (sg *segment) place(inRAM bool) error {
	if !inRAM || sg.stride == 0 {
		if sg.region != nil {
			_ = sg.region.Advise(mmap.Random) // only a hint
		}
		return nil
	}
	g := sg.head.section(sectionGraph)
	m, err := mmap.Alloc(len(sg.codes) + int(g.len))
	if err != nil {
		return fmt.Errorf("vectorindex: hold segment in memory: %w", err)
	}
	sg.memory = m
	m.HugePages(len(m.Bytes()))
	n := copy(m.Bytes(), sg.codes)
	sg.codes = m.Bytes()[:n:n]
	if sg.graph != nil {
		copy(m.Bytes()[n:], sg.region.Bytes()[g.off:g.off+g.len])
		sg.graph, err = hnsw.OpenMapped(m.Bytes()[n:])
	}
	return err
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
	err = mmap.Guard(sg.name, func() error { return sg.checkBlocks(sg.region.Bytes(), sg.checked, sg.checked+n) })
	sg.checked += n
	return sg.checked >= sg.blocks(), err
}

func (sg *segment) free() {
	_ = sg.close() // unmapping memory that was mapped does not fail
	if sg.doomed.Load() {
		_ = sg.fs.Remove(sg.name) // a leftover is removed by the next Open
	}
}

func (sg *segment) close() error {
	if sg.memory != nil {
		sg.memory.Free()
	}
	return sg.region.Close()
}

// fits tells whether the segment's codes are those of c.
func (sg *segment) fits(c *Config, kind codeKind, stride int) bool {
	h := sg.head
	return int(h.dim) == c.Dim && h.metric == uint8(c.Metric) && (h.codes == kind && (kind == codesNone || h.seed == c.Seed) && sg.stride == stride)
}

// hasGraph tells whether the segment has a graph with the parameters of c.
func (sg *segment) hasGraph(c *Config) bool {
	return sg.graph != nil && int(sg.head.m) == c.M && int(sg.head.efConstruct) == c.EfConstruct
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
