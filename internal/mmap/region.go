package mmap

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"

	mmapgo "github.com/edsrzf/mmap-go"
)

// File is a file that can be mapped: one that also has OSFile() *os.File (a real one) or
// MapBytes(off int64, n int) ([]byte, error) (one in memory). Every vfs.File is.
type File interface {
	Name() string
}

type osFile interface{ OSFile() *os.File }

type bytesFile interface {
	MapBytes(off int64, n int) ([]byte, error)
}

// ErrNotMappable is returned by Map for a file with neither capability.
var ErrNotMappable = errors.New("mmap: this kind of file cannot be mapped")

// Advice tells how a region will be read.
type Advice uint8

// The kinds of advice, as in madvise(2).
const (
	Normal Advice = iota
	Random
	WillNeed
	DontNeed
	HugePage
)

// Region is a read-only mapping.
type Region struct {
	bytes []byte
	mu    sync.Mutex
	whole mmapgo.MMap // nil for a file in memory and for an empty region
}

// Map maps n bytes of f from off, which need not be aligned. The range should lie inside the file:
// bytes behind its end fault.
func Map(f File, off int64, n int) (*Region, error) {
	if off < 0 || n < 0 {
		return nil, fmt.Errorf("mmap: map %d bytes of %s at %d: %w", n, f.Name(), off, os.ErrInvalid)
	}
	if n == 0 {
		return &Region{}, nil
	}
	if o, ok := f.(osFile); ok {
		if file := o.OSFile(); file != nil {
			return mapOS(file, f.Name(), off, n)
		}
	}
	if m, ok := f.(bytesFile); ok {
		b, err := m.MapBytes(off, n)
		if err != nil {
			return nil, fmt.Errorf("mmap: map %d bytes of %s at %d: %w", n, f.Name(), off, err)
		}
		return &Region{bytes: b[:n:n]}, nil
	}
	return nil, ErrNotMappable
}

func mapOS(f *os.File, name string, off int64, n int) (*Region, error) {
	lead := int(off % int64(os.Getpagesize()))
	whole, err := mmapgo.MapRegion(f, n+lead, mmapgo.RDONLY, 0, off-int64(lead))
	if err != nil {
		return nil, fmt.Errorf("mmap: map %d bytes of %s at %d: %w", n, name, off, err)
	}
	r := &Region{bytes: whole[lead : lead+n : lead+n], whole: whole}
	live.add(whole)
	return r, nil
}

// Bytes returns the mapped bytes, valid until Close.
func (r *Region) Bytes() []byte { return r.bytes }

// Advise passes advice for the whole region to the kernel, where there is one to take it.
func (r *Region) Advise(a Advice) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.whole == nil {
		return nil
	}
	return advise(r.whole, a)
}

// AdviseRange passes advice for the pages of bytes off to off+n-1.
func (r *Region) AdviseRange(off, n int, a Advice) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.whole == nil || n <= 0 {
		return nil
	}
	page := os.Getpagesize()
	off += len(r.whole) - len(r.bytes)
	from := off / page * page
	return advise(r.whole[from:min(off+n, len(r.whole))], a)
}

// Close unmaps. The caller guarantees that nobody reads the bytes any more.
func (r *Region) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.whole == nil {
		return nil
	}
	live.remove(r.whole)
	whole := r.whole
	r.whole = nil
	return whole.Unmap()
}

// live knows the address ranges of all mapped regions, so that Guard can tell a fault on a mapping
// from a wild pointer.
var live = ranges{ends: map[uintptr]uintptr{}}

type ranges struct {
	mu   sync.Mutex
	ends map[uintptr]uintptr // start -> end
}

func (rs *ranges) add(b []byte) {
	start := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.ends[start] = start + uintptr(len(b))
}

func (rs *ranges) remove(b []byte) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	delete(rs.ends, uintptr(unsafe.Pointer(unsafe.SliceData(b))))
}

// holds tells whether addr lies in a mapped page.
func (rs *ranges) holds(addr uintptr) bool {
	page := uintptr(os.Getpagesize())
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for start, end := range rs.ends {
		if addr >= start && addr < (end+page-1)/page*page {
			return true
		}
	}
	return false
}
