package mmapvec

import (
	"sync/atomic"
	"unsafe"
)

func asBytes(words []uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), 8*len(words))
}

const (
	calmAfter = 256 // rows found in memory in a row, after which only ...
	calmEvery = 16  // ... one in so many is looked at
)

// residency decides whether a row is read through the map. Asking the kernel costs a system call a
// row, as much as scoring it; where everything has been in memory for a while only a sample is asked
// for. The wrong guess costs a page fault.
type residency struct {
	streak atomic.Int64
	turn   atomic.Uint32
	force  int8 // tests: 1 = always in memory, -1 = never
}

func (r *residency) resident(c *chunk, row []byte) bool {
	if r.force != 0 {
		return r.force > 0
	}
	if r.streak.Load() >= calmAfter && r.turn.Add(1)%calmEvery != 0 {
		return true
	}
	if inMemory(row) {
		if r.streak.Load() < calmAfter {
			r.streak.Add(1)
		}
		return true
	}
	r.streak.Store(0)
	return false
}
