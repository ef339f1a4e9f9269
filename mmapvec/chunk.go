package mmapvec

import (
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/internal/vfs"
)

// chunk is one open, mapped file of rows. It never changes after it was published, except for the
// bytes of its rows and reserved.
type chunk struct {
	number int
	name   string
	start  uint64 // first slot
	rows   int
	file   vfs.File
	region *mmap.Region
	data   []byte // the rows, mapped

	reserved atomic.Int64 // rows from the first on that have disk space
}

// reserve sees to it that the first rows have disk space, with that of some more, of about so many bytes.
func (c *chunk) reserve(l layout, rows int, more int64) error {
	has := c.reserved.Load()
	if int64(rows) <= has {
		return nil
	}
	want := min(int64(rows)+more/int64(l.stride), int64(c.rows))
	from := rowsOffset + has*int64(l.stride)
	err := c.file.Allocate(from, rowsOffset+want*int64(l.stride)-from)
	if err != nil { // perhaps there is room for the rows alone
		want = int64(rows)
		err = c.file.Allocate(from, rowsOffset+want*int64(l.stride)-from)
	}
	if err == nil {
		c.reserved.Store(want)
	}
	return err
}

// bytes is the disk space of the chunk.
func (c *chunk) bytes(l layout) int64 { return rowsOffset + c.reserved.Load()*int64(l.stride) }

// createChunk makes a new chunk file, none of whose rows has disk space yet. Its name is durable after SyncDir.
func createChunk(fsys vfs.FS, dir string, l layout, number int) (*chunk, error) {
	name := chunkName(dir, number)
	tmp := name + vfs.TempSuffix
	if err := fsys.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := fsys.Create(tmp)
	if err != nil {
		return nil, err
	}
	err = f.Allocate(0, rowsOffset)
	if err == nil {
		err = f.Truncate(l.fileBytes(number))
	}
	if err == nil {
		_, err = f.WriteAt(l.header(number), 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = fsys.Rename(tmp, name)
	}
	if err != nil {
		return nil, errors.Join(err, ignoreAbsent(fsys.Remove(tmp)))
	}
	return openChunk(fsys, dir, l, number)
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// openChunk opens and maps an existing chunk file. A file is complete before it gets its name, so
// anything unexpected about it is damage.
func openChunk(fsys vfs.FS, dir string, l layout, number int) (*chunk, error) {
	name := chunkName(dir, number)
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	c, err := mapChunk(f, l, number)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return c, nil
}

func mapChunk(f vfs.File, l layout, number int) (*chunk, error) {
	if err := checkHeader(f, l, number); err != nil {
		return nil, err
	}
	allocated, err := f.Allocated()
	if err != nil {
		return nil, err
	}
	size := l.fileBytes(number)
	region, err := mmap.Map(f, 0, int(size))
	if err != nil {
		return nil, err
	}
	// A hint; rows can be read without it.
	_ = region.Advise(mmap.Random)
	start, rows := l.span(number)
	c := &chunk{number: number, name: f.Name(), start: start, rows: rows, file: f, region: region, data: region.Bytes()[rowsOffset:]}
	c.reserved.Store(int64(l.reserved(number, allocated)))
	return c, nil
}

func checkHeader(f vfs.File, want layout, number int) error {
	var b [binfmt.HeaderSize]byte
	if n, err := f.ReadAt(b[:], 0); n < len(b) {
		return &binfmt.CorruptError{File: f.Name(), Err: err}
	}
	l, got, err := decodeHeader(b[:])
	if err != nil {
		var newer *binfmt.VersionError
		if errors.As(err, &newer) {
			return fmt.Errorf("mmapvec: %s: %w", f.Name(), err)
		}
		return &binfmt.CorruptError{File: f.Name(), Err: err}
	}
	if l != want || got != number {
		return binfmt.Corrupt(f.Name(), 0, "mmapvec: chunk %d of dimension %d, %v where chunk %d of dimension %d, %v is expected", got, l.dim, l.typ, number, want.dim, want.typ)
	}
	size, err := f.Size()
	if err != nil {
		return err
	}
	if size < l.fileBytes(number) {
		return binfmt.Corrupt(f.Name(), size, "mmapvec: file ends early, %d bytes are expected", l.fileBytes(number))
	}
	return nil
}

func (c *chunk) close() error { return errors.Join(c.region.Close(), c.file.Close()) }
