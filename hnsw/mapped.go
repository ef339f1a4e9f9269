package hnsw

import (
	"encoding/binary"
	"errors"
	"sync/atomic"
	"unsafe"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/mmap"
)

const fileName = "hnsw graph" // in errors, until the owner of the file puts its name there

var errByteOrder = errors.New("hnsw: mapped graphs need a little-endian machine")

// Mapped is a graph over encoded bytes. Safe for concurrent use.
type Mapped struct {
	links
	n int
}

// OpenMapped checks the header of an encoded graph and returns the graph over b, which must stay readable and
// unchanged while it is used. Blocks of 64 KiB are checked when they are first used. Errors are *binfmt.CorruptError
// and *binfmt.VersionError.
func OpenMapped(b []byte) (*Mapped, error) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		return nil, errByteOrder
	}
	c, err := decodeHead(b)
	if err != nil {
		return nil, err
	}
	if uintptr(unsafe.Pointer(unsafe.SliceData(b)))%4 != 0 {
		b = append([]byte(nil), b...)
	}
	s := c.sections()
	sums := b[s[3].off : s[3].off+s[3].n]
	if last := len(sums) - 4; binary.LittleEndian.Uint32(sums[last:]) != binfmt.Checksum(sums[:last]) {
		return nil, &binfmt.CorruptError{File: fileName, Offset: s[3].off, Err: binfmt.ErrChecksum}
	}
	m := &Mapped{n: c.n}
	m.limit, m.m, m.m0, m.stride = uint32(c.n), c.m, 2*c.m, c.stride()
	part := func(i int) []uint32 { return words(b[s[i].off : s[i].off+s[i].n]) }
	m.level0, m.at, m.upper = part(0), part(1), part(2)
	m.blocks = newBlocks(b[headBytes:s[3].off], words(sums[:len(sums)-4]), s, m.stride)
	if c.n > 0 {
		m.entry.Store(uint64(c.entryLevel)<<32 | uint64(c.entry+1))
	}
	return m, nil
}

// decodeHead reads and bounds the numbers of the header; the sections lie within b afterwards.
func decodeHead(b []byte) (shape, error) {
	corrupt := func(off int64, err error) (shape, error) {
		return shape{}, &binfmt.CorruptError{File: fileName, Offset: off, Err: err}
	}
	if _, err := binfmt.DecodeHeader(b, magic, formatVersion); err != nil {
		var version *binfmt.VersionError
		if errors.As(err, &version) {
			return shape{}, err
		}
		return corrupt(0, err)
	}
	if len(b) < headBytes {
		return corrupt(0, binfmt.ErrShort)
	}
	end := tableAt + tableBytes
	if binary.LittleEndian.Uint32(b[end:]) != binfmt.Checksum(b[:end]) {
		return corrupt(tableAt, binfmt.ErrChecksum)
	}
	r := binfmt.NewReader(b[tableAt:end])
	n, m, m0, stride, entry, level, upper := r.U32(), r.U32(), r.U32(), r.U32(), r.U32(), r.U32(), r.U64()
	switch {
	case n > maxCapacity, m < 2, m > MaxM, m0 != 2*m, int(stride) != strideOf(int(m0)),
		upper > maxUpperWords, level > maxLevel, n > 0 && entry >= n:
		return corrupt(tableAt, errors.New("hnsw: numbers out of bounds"))
	}
	c := shape{n: int(n), m: int(m), entry: entry, entryLevel: int(level), upperWords: int(upper)}
	want := c.sections()
	for _, s := range want {
		if r.U64() != uint64(s.off) || r.U64() != uint64(s.n) {
			return corrupt(tableAt, errors.New("hnsw: section table does not fit the numbers"))
		}
	}
	if last := want[3]; int64(len(b)) < last.off+last.n {
		return corrupt(int64(len(b)), binfmt.ErrShort)
	}
	return c, nil
}

// Search implements Reader. Damage that is known of is left in s.Err.
func (m *Mapped) Search(q Scorer, o SearchOptions, s *Scratch) []Candidate {
	found := m.search(q, o, s)
	s.Err = m.blocks.err()
	return found
}

// Resume implements Reader.
func (m *Mapped) Resume(q Scorer, o SearchOptions, until float32, s *Scratch) []Candidate {
	found := m.resume(q, o, until, s)
	s.Err = m.blocks.err()
	return found
}

// Len returns the number of nodes.
func (m *Mapped) Len() int { return m.n }

func (m *Mapped) source() *links { return &m.links }

// Err returns damage met so far, as a *binfmt.CorruptError.
func (m *Mapped) Err() error { return m.blocks.err() }

// blocks verifies the checksum of a block when it is first used.
type blocks struct {
	body            []byte
	sums            []uint32
	state           []uint32 // two bits a block: checked, damaged
	stride          int      // bytes of a row
	atOff, upperOff int      // in body
	damage          atomic.Pointer[binfmt.CorruptError]
}

func newBlocks(body []byte, sums []uint32, s [4]section, strideWords int) *blocks {
	return &blocks{
		body: body, sums: sums, state: make([]uint32, (len(sums)+15)/16), stride: strideWords * 4,
		atOff: int(s[1].off) - headBytes, upperOff: int(s[2].off) - headBytes,
	}
}

func (b *blocks) err() error {
	if e := b.damage.Load(); e != nil {
		return e
	}
	return nil
}

// level0 tells whether the row of a node can be trusted; node, its entry in the node table; upper, words of the upper
// records.
func (b *blocks) level0(ord uint32) bool {
	lo := int(ord) * b.stride
	return b.good(lo, lo+b.stride)
}

func (b *blocks) node(ord uint32) bool {
	lo := b.atOff + int(ord)*4
	return b.good(lo, lo+4)
}

func (b *blocks) upper(word, n int) bool {
	lo := b.upperOff + word*4
	return b.good(lo, lo+n*4)
}

// good looks at the blocks of body[lo:hi].
func (b *blocks) good(lo, hi int) bool {
	for i := lo / blockBytes; i <= (hi-1)/blockBytes; i++ {
		state := atomic.LoadUint32(&b.state[i>>4]) >> (i & 15 * 2) & 3
		if state != 1 && (state != 0 || !b.check(i)) {
			return false
		}
	}
	return true
}

// verify looks at all blocks.
func (b *blocks) verify() error {
	for i := range b.sums {
		if !b.good(i*blockBytes, i*blockBytes+1) {
			return b.err()
		}
	}
	return nil
}

// announce has the disk begin to read the blocks of a node's row that are not checked yet.
func (b *blocks) announce(ord uint32) {
	lo := int(ord) * b.stride
	for i := lo / blockBytes; i <= (lo+b.stride-1)/blockBytes; i++ {
		if atomic.LoadUint32(&b.state[i>>4])>>(i&15*2)&3 == 0 {
			mmap.Prefetch(b.block(i))
		}
	}
}

func (b *blocks) block(i int) []byte {
	lo := i * blockBytes
	return b.body[lo:min(lo+blockBytes, len(b.body))]
}

// check computes the checksum of a block and notes the outcome.
func (b *blocks) check(i int) bool {
	mmap.Prefetch(b.block(i)) // all of it in one read
	good := binfmt.Checksum(b.block(i)) == b.sums[i]
	state := uint32(1)
	if !good {
		state = 3
		b.damage.CompareAndSwap(nil, &binfmt.CorruptError{File: fileName, Offset: int64(headBytes + i*blockBytes), Err: binfmt.ErrChecksum})
	}
	atomic.OrUint32(&b.state[i>>4], state<<(i&15*2))
	return good
}
