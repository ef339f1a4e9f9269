package hnsw

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/isobath/isobath/internal/binfmt"
)

// The numbers of FORMAT.md.
const (
	formatVersion = 1
	headBytes     = 4096
	blockBytes    = 64 << 10
	tableAt       = 64 // section table, after the file header
	tableBytes    = 96 // without its checksum
	maxUpperWords = 1<<32 - 3
)

var magic = binfmt.Magic8("ISOBHNSW")

// shape is what the sizes of an encoded graph follow from.
type shape struct {
	n, m       int
	entry      uint32
	entryLevel int
	upperWords int
}

// section is a range of bytes of the file.
type section struct{ off, n int64 }

func (c shape) stride() int { return strideOf(2 * c.m) }

// sections returns level 0, the node table, the upper records and the checksums.
func (c shape) sections() [4]section {
	var s [4]section
	off := int64(headBytes)
	for i, n := range []int64{int64(c.n) * int64(c.stride()) * 4, int64(c.n) * 4, int64(c.upperWords) * 4} {
		s[i] = section{off, n}
		off += (n + 63) &^ 63
	}
	blocks := (off - headBytes + blockBytes - 1) / blockBytes
	s[3] = section{off, blocks*4 + 4}
	return s
}

func (c shape) head() []byte {
	b := make([]byte, headBytes)
	copy(b, binfmt.EncodeHeader(binfmt.Header{Magic: magic, Version: formatVersion}))
	w := binfmt.Writer{Buf: b[:tableAt]}
	w.U32(uint32(c.n))
	w.U32(uint32(c.m))
	w.U32(uint32(2 * c.m))
	w.U32(uint32(c.stride()))
	w.U32(c.entry)
	w.U32(uint32(c.entryLevel))
	w.U64(uint64(c.upperWords))
	for _, s := range c.sections() {
		w.U64(uint64(s.off))
		w.U64(uint64(s.n))
	}
	binary.LittleEndian.PutUint32(b[tableAt+tableBytes:], binfmt.Checksum(b[:tableAt+tableBytes]))
	return b
}

// blockWriter passes bytes on and notes the checksum of every block.
type blockWriter struct {
	w    io.Writer
	buf  []byte
	sums []byte
	size int64
	err  error
}

func (b *blockWriter) word(v uint32) {
	b.buf = binary.LittleEndian.AppendUint32(b.buf, v)
	if len(b.buf) == blockBytes {
		b.flush()
	}
}

func (b *blockWriter) pad() {
	for (b.size+int64(len(b.buf)))%64 != 0 {
		b.word(0)
	}
}

func (b *blockWriter) flush() {
	if len(b.buf) == 0 {
		return
	}
	b.sums = binary.LittleEndian.AppendUint32(b.sums, binfmt.Checksum(b.buf))
	if b.err == nil {
		_, b.err = b.w.Write(b.buf)
	}
	b.size += int64(len(b.buf))
	b.buf = b.buf[:0]
}

// Encode writes r as a mapped graph. order[i] is the old ord of the node that becomes ord i; links to nodes not in
// order are dropped. No insert may run meanwhile.
func Encode(w io.Writer, r Reader, order []uint32) error {
	g := r.source()
	if g.blocks != nil {
		if err := g.blocks.verify(); err != nil {
			return err
		}
	}
	inverse, err := invert(order, g)
	if err != nil {
		return err
	}
	c := shape{n: len(order), m: g.m, entry: NoOrd, entryLevel: -1}
	records := make([]uint32, len(order))
	best := NoOrd
	entry, _ := g.start()
	for i, old := range order {
		l := g.level(old)
		if l > c.entryLevel || l == c.entryLevel && old == entry {
			c.entry, c.entryLevel, best = uint32(i), l, old
		}
		records[i] = 1
		if l > 0 {
			records[i] = uint32(c.upperWords) + 2
			c.upperWords += 1 + l*g.m
		}
	}
	if c.upperWords > maxUpperWords {
		return fmt.Errorf("hnsw: encode: %d words of upper levels do not fit", c.upperWords)
	}
	if best == NoOrd {
		c.entry, c.entryLevel = 0, 0
	}
	if _, err := w.Write(c.head()); err != nil {
		return fmt.Errorf("hnsw: encode: %w", err)
	}
	b := &blockWriter{w: w, buf: make([]byte, 0, blockBytes)}
	b.sections(g, order, inverse, records)
	b.flush()
	b.sums = binary.LittleEndian.AppendUint32(b.sums, binfmt.Checksum(b.sums))
	if b.err == nil {
		_, b.err = w.Write(b.sums)
	}
	if b.err != nil {
		return fmt.Errorf("hnsw: encode: %w", b.err)
	}
	return nil
}

// sections writes level 0, the node table and the upper records.
func (b *blockWriter) sections(g *links, order, inverse, records []uint32) {
	for _, old := range order {
		b.row(g.row(old, 0), inverse, strideOf(g.m0))
	}
	b.pad()
	for _, at := range records {
		b.word(at)
	}
	b.pad()
	for i, old := range order {
		if records[i] == 1 {
			continue
		}
		top := g.level(old)
		b.word(uint32(top))
		for l := 1; l <= top; l++ {
			b.row(g.row(old, l), inverse, g.m)
		}
	}
	b.pad()
}

// row writes the links of one row that stay, renumbered and padded to width.
func (b *blockWriter) row(row, inverse []uint32, width int) {
	n := 0
	for i := range row {
		w := atomic.LoadUint32(&row[i])
		v := w&linkMask - 1
		if v >= uint32(len(inverse)) {
			break
		}
		if inverse[v] != NoOrd {
			b.word((inverse[v] + 1) | w&linkMark)
			n++
		}
	}
	for ; n < width; n++ {
		b.word(0)
	}
}

// invert returns new ords by old ones.
func invert(order []uint32, g *links) ([]uint32, error) {
	inverse := make([]uint32, g.limit)
	for i := range inverse {
		inverse[i] = NoOrd
	}
	for i, old := range order {
		if old >= g.limit || g.level(old) < 0 {
			return nil, fmt.Errorf("hnsw: encode: order[%d] = %d is no node", i, old)
		}
		if inverse[old] != NoOrd {
			return nil, fmt.Errorf("hnsw: encode: node %d is twice in the order", old)
		}
		inverse[old] = uint32(i)
	}
	return inverse, nil
}
