package vectorindex

import (
	"math/bits"
	"sync/atomic"
)

// slotTable maps slot to ord within one part: a hash table of fixed size with one writer and lock-free readers, from
// which nothing is ever removed. Consecutive slots lie side by side, so that a part with few rows touches few pages.
type slotTable struct {
	entries []uint64 // slot<<32 | ord+1; 0 is empty
	mask    uint32   // of blocks
}

const (
	slotBlock   = 512 // entries: one page
	blockProbes = 16  // blocks tried at the slot's own column before the table is taken as one row of entries
)

// slotTableBytes is the memory of a table for n slots, half full.
func slotTableBytes(n int) int {
	blocks := max(1, (2*n+slotBlock-1)/slotBlock)
	return 8 * slotBlock << bits.Len(uint(blocks-1))
}

func newSlotTable(entries []uint64) slotTable {
	return slotTable{entries: entries, mask: uint32(len(entries)/slotBlock - 1)}
}

func (t *slotTable) position(slot uint32, probe int) int {
	if probe < blockProbes {
		block := (mix32(slot/slotBlock) + uint32(probe)*0x9e3779b1) & t.mask
		return int(block)*slotBlock + int(slot%slotBlock)
	}
	return (int(mix32(slot^0x5bd1e995)) + probe) & (len(t.entries) - 1)
}

func (t *slotTable) put(slot, ord uint32) {
	for probe := 0; ; probe++ {
		e := &t.entries[t.position(slot, probe)]
		if *e == 0 {
			atomic.StoreUint64(e, uint64(slot)<<32|uint64(ord+1))
			return
		}
	}
}

// get returns the ord of slot, which may be one that is not published yet.
func (t *slotTable) get(slot uint32) (ord uint32, ok bool) {
	if len(t.entries) == 0 {
		return 0, false
	}
	for probe := 0; probe < len(t.entries)+blockProbes; probe++ {
		e := atomic.LoadUint64(&t.entries[t.position(slot, probe)])
		if e == 0 {
			return 0, false
		}
		if uint32(e>>32) == slot {
			return uint32(e) - 1, true
		}
	}
	return 0, false
}

// mix32 is the finalizer of MurmurHash3.
func mix32(h uint32) uint32 {
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	h *= 0xc2b2ae35
	return h ^ h>>16
}
