package mmapvec

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/bits"
	"path"
	"strconv"
	"strings"

	"github.com/isobath/isobath/internal/binfmt"
)

// See FORMAT.md.
const (
	formatVersion = 1
	rowsOffset    = 4096 // a page, so that rows of a power-of-two stride do not straddle pages
	chunkSuffix   = ".rows"

	firstChunkBytes = 32 << 10
	lastChunkBytes  = 64 << 20

	// A chunk gets its disk space in steps of a 64th of what the store has, within these bounds.
	leastStepBytes = 1 << 20
	mostStepBytes  = 16 << 20
	stepShare      = 64

	// MaxDim bounds the dimension of a row.
	MaxDim = 1 << 16
)

var magic = binfmt.Magic8("ISBrows\x00")

// layout maps slots to places. It follows from dimension and datatype.
type layout struct {
	dim    int
	typ    Datatype
	stride int
	first  uint // log2 of the rows in chunk 0; chunk k > 0 has 2^(first+k-1) rows ...
	last   uint // ... until they have 2^last, as all later ones do
}

func newLayout(dim int, typ Datatype) layout {
	stride := (typ.Size()*dim + 4 + 63) / 64 * 64
	log := func(size int) uint { return uint(bits.Len(uint(max(size/stride, 1))) - 1) }
	return layout{dim: dim, typ: typ, stride: stride, first: log(firstChunkBytes), last: log(lastChunkBytes)}
}

// valueBytes is the size of a row's values.
func (l layout) valueBytes() int { return l.typ.Size() * l.dim }

// chunkOf returns the chunk of a slot and the row inside it.
func (l layout) chunkOf(slot uint32) (chunk int, row int) {
	switch {
	case slot < 1<<l.first:
		return 0, int(slot)
	case slot < 1<<l.last:
		log := uint(bits.Len32(slot)) - 1
		return int(log-l.first) + 1, int(slot - 1<<log)
	}
	return int(l.last-l.first) + int(slot>>l.last), int(slot & (1<<l.last - 1))
}

// span returns the first slot of a chunk and its number of rows.
func (l layout) span(chunk int) (start uint64, rows int) {
	switch doubling := int(l.last - l.first); {
	case chunk == 0:
		return 0, 1 << l.first
	case chunk <= doubling:
		return 1 << (l.first + uint(chunk) - 1), 1 << (l.first + uint(chunk) - 1)
	default:
		return uint64(chunk-doubling) << l.last, 1 << l.last
	}
}

// chunks returns the number of chunks that all slots would need.
func (l layout) chunks() int {
	last, _ := l.chunkOf(1<<32 - 1)
	return last + 1
}

func (l layout) fileBytes(chunk int) int64 {
	_, rows := l.span(chunk)
	return rowsOffset + int64(rows)*int64(l.stride)
}

// reserved returns how many rows of a chunk lie in the first n bytes of its file.
func (l layout) reserved(chunk int, n int64) int {
	_, rows := l.span(chunk)
	return int(min(max(n-rowsOffset, 0)/int64(l.stride), int64(rows)))
}

func chunkName(dir string, chunk int) string {
	return path.Join(dir, fmt.Sprintf("%06d%s", chunk, chunkSuffix))
}

// chunkNumber reads a base name that chunkName made.
func chunkNumber(base string) (int, bool) {
	digits, ok := strings.CutSuffix(base, chunkSuffix)
	n, err := strconv.ParseUint(digits, 10, 32)
	return int(n), ok && err == nil && path.Base(chunkName("", int(n))) == base
}

func (l layout) header(chunk int) []byte {
	start, rows := l.span(chunk)
	h := binfmt.Header{Magic: magic, Version: formatVersion, FileID: uint64(chunk)}
	binary.LittleEndian.PutUint32(h.Extra[0:], uint32(l.dim))
	binary.LittleEndian.PutUint32(h.Extra[4:], uint32(l.stride))
	binary.LittleEndian.PutUint32(h.Extra[8:], uint32(start))
	binary.LittleEndian.PutUint32(h.Extra[12:], uint32(rows))
	h.Extra[16] = byte(l.typ)
	return binfmt.EncodeHeader(h)
}

// decodeHeader returns the layout and number of the chunk whose header b is.
func decodeHeader(b []byte) (l layout, chunk int, err error) {
	h, err := binfmt.DecodeHeader(b, magic, formatVersion)
	if err != nil {
		return layout{}, 0, err
	}
	dim := binary.LittleEndian.Uint32(h.Extra[0:])
	if dim == 0 || dim > MaxDim {
		return layout{}, 0, fmt.Errorf("mmapvec: dimension %d in a header", dim)
	}
	typ := Datatype(h.Extra[16])
	if !typ.known() {
		return layout{}, 0, fmt.Errorf("mmapvec: datatype %d in a header", h.Extra[16])
	}
	l = newLayout(int(dim), typ)
	if h.FileID >= uint64(l.chunks()) || string(l.header(int(h.FileID))) != string(b[:binfmt.HeaderSize]) {
		return layout{}, 0, fmt.Errorf("mmapvec: header of chunk %d, dimension %d, %v does not fit this format", h.FileID, dim, typ)
	}
	return l, int(h.FileID), nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// rowSum is the CRC-32C of the slot, little-endian, followed by the values. The slot goes through
// the table by hand: a buffer for it would be allocated at every row read.
func rowSum(slot uint32, values []byte) uint32 {
	sum := ^uint32(0)
	for range 4 {
		sum = castagnoli[byte(sum)^byte(slot)] ^ sum>>8
		slot >>= 8
	}
	return crc32.Update(^sum, castagnoli, values)
}

// seal writes a row's checksum and padding behind its values.
func (l layout) seal(row []byte, slot uint32) {
	n := l.valueBytes()
	binary.LittleEndian.PutUint32(row[n:], rowSum(slot, row[:n]))
	clear(row[n+4:])
}

// intact says whether row, values and checksum at least, is what was written for slot.
func (l layout) intact(row []byte, slot uint32) bool {
	n := l.valueBytes()
	return rowSum(slot, row[:n]) == binary.LittleEndian.Uint32(row[n:])
}
