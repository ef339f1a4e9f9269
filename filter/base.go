package filter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sort"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/internal/vfs"
)

// frozenTable is a table in a mapped file (FORMAT.md). Opening reads header and footer only; every
// block and bitmap is checked against its checksum whenever it is used. The mapping is closed when
// the table becomes unreachable.
type frozenTable struct {
	name   string // within the directory
	region *mmap.Region
	data   []byte
	levels []levelTable // 0: blocks; above: unions of groups of blocks
}

// levelTable locates the references of one level in the file.
type levelTable struct{ off, count int }

const (
	tableVersion = 1
	refSize      = 16
	footerSize   = 96
	maxLevels    = 6
	groupFanout  = 32
	bitmapAlign  = 8
)

// blockTarget is the size in bytes at which a block ends; tests make it small.
var blockTarget = 4 << 10

var tableMagic = binfmt.Magic8("ISOFTBL\x00")

var errBlock = errors.New("malformed block")

// openTable maps a table file.
func openTable(fs vfs.FS, dir, name string) (*frozenTable, error) {
	f, err := fs.OpenRead(dir + "/" + name)
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if size < binfmt.HeaderSize+footerSize {
		return nil, errors.Join(&binfmt.CorruptError{File: name, Err: binfmt.ErrShort}, f.Close())
	}
	region, err := mmap.Map(f, 0, int(size))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	_ = region.Advise(mmap.Random) // a hint, before the first page is read and megabytes behind it
	t := &frozenTable{name: name, region: region, data: region.Bytes()}
	if err := mmap.Guard(name, t.readEnds); err != nil {
		return nil, errors.Join(err, region.Close())
	}
	runtime.AddCleanup(t, func(r *mmap.Region) { _ = r.Close() }, region)
	return t, nil
}

func (t *frozenTable) readEnds() error {
	if _, err := binfmt.DecodeHeader(t.data, tableMagic, tableVersion); err != nil {
		return t.corrupt(0, err)
	}
	at := len(t.data) - footerSize
	footer := t.data[at:]
	r := binfmt.NewReader(footer)
	n := int(r.U32())
	r.U32()
	off := r.U64()
	counts := make([]uint64, maxLevels)
	for i := range counts {
		counts[i] = r.U64()
	}
	if binary.LittleEndian.Uint32(footer[footerSize-4:]) != binfmt.Checksum(footer[:footerSize-4]) {
		return t.corrupt(at, binfmt.ErrChecksum)
	}
	if n > maxLevels || off > uint64(at) {
		return t.corrupt(at, errors.New("malformed footer"))
	}
	for _, c := range counts[:n] {
		if c > (uint64(at)-off)/refSize {
			return t.corrupt(at, errors.New("malformed footer"))
		}
		t.levels = append(t.levels, levelTable{off: int(off), count: int(c)})
		off += c * refSize
	}
	if n == 0 || t.levels[0].count == 0 || off != uint64(at) {
		return t.corrupt(at, errors.New("malformed footer"))
	}
	return nil
}

func (t *frozenTable) corrupt(off int, err error) error {
	return &binfmt.CorruptError{File: t.name, Offset: int64(off), Err: err}
}

func (t *frozenTable) bytes() int64 { return int64(len(t.data)) }

// ref returns the checked bytes that entry i of a level refers to; nil if the entry is vacant.
func (t *frozenTable) ref(level, i int) ([]byte, error) {
	at := t.levels[level].off + i*refSize
	e := t.data[at : at+refSize]
	off := binary.LittleEndian.Uint64(e)
	n := binary.LittleEndian.Uint32(e[8:])
	if off == 0 && n == 0 {
		return nil, t.checkVacant(at, level, i, e)
	}
	if off > uint64(len(t.data)) || uint64(n) > uint64(len(t.data))-off {
		return nil, t.corrupt(at, errors.New("reference beyond the end"))
	}
	b := t.data[off : off+uint64(n)]
	if refChecksum(level, i, e[:12], b) != binary.LittleEndian.Uint32(e[12:]) {
		return nil, t.corrupt(int(off), binfmt.ErrChecksum)
	}
	return b, nil
}

func (t *frozenTable) checkVacant(at, level, i int, e []byte) error {
	if level == 0 || refChecksum(level, i, e[:12], nil) != binary.LittleEndian.Uint32(e[12:]) {
		return t.corrupt(at, binfmt.ErrChecksum)
	}
	return nil
}

// refChecksum covers the place of a reference, the reference, and what it refers to.
func refChecksum(level, i int, ref, b []byte) uint32 {
	var place [12]byte
	binary.LittleEndian.PutUint32(place[:], uint32(level))
	binary.LittleEndian.PutUint64(place[4:], uint64(i))
	return binfmt.Checksum(place[:], ref, b)
}

