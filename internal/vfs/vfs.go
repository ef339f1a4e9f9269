package vfs

import (
	"errors"
	"io"
	"io/fs"
	"path"
)

// FS is a file system. Errors about absent and existing names match fs.ErrNotExist and fs.ErrExist.
type FS interface {
	// Create makes a file for reading and writing, mode 0600. The name must not exist.
	Create(name string) (File, error)
	// Open opens an existing file for reading and writing.
	Open(name string) (File, error)
	// OpenRead opens an existing file for reading.
	OpenRead(name string) (File, error)
	// Rename replaces newName, if it exists. It is durable only after SyncDir of the parent.
	Rename(oldName, newName string) error
	// Remove removes a file or an empty directory.
	Remove(name string) error
	// RemoveAll removes a file or a tree; no error if there is none.
	RemoveAll(name string) error
	// MkdirAll makes a directory and its parents, mode 0700. See MkdirDurably.
	MkdirAll(name string) error
	// List returns the base names in dir, sorted.
	List(dir string) ([]string, error)
	// Stat describes a name; fs.ErrNotExist if there is none.
	Stat(name string) (Info, error)
	// SyncDir makes the names in dir durable.
	SyncDir(dir string) error
}

// Info describes a file or a directory.
type Info struct {
	Size  int64
	IsDir bool
}

// File is an open file. Close may be called twice.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Name returns the name that the file was opened under.
	Name() string
	Size() (int64, error)
	Truncate(size int64) error
	// Allocate reserves the space of [off, off+n) and grows the file to hold it; new bytes are
	// zero, old bytes stay. When it fails the file has its old size. Where the file system cannot reserve, only what
	// grows the file is.
	Allocate(off, n int64) error
	// Allocated returns the bytes of disk that the file has; its size where that is not known.
	Allocated() (int64, error)
	// Sync makes the file's bytes and size durable (not its name, see SyncDir).
	Sync() error
}

// TempSuffix ends the name of a file that is not yet published.
const TempSuffix = ".tmp"

// WriteFile publishes a whole file: temp file, sync, rename, sync of the directory. After an error
// the name holds its old content or, when the sync of the directory failed, either.
func WriteFile(fsys FS, name string, data []byte) error {
	tmp := name + TempSuffix
	if err := fsys.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := fsys.Create(tmp)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, fsys.Remove(tmp))
	}
	return RenameDurably(fsys, tmp, name)
}

// ReadFile returns the whole content of a file. The caller bounds the size beforehand where it
// comes from outside.
func ReadFile(fsys FS, name string) ([]byte, error) {
	f, err := fsys.OpenRead(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	n, err := f.ReadAt(b, 0)
	if int64(n) == size {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// RenameDurably renames and syncs the directory, both when they differ.
func RenameDurably(fsys FS, oldName, newName string) error {
	if err := fsys.Rename(oldName, newName); err != nil {
		return err
	}
	newDir, oldDir := path.Dir(newName), path.Dir(oldName)
	if err := fsys.SyncDir(newDir); err != nil || oldDir == newDir {
		return err
	}
	return fsys.SyncDir(oldDir)
}

// MkdirDurably makes a directory and its absent parents and syncs every directory that got a new
// entry. An existing directory costs one Stat and its name is taken for durable.
func MkdirDurably(fsys FS, name string) error {
	name = path.Clean(name)
	info, err := fsys.Stat(name)
	if err == nil {
		if !info.IsDir {
			return &fs.PathError{Op: "mkdir", Path: name, Err: fs.ErrExist}
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := path.Dir(name)
	if parent != name {
		if err := MkdirDurably(fsys, parent); err != nil {
			return err
		}
	}
	if err := fsys.MkdirAll(name); err != nil {
		return err
	}
	return fsys.SyncDir(parent)
}
