package vfs

import (
	"io"
	"io/fs"
)

// memData is the content of a file: the bytes as they are read now, the bytes as they were last
// synced, and what happened in between.
type memData struct {
	bytes   []byte
	synced  []byte
	pending []dataOp
	// used bounds the bytes that were ever written: behind it all is zero, and large preallocated
	// files are copied cheaply.
	used int64
	// whole tells that bytes and synced are equal and synced was not made yet.
	whole bool
	// mapped tells that MapBytes handed out a part of bytes. When a mapped buffer must move, the old
	// one joins aliases, and later writes go to it as well: the maps stay true.
	mapped  bool
	aliases [][]byte
}

// dataOp is a write (data set), or a change of the size.
type dataOp struct {
	off  int64
	data []byte
	size int64 // of the file after the operation
}

// resize sets the length of bytes; new bytes are zero.
func (d *memData) resize(size int64) {
	old := int64(len(d.bytes))
	switch {
	case size <= old:
		clear(d.bytes[size:])
		d.bytes = d.bytes[:size]
	case size <= int64(cap(d.bytes)):
		d.bytes = d.bytes[:size] // bytes behind the length are kept zero
	default:
		grown := make([]byte, size, max(size, min(2*old, old+1<<20)))
		copy(grown, d.bytes)
		if d.mapped {
			d.aliases = append(d.aliases, d.bytes)
			d.mapped = false
		}
		d.bytes = grown
	}
}

// split makes synced before bytes change.
func (d *memData) split() {
	if d.whole {
		d.whole, d.synced = false, copyUsed(d.bytes, d.used)
	}
}

// copyUsed returns a copy of b, which is zero from used on.
func copyUsed(b []byte, used int64) []byte {
	c := make([]byte, len(b))
	copy(c, b[:min(used, int64(len(b)))])
	return c
}

func (d *memData) write(p []byte, off int64) {
	d.split()
	d.used = max(d.used, off+int64(len(p)))
	if end := off + int64(len(p)); end > int64(len(d.bytes)) {
		d.resize(end)
	}
	copy(d.bytes[off:], p)
	for _, a := range d.aliases {
		if off < int64(len(a)) {
			copy(a[off:], p)
		}
	}
	d.pending = append(d.pending, dataOp{off: off, data: append([]byte(nil), p...), size: int64(len(d.bytes))})
}

func (d *memData) setSize(size int64) {
	d.split()
	d.resize(size)
	d.pending = append(d.pending, dataOp{size: size})
}

// sync makes the synced image equal to bytes, by the pending operations only: files may be large.
func (d *memData) sync() {
	for _, op := range d.pending {
		d.synced = op.redo(d.synced, func() bool { return true })
	}
	d.pending = nil
}

// redo applies the operation to an image. Each sector of a write, and the size, survives as keep
// says.
func (op dataOp) redo(image []byte, keep func() bool) []byte {
	if op.data == nil {
		if keep() {
			image = sized(image, op.size)
		}
		return image
	}
	if op.size > int64(len(image)) && keep() {
		image = sized(image, op.size)
	}
	for start := int64(0); start < int64(len(op.data)); {
		end := min((op.off+start)/sector*sector+sector-op.off, int64(len(op.data)))
		if keep() {
			if op.off+end > int64(len(image)) {
				image = sized(image, op.off+end)
			}
			copy(image[op.off+start:], op.data[start:end])
		}
		start = end
	}
	return image
}

func sized(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		clear(b[size:])
		return b[:size]
	}
	if size <= int64(cap(b)) {
		return b[:size]
	}
	grown := make([]byte, size, max(size, min(int64(2*len(b)), int64(len(b))+1<<20)))
	copy(grown, b)
	return grown
}

type memFile struct {
	fs       *Mem
	node     *memNode
	name     string
	readOnly bool
	closed   bool
}

func (f *memFile) Name() string { return f.name }

func (f *memFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.closed = true
	return nil
}

func (f *memFile) errorLocked(op string, off, n int64, write bool) error {
	var err error
	switch {
	case f.closed:
		err = fs.ErrClosed
	case write && f.readOnly:
		err = fs.ErrPermission
	case off < 0 || n < 0 || off+n < 0:
		err = fs.ErrInvalid
	default:
		return nil
	}
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.errorLocked("read", off, 0, false); err != nil {
		return 0, err
	}
	b := f.node.file.bytes
	if off >= int64(len(b)) {
		return 0, io.EOF
	}
	n := copy(p, b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.errorLocked("write", off, int64(len(p)), true); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	switch f.fs.mutateLocked() {
	case refuse:
		return 0, ErrStopped
	case half:
		n := len(p) / 2
		if n > 0 {
			f.node.file.write(p[:n], off)
		}
		return n, ErrStopped
	}
	f.node.file.write(p, off)
	return len(p), nil
}

func (f *memFile) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.errorLocked("stat", 0, 0, false); err != nil {
		return 0, err
	}
	return int64(len(f.node.file.bytes)), nil
}

func (f *memFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.errorLocked("truncate", size, 0, true); err != nil {
		return err
	}
	return f.mutateLocked(func() { f.node.file.setSize(size) })
}

func (f *memFile) Allocate(off, n int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.errorLocked("allocate", off, n, true); err != nil {
		return err
	}
	if off+n <= int64(len(f.node.file.bytes)) {
		return nil
	}
	return f.mutateLocked(func() { f.node.file.setSize(off + n) })
}

func (f *memFile) Allocated() (int64, error) { return f.Size() }

func (f *memFile) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.errorLocked("fsync", 0, 0, false); err != nil {
		return err
	}
	return f.mutateLocked(f.node.file.sync)
}

// mutateLocked counts an operation without parts and performs it as the file system's state allows.
func (f *memFile) mutateLocked(do func()) error {
	v := f.fs.mutateLocked()
	if v == refuse {
		return ErrStopped
	}
	do()
	if v == half {
		return ErrStopped
	}
	return nil
}

// MapBytes returns bytes that later writes through the file change. It is what internal/mmap maps.
// The range may reach behind the end of the file.
func (f *memFile) MapBytes(off int64, n int) ([]byte, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.errorLocked("mmap", off, int64(n), false); err != nil {
		return nil, err
	}
	d := &f.node.file
	end := off + int64(n)
	if end > int64(cap(d.bytes)) {
		size := int64(len(d.bytes))
		d.resize(end)
		d.bytes = d.bytes[:size]
	}
	d.mapped = true
	return d.bytes[off:end:end], nil
}

// loseUnsynced forgets that unsynced bytes have to be written: after a failed fsync the kernel may
// have dropped the pages, and the next fsync succeeds without them.
func (f *memFile) loseUnsynced() {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.node.file.pending = nil
}
