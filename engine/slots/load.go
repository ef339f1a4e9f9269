package slots

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/vfs"
)

// Load opens a saved table. Headers and the table section are verified now, pages at first use.
// Damage is a *binfmt.CorruptError.
func Load(fsys vfs.FS, dir string, saved Saved) (*Table, error) {
	t := New()
	if saved.Meta == nil {
		return t, nil
	}
	im, err := readImage(fsys, dir, saved)
	if err != nil {
		return nil, fmt.Errorf("slots: load: %w", err)
	}
	t.free, t.files, t.where, t.saved = im.free, im.files, im.where, saved
	t.high.Store(im.high)
	t.taken.Store(int64(im.high) - int64(t.free.GetCardinality()))
	for _, f := range im.files {
		if err := f.open(fsys, dir); err != nil {
			return nil, fmt.Errorf("slots: load %s: %w", f.name, errors.Join(err, t.closeOpened()))
		}
	}
	t.grow(len(im.where))
	pages := *t.pages.Load()
	for i, at := range im.where {
		if at != nil {
			pages[i].Store(mappedPage(uint32(i), at))
		}
	}
	return t, nil
}

// closeOpened closes the files that Load has opened before it failed.
func (t *Table) closeOpened() error {
	t.files = slices.DeleteFunc(t.files, func(f *pageFile) bool { return f.region == nil })
	return t.Close()
}

func readImage(fsys vfs.FS, dir string, saved Saved) (*image, error) {
	m, err := decodeMeta(saved.Meta)
	if err != nil {
		return nil, err
	}
	file, err := fsys.OpenRead(path.Join(dir, m.file))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return nil, err
	}
	if m.off+m.length > uint64(size) {
		return nil, binfmt.Corrupt(m.file, size, "file ends before byte %d", m.off+m.length)
	}
	section := make([]byte, m.length)
	if _, err := file.ReadAt(section, int64(m.off)); err != nil {
		return nil, err
	}
	if binfmt.Checksum(section) != m.crc {
		return nil, &binfmt.CorruptError{File: m.file, Offset: int64(m.off), Err: binfmt.ErrChecksum}
	}
	im, err := decodeImage(section)
	if err != nil {
		return nil, &binfmt.CorruptError{File: m.file, Offset: int64(m.off), Err: err}
	}
	for _, f := range im.files {
		if !slices.Contains(saved.Files, f.name) {
			return nil, binfmt.Corrupt(m.file, int64(m.off), "file %q is not part of the saved state", f.name)
		}
	}
	return im, nil
}

// Verify reads all of a saved table and returns every problem found.
func Verify(fsys vfs.FS, dir string, saved Saved) error {
	t, err := Load(fsys, dir, saved)
	if err != nil {
		return err
	}
	var errs []error
	pages := *t.pages.Load()
	for i := range pages {
		if p := pages[i].Load(); p != nil {
			if err := p.verify(); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(append(errs, t.Close())...)
}
