package slots

import (
	"fmt"
	"math"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/isobath/isobath/internal/binfmt"
)

// The layout of files and of Saved.Meta, see FORMAT.md. Nothing in this file does I/O.
const (
	formatVersion = 1
	fileStart     = 4096 // where pages begin
	maxPages      = 1 << (32 - pageShift)
	maxFiles      = 1 << 16
	maxName       = 255
)

var fileMagic = binfmt.Magic8("isobSLOT")

// image is a saved table in memory: what a table section holds.
type image struct {
	high  uint32
	free  *roaring.Bitmap
	files []*pageFile
	where []*location
}

// encode returns the bytes of a table section.
func (im *image) encode() ([]byte, error) {
	var w binfmt.Writer
	w.U32(im.high)
	w.Uvarint(uint64(len(im.files)))
	number := map[*pageFile]uint64{}
	for i, f := range im.files {
		number[f] = uint64(i) + 1
		w.String(f.name)
		w.U64(f.id)
		w.U32(f.pages)
	}
	w.Uvarint(uint64(len(im.where)))
	for _, at := range im.where {
		if at == nil {
			w.Uvarint(0)
			continue
		}
		w.Uvarint(number[at.file])
		w.Uvarint(uint64(at.n))
		w.U32(at.crc)
	}
	free, err := im.free.ToBytes()
	if err != nil {
		return nil, err
	}
	w.LenBytes(free)
	return w.Buf, nil
}

// decodeImage reads a table section whose checksum is verified. Files have no region yet.
func decodeImage(b []byte) (*image, error) {
	r := binfmt.NewReader(b)
	im := &image{high: r.U32(), free: roaring.New()}
	nFiles := r.Uvarint()
	if nFiles > maxFiles {
		return nil, fmt.Errorf("%d files", nFiles)
	}
	for range nFiles {
		f := &pageFile{name: r.String(), id: r.U64(), pages: r.U32()}
		if r.Err() == nil && (f.name == "" || len(f.name) > maxName || f.pages > maxPages) {
			return nil, fmt.Errorf("file %q of %d pages", f.name, f.pages)
		}
		im.files = append(im.files, f)
		if r.Err() != nil {
			return nil, r.Err()
		}
	}
	nPages := r.Uvarint()
	if nPages > maxPages || nPages > uint64(r.Remaining()) {
		return nil, fmt.Errorf("%d pages", nPages)
	}
	im.where = make([]*location, nPages)
	for i := range im.where {
		number := r.Uvarint()
		if number == 0 {
			continue
		}
		n, crc := r.Uvarint(), r.U32()
		if number > nFiles || n >= uint64(im.files[number-1].pages) {
			return nil, fmt.Errorf("page %d is at place %d of file %d", i, n, number)
		}
		im.where[i] = &location{file: im.files[number-1], n: uint32(n), crc: crc}
	}
	free := r.LenBytes()
	if r.Err() == nil && r.Remaining() > 0 {
		r.Fail(fmt.Errorf("%d bytes too many", r.Remaining()))
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	return im, im.decodeFree(free)
}

func (im *image) decodeFree(b []byte) error {
	if err := im.free.UnmarshalBinary(b); err != nil {
		return fmt.Errorf("free list: %w", err)
	}
	if im.free.IsEmpty() {
		return nil
	}
	if err := im.free.Validate(); err != nil {
		return fmt.Errorf("free list: %w", err)
	}
	if im.free.Maximum() >= im.high {
		return fmt.Errorf("free slot %d above %d", im.free.Maximum(), im.high)
	}
	return nil
}

// meta is the content of Saved.Meta: where the table section stands.
type meta struct {
	file   string
	off    uint64
	length uint64
	crc    uint32
}

func (m meta) encode() []byte {
	var w binfmt.Writer
	w.U32(formatVersion)
	w.String(m.file)
	w.U64(m.off)
	w.U64(m.length)
	w.U32(m.crc)
	return w.Buf
}

func decodeMeta(b []byte) (meta, error) {
	r := binfmt.NewReader(b)
	version := r.U32()
	m := meta{file: r.String(), off: r.U64(), length: r.U64(), crc: r.U32()}
	switch {
	case r.Err() != nil:
		return meta{}, fmt.Errorf("slots: table reference: %w", r.Err())
	case version != formatVersion:
		return meta{}, fmt.Errorf("slots: table reference: %w", &binfmt.VersionError{Version: version, Known: formatVersion})
	case r.Remaining() > 0 || m.off > math.MaxInt64 || m.length > math.MaxInt32 || m.file == "":
		return meta{}, fmt.Errorf("slots: table reference: %w", binfmt.ErrShort)
	}
	return m, nil
}
