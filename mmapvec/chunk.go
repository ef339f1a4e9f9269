package mmapvec

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/internal/vfs"
)

// chunk is one open, mapped file of rows. It never changes after it was published, except for the
// bytes of its rows.
type chunk struct {
	number int
	name   string
	start  uint64 // first slot
	rows   int
	file   vfs.File
	region *mmap.Region
	data   []byte // the rows, mapped
}

// createChunk makes a new chunk file with all its space. Its name is durable after SyncDir.
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
	err = f.Allocate(0, l.fileBytes(number))
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
	size := l.fileBytes(number)
	region, err := mmap.Map(f, 0, int(size))
	if err != nil {
		return nil, err
	}
	// A hint; rows can be read without it.
	_ = region.Advise(mmap.Random)
	start, rows := l.span(number)
	return &chunk{number: number, name: f.Name(), start: start, rows: rows, file: f, region: region, data: region.Bytes()[rowsOffset:]}, nil
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