// frozenBitmap opens checked bytes in the portable roaring format without copying. The result
// aliases b and must never be modified. (The library's own frozen format keeps pointers where the
// collector does not look, and stops race builds with a pointer check.)
func frozenBitmap(b []byte) (*roaring.Bitmap, error) {
	bm := roaring.New()
	n, err := bm.FromUnsafeBytes(b)
	if err == nil && n != int64(len(b)) {
		err = errBlock
	}
	return bm, err
}

// block finds the last block whose first key is not above key, 0 if there is none.
func (t *frozenTable) block(key string) (int, error) {
	var failed error
	n := sort.Search(t.levels[0].count-1, func(i int) bool {
		b, err := t.ref(0, i+1)
		it := blockIter{t: t, rest: b}
		if err != nil || !it.next() {
			failed = cmpErr(failed, err, it.failed, t.corrupt(t.levels[0].off, errBlock))
			return true
		}
		return string(it.keyBuf) > key
	})
	return n, failed
}

// cmpErr returns the first error.
func cmpErr(errs ...error) error {
	for _, e := range errs {
		if e != nil {
			return e
		}
	}
	return nil
}

func (t *frozenTable) get(key string) (posting, error) {
	i, err := t.block(key)
	if err != nil {
		return posting{}, err
	}
	b, err := t.ref(0, i)
	if err != nil {
		return posting{}, err
	}
	it := blockIter{t: t, rest: b}
	for it.next() {
		if string(it.keyBuf) >= key {
			if string(it.keyBuf) == key {
				return it.posting()
			}
			break
		}
	}
	return posting{}, it.failed
}

func (t *frozenTable) scan(r keyRange, into *collector) error {
	first, err := t.block(r.lo)
	if err != nil {
		return err
	}
	last, err := t.block(r.hi)
	if err != nil {
		return err
	}
	if err := t.scanBlock(first, r, into); err != nil || first == last {
		return err
	}
	// The blocks between lie inside the range as a whole: take the largest groups.
	for i := first + 1; i < last; {
		n, err := t.scanGroup(i, last, into)
		if err != nil {
			return err
		}
		if n == 0 {
			n = 1
			err = t.scanBlock(i, r, into)
		}
		if err != nil {
			return err
		}
		i += n
	}
	return t.scanBlock(last, r, into)
}

// scanGroup adds the largest union that begins at block i and ends by end; it returns its blocks.
func (t *frozenTable) scanGroup(i, end int, into *collector) (int, error) {
	for level := len(t.levels) - 1; level > 0; level-- {
		n := pow(groupFanout, level)
		if i%n != 0 || i+n > end || i/n >= t.levels[level].count {
			continue
		}
		b, err := t.ref(level, i/n)
		if err != nil {
			return 0, err
		}
		if b == nil {
			continue
		}
		bm, err := frozenBitmap(b)
		if err != nil {
			return 0, t.corrupt(t.levels[level].off, err)
		}
		into.add(posting{bm: bm})
		return n, nil
	}
	return 0, nil
}

func pow(b, n int) int {
	p := 1
	for range n {
		p *= b
	}
	return p
}

func (t *frozenTable) scanBlock(i int, r keyRange, into *collector) error {
	b, err := t.ref(0, i)
	if err != nil {
		return err
	}
	it := blockIter{t: t, rest: b}
	for it.next() && string(it.keyBuf) < r.hi {
		if string(it.keyBuf) < r.lo {
			continue
		}
		if err := it.addTo(into); err != nil {
			return err
		}
	}
	return it.failed
}

// verify reads everything: order of keys, postings, and unions.
func (t *frozenTable) verify() error {
	c := t.cursor("")
	var last []byte
	for c.next() {
		if last != nil && bytes.Compare(last, c.key()) >= 0 {
			return t.corrupt(0, fmt.Errorf("keys out of order"))
		}
		last = append(last[:0], c.key()...)
		p, err := c.posting()
		if err != nil {
			return err
		}
		if p.bm != nil {
			if err := p.bm.Validate(); err != nil {
				return t.corrupt(0, err)
			}
		}
	}
	if c.err() != nil {
		return c.err()
	}
	for level := 1; level < len(t.levels); level++ {
		for i := range t.levels[level].count {
			b, err := t.ref(level, i)
			if err != nil {
				return err
			}
			if b == nil {
				continue
			}
			if bm, err := frozenBitmap(b); err != nil || bm.Validate() != nil {
				return t.corrupt(t.levels[level].off, errBlock)
			}
		}
	}
	return nil
}
