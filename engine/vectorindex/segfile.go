package vectorindex

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/isobath/isobath/internal/binfmt"
)

// The bytes of a segment file, see FORMAT.md.
const (
	segmentVersion = 1
	segmentSuffix  = ".vseg"
	headPage       = 4096    // header and section table
	blockBytes     = 1 << 16 // covered by one checksum
	sectionAlign   = 4096
	maxSections    = 16
	sectionBytes   = 32
	tableAt        = binfmt.HeaderSize
	tableFixed     = 64
)

var segmentMagic = binfmt.Magic8("ISOVSEG\x00")

// sectionKind names a section. The numbers are never reused.
type sectionKind uint32

const (
	sectionSlots  sectionKind = 1 // slot of each ord
	sectionBitmap sectionKind = 2 // the same as a bitmap
	sectionBySlot sectionKind = 3 // ord of each slot
	sectionCodes  sectionKind = 4
	sectionGraph  sectionKind = 5
	sectionSums   sectionKind = 6 // checksums of the blocks before it
	sectionCentre sectionKind = 7 // of the codes; absent: the origin
	sectionCells  sectionKind = 8 // aux: how many; absent: none
)

// Forms of sectionBySlot, in section.aux.
const (
	bySlotDense  = 1 // first slot, number of entries, then ord+1 or 0 of each slot from the first on
	bySlotSorted = 2 // slots ascending, then the ord of each
)

var (
	errTable   = errors.New("section table does not fit the file")
	errSection = errors.New("section missing or of the wrong size")
)

type section struct {
	kind     sectionKind
	aux      uint32
	off, len int64
	crc      uint32 // of sectionSums only: it lies in no block
}

// segmentHead is what the first page of a segment file says.
type segmentHead struct {
	id          uint64
	dim         uint32
	metric      uint8
	codes       codeKind
	seed        uint64
	rows        uint32
	stride      uint32
	m           uint32
	efConstruct uint32
	fileBytes   int64
	quantile    float32
	sections    []section
}

func (h *segmentHead) section(kind sectionKind) section {
	for _, s := range h.sections {
		if s.kind == kind {
			return s
		}
	}
	return section{}
}

func encodeHead(h *segmentHead) []byte {
	page := make([]byte, headPage)
	copy(page, binfmt.EncodeHeader(binfmt.Header{Magic: segmentMagic, Version: segmentVersion, FileID: h.id}))
	var w binfmt.Writer
	w.U32(h.dim)
	w.U8(h.metric)
	w.U8(uint8(h.codes))
	w.U16(0)
	w.U64(h.seed)
	w.U32(h.rows)
	w.U32(h.stride)
	w.U32(h.m)
	w.U32(h.efConstruct)
	w.I64(h.fileBytes)
	w.U32(uint32(len(h.sections)))
	w.U32(math.Float32bits(h.quantile))
	w.Zero(tableFixed - w.Len())
	for _, s := range h.sections {
		w.U32(uint32(s.kind))
		w.U32(s.aux)
		w.I64(s.off)
		w.I64(s.len)
		w.U32(s.crc)
		w.U32(0)
	}
	copy(page[tableAt:], w.Buf)
	binary.LittleEndian.PutUint32(page[headPage-4:], binfmt.Checksum(page[:headPage-4]))
	return page
}

// decodeHead checks everything that can be checked on the first page alone.
func decodeHead(page []byte) (*segmentHead, error) {
	if len(page) < headPage {
		return nil, binfmt.ErrShort
	}
	header, err := binfmt.DecodeHeader(page, segmentMagic, segmentVersion)
	if err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(page[headPage-4:]) != binfmt.Checksum(page[:headPage-4]) {
		return nil, binfmt.ErrChecksum
	}
	r := binfmt.NewReader(page[tableAt : headPage-4])
	h := &segmentHead{id: header.FileID, dim: r.U32(), metric: r.U8(), codes: codeKind(r.U8())}
	r.U16()
	h.seed = r.U64()
	h.rows, h.stride = r.U32(), r.U32()
	h.m, h.efConstruct = r.U32(), r.U32()
	h.fileBytes = r.I64()
	count := r.U32()
	h.quantile = math.Float32frombits(r.U32())
	r.Bytes(tableFixed - r.Offset())
	if r.Err() != nil || count > maxSections {
		return nil, errTable
	}
	for range count {
		s := section{kind: sectionKind(r.U32()), aux: r.U32(), off: r.I64(), len: r.I64(), crc: r.U32()}
		r.U32()
		if r.Err() != nil || s.off < headPage || s.off%sectionAlign != 0 || s.len < 0 || s.off > h.fileBytes-s.len {
			return nil, errTable
		}
		h.sections = append(h.sections, s)
	}
	return h, h.validate()
}

func (h *segmentHead) validate() error {
	rows := int64(h.rows)
	sums := h.section(sectionSums)
	if h.rows == 0 || h.dim == 0 || h.section(sectionSlots).len != 4*rows || h.section(sectionBitmap).len == 0 ||
		sums.len != 4*((sums.off-headPage+blockBytes-1)/blockBytes) {
		return errSection
	}
	by := h.section(sectionBySlot)
	switch {
	case by.aux == bySlotDense && by.len >= 8+4*rows && by.len%4 == 0:
	case by.aux == bySlotSorted && by.len == 8*rows:
	default:
		return errSection
	}
	if c := h.section(sectionCentre); c.len != 0 && c.len != 4*int64(h.dim) {
		return errSection
	}
	if h.codes > lastKind || (h.codes == codesNone) != (h.stride == 0) || h.section(sectionCodes).len != rows*int64(h.stride) || h.stride%64 != 0 {
		return errSection
	}
	if c := h.section(sectionCells); c.len != 0 && (h.stride == 0 || c.aux == 0 || int64(c.aux) > rows || c.len != cellsBytes(int64(c.aux), int64(h.stride))) {
		return errSection
	}
	for _, s := range h.sections { // the checksums cover all that lies before them
		if s.kind != sectionSums && s.off+s.len > sums.off {
			return errTable
		}
	}
	return nil
}

// blockSum is the checksum of one block: it covers the position, so that a misplaced block is found.
func blockSum(id uint64, block int, b []byte) uint32 {
	var at [16]byte
	binary.LittleEndian.PutUint64(at[:], id)
	binary.LittleEndian.PutUint64(at[8:], uint64(block))
	return binfmt.Checksum(at[:], b)
}

func segmentName(id uint64) string { return fmt.Sprintf("%012x%s", id, segmentSuffix) }
