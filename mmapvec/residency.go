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
	calmEvery = 16   // ... one in so many is looked at, and all of a Fetch when that one is not there
	// After each calmStep more looked at it is half as many, calmSteps times: a look costs a short search as much as two rows.
	calmStep  = 256
	calmSteps = 2
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

// every is one in how many rows of a calm store is looked at.
func (r *residency) every() int {
	return calmEvery << min(max(r.streak.Load()-calmAfter, 0)/calmStep, calmSteps)
}

// sample returns the first row of a Fetch that is looked at, where one in every is; it may lie beyond the last. The multiples of
// the golden ratio spread evenly over all positions, however many rows each Fetch has (Knuth, TAOCP 3, 6.4).
func (r *residency) sample(every int) int {
	return int(r.turns.Add(1)*0x9e3779b1>>16) % every
}

func (r *residency) resident(row []byte) bool {
	if !r.probe(row) {
		r.streak.Store(0)
		return false
	}
	if r.streak.Load() < calmAfter+calmSteps*calmStep {
		r.streak.Add(1)
	}
	return true
}
