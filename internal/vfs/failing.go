package vfs

import (
	"errors"
	"os"
	"sync"
)

// ErrInjected is the error of a Fault that names none.
var ErrInjected = errors.New("vfs: injected fault")

// Op is a kind of call.
type Op uint8

// The kinds of call that Failing tells apart.
const (
	OpAny Op = iota // every kind below
	OpCreate
	OpOpen // Open and OpenRead
	OpRename
	OpRemove // Remove and RemoveAll
	OpMkdir
	OpList
	OpStat // Stat and File.Size
	OpSyncDir
	OpRead
	OpWrite
	OpTruncate
	OpAllocate
	OpSync
	opCount
)

// Fault makes a call fail.
type Fault struct {
	Op     Op
	Nth    int   // the first call of the kind is number 1
	Err    error // nil means ErrInjected
	Sticky bool  // every later call of the kind fails too
}

// Failing wraps an FS and makes chosen calls fail. A failing write stores half of its bytes; a
// failing sync loses what it should have made durable, as a kernel may; every other failing call
// does nothing.
type Failing struct {
	inner  FS
	mu     sync.Mutex
	faults []Fault
	calls  [opCount]int
	fired  int
	read   int64
}

// NewFailing returns inner with the given faults.
func NewFailing(inner FS, faults ...Fault) *Failing {
	return &Failing{inner: inner, faults: faults}
}

// Calls returns the number of calls of a kind so far.
func (f *Failing) Calls(op Op) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[op]
}

// Fired returns the number of calls that were made to fail.
func (f *Failing) Fired() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fired
}

// Inject adds a fault; Nth counts from now.
func (f *Failing) Inject(ft Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ft.Nth += f.calls[ft.Op]
	f.faults = append(f.faults, ft)
}

// Heal removes all faults.
func (f *Failing) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

// BytesRead returns how many bytes ReadAt has returned so far; what is read through maps is not counted.
func (f *Failing) BytesRead() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read
}

// enter counts a call and returns the error that it has to fail with.
func (f *Failing) enter(op Op) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[op]++
	f.calls[OpAny]++
	for _, ft := range f.faults {
		if ft.Op != op && ft.Op != OpAny {
			continue
		}
		if n := f.calls[ft.Op]; n == ft.Nth || ft.Sticky && n > ft.Nth {
			f.fired++
			if ft.Err != nil {
				return ft.Err
			}
			return ErrInjected
		}
	}
	return nil
}

// Create implements FS.
func (f *Failing) Create(name string) (File, error) {
	if err := f.enter(OpCreate); err != nil {
		return nil, err
	}
	return f.wrap(f.inner.Create(name))
}

// Open implements FS.
func (f *Failing) Open(name string) (File, error) {
	if err := f.enter(OpOpen); err != nil {
		return nil, err
	}
	return f.wrap(f.inner.Open(name))
}

// OpenRead implements FS.
func (f *Failing) OpenRead(name string) (File, error) {
	if err := f.enter(OpOpen); err != nil {
		return nil, err
	}
	return f.wrap(f.inner.OpenRead(name))
}

func (f *Failing) wrap(inner File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return &failingFile{File: inner, fs: f}, nil
}

// Rename implements FS.
func (f *Failing) Rename(oldName, newName string) error {
	if err := f.enter(OpRename); err != nil {
		return err
	}
	return f.inner.Rename(oldName, newName)
}

// Remove implements FS.
func (f *Failing) Remove(name string) error {
	if err := f.enter(OpRemove); err != nil {
		return err
	}
	return f.inner.Remove(name)
}

// RemoveAll implements FS.
func (f *Failing) RemoveAll(name string) error {
	if err := f.enter(OpRemove); err != nil {
		return err
	}
	return f.inner.RemoveAll(name)
}

// MkdirAll implements FS.
func (f *Failing) MkdirAll(name string) error {
	if err := f.enter(OpMkdir); err != nil {
		return err
	}
	return f.inner.MkdirAll(name)
}

// List implements FS.
func (f *Failing) List(dir string) ([]string, error) {
	if err := f.enter(OpList); err != nil {
		return nil, err
	}
	return f.inner.List(dir)
}

// Stat implements FS.
func (f *Failing) Stat(name string) (Info, error) {
	if err := f.enter(OpStat); err != nil {
		return Info{}, err
	}
	return f.inner.Stat(name)
}

// SyncDir implements FS.
func (f *Failing) SyncDir(dir string) error {
	if err := f.enter(OpSyncDir); err != nil {
		return err
	}
	return f.inner.SyncDir(dir)
}

type failingFile struct {
	File
	fs *Failing
}

func (f *failingFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.fs.enter(OpRead); err != nil {
		return 0, err
	}
	n, err := f.File.ReadAt(p, off)
	f.fs.mu.Lock()
	f.fs.read += int64(n)
	f.fs.mu.Unlock()
	return n, err
}

func (f *failingFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.fs.enter(OpWrite); err != nil {
		n, inner := f.File.WriteAt(p[:len(p)/2], off)
		return n, errors.Join(err, inner)
	}
	return f.File.WriteAt(p, off)
}

func (f *failingFile) Size() (int64, error) {
	if err := f.fs.enter(OpStat); err != nil {
		return 0, err
	}
	return f.File.Size()
}

func (f *failingFile) Truncate(size int64) error {
	if err := f.fs.enter(OpTruncate); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *failingFile) Allocate(off, n int64) error {
	if err := f.fs.enter(OpAllocate); err != nil {
		return err
	}
	return f.File.Allocate(off, n)
}

func (f *failingFile) Allocated() (int64, error) {
	if err := f.fs.enter(OpStat); err != nil {
		return 0, err
	}
	return f.File.Allocated()
}

func (f *failingFile) Sync() error {
	if err := f.fs.enter(OpSync); err != nil {
		if m, ok := f.File.(*memFile); ok {
			m.loseUnsynced()
		}
		return err
	}
	return f.File.Sync()
}

// OSFile forwards to a real file; nil if the wrapped one is none.
func (f *failingFile) OSFile() *os.File {
	if o, ok := f.File.(interface{ OSFile() *os.File }); ok {
		return o.OSFile()
	}
	return nil
}

// MapBytes forwards to a file in memory.
func (f *failingFile) MapBytes(off int64, n int) ([]byte, error) {
	if m, ok := f.File.(interface {
		MapBytes(off int64, n int) ([]byte, error)
	}); ok {
		return m.MapBytes(off, n)
	}
	return nil, errors.ErrUnsupported
}
