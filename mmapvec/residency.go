package mmapvec

import (
	"sync/atomic"
	"unsafe"
)

func asBytes(words []uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), 8*len(words))
}

const (
	calmAfter = 1024 // rows found in memory in a row, after which only ...
	calmEvery = 16   // ... one in so many of a Fetch is looked at, and all when that one is not there
)

// residency decides whether a row is read through the map. Asking the kernel costs a system call a
// row, as much as scoring it; where everything has been in memory for a while only a sample is asked
// for. A wrong guess costs a page fault.
type residency struct {
	streak atomic.Int64
	turns  atomic.Uint32
	probe  func(row []byte) bool // mmap.Resident, except in tests
}

func (r *residency) calm() bool { return r.streak.Load() >= calmAfter }

// turn moves the sample on.
func (r *residency) turn() int { return int(r.turns.Add(1)) & (1<<30 - 1) }

func (r *residency) resident(row []byte) bool {
	if !r.probe(row) {
		r.streak.Store(0)
		return false
	}
	if r.streak.Load() < calmAfter {
		r.streak.Add(1)
	}
	return true
}
