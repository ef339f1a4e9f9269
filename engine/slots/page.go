package slots

import (
	"sync/atomic"
	"unsafe"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/mmap"
)

const (
	pageShift = 10
	pageRows  = 1 << pageShift
	pageMask  = pageRows - 1

	// Where the arrays of a page begin, in words. The layout is that of the file, see FORMAT.md.
	wordBirth   = 0 * pageRows
	wordDeath   = 1 * pageRows
	wordVersion = 2 * pageRows
	wordHigh    = 3 * pageRows // first half of a UUID
	wordLow     = 4 * pageRows // a number, or the second half of a UUID
	wordIsUUID  = 5 * pageRows // one bit a row
	pageWords   = wordIsUUID + pageRows/64
	pageBytes   = pageWords * 8
)

type pageData [pageWords]uint64

// page is the current home of 1024 rows. The struct is small, on the Go heap, and what readers hold:
// its collection is the proof that nobody reads the memory any more.
type page struct {
	data  *pageData
	ready atomic.Bool // verified; always true for owned memory
	// frozen belongs to the writer: a running save reads this page.
	frozen bool
	memory []byte    // owned memory, nil for a mapped page
	from   *location // of a mapped page
	index  uint32    // of a mapped page in the table
}

// location is where a page stands in a file.
type location struct {
	file *pageFile
	n    uint32 // number of the page in the file
	crc  uint32
}

// pageFile is one file of pages.
type pageFile struct {
	name   string // base name
	id     uint64
	pages  uint32
	region *mmap.Region
}

func (f *pageFile) bytes(n uint32) []byte {
	off := int(n) * pageBytes
	return f.region.Bytes()[off : off+pageBytes : off+pageBytes]
}

// wordsOf looks at page bytes as words. b is 8-byte aligned: memory and mappings are page aligned,
// pages in files are multiples of 8 long.
func wordsOf(b []byte) *pageData {
	_ = b[pageBytes-1]
	return (*pageData)(unsafe.Pointer(unsafe.SliceData(b)))
}

func bytesOf(d *pageData) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(d)), pageBytes)
}

func ownedPage(memory []byte) *page {
	p := &page{data: wordsOf(memory), memory: memory}
	p.ready.Store(true)
	return p
}

func mappedPage(index uint32, at *location) *page {
	return &page{data: wordsOf(at.file.bytes(at.n)), from: at, index: index}
}

// pageOffset returns where page n of a file stands.
func pageOffset(n uint32) int64 { return fileStart + int64(n)*pageBytes }

// pageChecksum covers a page's bytes and where they belong.
func pageChecksum(fileID uint64, n, index uint32, data []byte) uint32 {
	var w binfmt.Writer
	w.U64(fileID)
	w.U32(n)
	w.U32(index)
	return binfmt.Checksum(w.Buf, data)
}

// verify checks a mapped page against its checksum. Faults of the mapping count as damage.
func (p *page) verify() *binfmt.CorruptError {
	at := p.from
	mmap.Prefetch(at.file.bytes(at.n))
	err := mmap.Guard(at.file.name, func() error {
		if pageChecksum(at.file.id, at.n, p.index, bytesOf(p.data)) != at.crc {
			return binfmt.ErrChecksum
		}
		return nil
	})
	if err != nil {
		return &binfmt.CorruptError{File: at.file.name, Offset: pageOffset(at.n), Err: err}
	}
	p.ready.Store(true)
	return nil
}

func (d *pageData) load(word int, row uint32) uint64 {
	return atomic.LoadUint64(&d[word+int(row)])
}

func (d *pageData) store(word int, row uint32, v uint64) {
	atomic.StoreUint64(&d[word+int(row)], v)
}

func (d *pageData) isUUID(row uint32) bool {
	return atomic.LoadUint64(&d[wordIsUUID+int(row)/64])>>(row%64)&1 != 0
}

func (d *pageData) setUUID(row uint32, is bool) {
	word := &d[wordIsUUID+int(row)/64] // one writer: no lost bits
	v := atomic.LoadUint64(word) &^ (1 << (row % 64))
	if is {
		v |= 1 << (row % 64)
	}
	atomic.StoreUint64(word, v)
}
