package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// OS is the real file system.
var OS FS = osFS{}

type osFS struct{}

func (osFS) Create(name string) (File, error) {
	return openOS(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

func (osFS) Open(name string) (File, error) { return openOS(name, os.O_RDWR) }

func (osFS) OpenRead(name string) (File, error) { return openOS(name, os.O_RDONLY) }

func (osFS) Rename(oldName, newName string) error {
	return os.Rename(filepath.FromSlash(oldName), filepath.FromSlash(newName))
}

func (osFS) Remove(name string) error { return os.Remove(filepath.FromSlash(name)) }

func (osFS) RemoveAll(name string) error { return os.RemoveAll(filepath.FromSlash(name)) }

func (osFS) MkdirAll(name string) error { return os.MkdirAll(filepath.FromSlash(name), 0o700) }

func (osFS) List(dir string) ([]string, error) {
	f, err := os.Open(filepath.FromSlash(dir))
	if err != nil {
		return nil, err
	}
	names, err := f.Readdirnames(-1)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	slices.Sort(names)
	return names, nil
}

func (osFS) Stat(name string) (Info, error) {
	st, err := os.Stat(filepath.FromSlash(name))
	if err != nil {
		return Info{}, err
	}
	return Info{Size: st.Size(), IsDir: st.IsDir()}, nil
}

func (osFS) SyncDir(dir string) error {
	f, err := os.Open(filepath.FromSlash(dir))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

type osFile struct {
	*os.File
	name string
}

func openOS(name string, flag int) (File, error) {
	f, err := os.OpenFile(filepath.FromSlash(name), flag, 0o600)
	if err != nil {
		return nil, err
	}
	return &osFile{File: f, name: name}, nil
}

// OSFile is what internal/mmap maps.
func (f *osFile) OSFile() *os.File { return f.File }

func (f *osFile) Name() string { return f.name }

func (f *osFile) Size() (int64, error) {
	st, err := f.File.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

func (f *osFile) Close() error {
	if err := f.File.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

func (f *osFile) Sync() error {
	if err := datasync(f.File); err != nil {
		return &fs.PathError{Op: "fsync", Path: f.name, Err: err}
	}
	return nil
}

func (f *osFile) Allocate(off, n int64) error {
	if off < 0 || n < 0 {
		return &fs.PathError{Op: "allocate", Path: f.name, Err: fs.ErrInvalid}
	}
	if n == 0 {
		return nil
	}
	old, err := f.Size()
	if err != nil {
		return err
	}
	err = allocate(f.File, off, n)
	if errors.Is(err, errors.ErrUnsupported) {
		err = allocateByWriting(f.File, old, off+n)
	}
	if err != nil {
		// ext4 leaves the file extended by what it could get.
		return errors.Join(&fs.PathError{Op: "allocate", Path: f.name, Err: err}, f.File.Truncate(old))
	}
	return nil
}

func (f *osFile) Allocated() (int64, error) {
	st, err := f.File.Stat()
	if err != nil {
		return 0, err
	}
	return allocated(st), nil
}

// allocateByWriting fills [from, to) with zeros, where the file ends at from.
func allocateByWriting(f *os.File, from, to int64) error {
	zeros := make([]byte, 1<<20)
	for from < to {
		n := min(to-from, int64(len(zeros)))
		if _, err := f.WriteAt(zeros[:n], from); err != nil {
			return err
		}
		from += n
	}
	return nil
}
