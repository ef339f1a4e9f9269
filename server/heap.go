package server

import (
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// What grows with the data lies outside of the Go heap, so that it is small: 20 to 40 MB. Little garbage then means many
// collections: during a load of hashes of 3 KB a quarter of the live heap was full 24 times a second, and each time all threads
// had to stop, some of which the kernel had taken from their core. With heapRoom there were 65 during a load of 100 000 rows
// instead of 308, and one in a hundred searches beside it took 10 to 14 ms instead of 18 to 19 (two runs each).
const (
	heapGrowth = 25       // percent of the live heap that may be garbage in any case
	heapRoom   = 32 << 20 // bytes that may be, where the live heap is smaller
	heapMost   = 100      // percent at most, Go's default: a burst is met with it
	leastHeap  = 96 << 20 // what the Go heap gets of any limit
)

// limitHeap gives the Go heap its part of the limit; the rest is for codes, graphs and slots,
// which live outside of it (engine.Options.MemoryLimit). A GOMEMLIMIT set by the user stands.
func limitHeap(limit int64) {
	if os.Getenv("GOMEMLIMIT") != "" || limit == math.MaxInt64 {
		return
	}
	debug.SetMemoryLimit(max(limit/4, leastHeap))
}

// growthOf returns the percentage for a live heap of so many bytes.
func growthOf(live uint64) int {
	return max(heapGrowth, int(min(heapRoom*100/max(live, 1), heapMost)))
}

const (
	heapTick   = time.Second
	trimQuiet  = 3        // ticks without work
	trimBytes  = 32 << 20 // allocated since the last time: less is not worth a collection
	quietBytes = 4 << 20  // allocated within a tick that counts as quiet
)

// heap is what the Go heap was told and last seen to do.
type heap struct {
	tuned   bool // no GOGC of the user stands
	percent int
	last    uint64 // bytes allocated at the last tick
	trimmed uint64 // and when memory was last given back
	quiet   int    // ticks without work
	sample  []metrics.Sample
}

func newHeap() *heap {
	h := &heap{tuned: os.Getenv("GOGC") == "", sample: []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}}
	allocated, live := h.read()
	h.last, h.trimmed = allocated, allocated
	h.tune(live)
	return h
}

func (h *heap) read() (allocated, live uint64) {
	metrics.Read(h.sample)
	return h.sample[0].Value.Uint64(), h.sample[1].Value.Uint64()
}

// tune follows the live heap, in steps: telling the collector stops all threads, too.
func (h *heap) tune(live uint64) {
	p := growthOf(live)
	if h.tuned && (p*4 > h.percent*5 || p*5 < h.percent*4) {
		debug.SetGCPercent(p)
		h.percent = p
	}
}

// trim gives the memory of garbage back to the system when the work that made it is over: without
// work nothing starts a collection for two minutes, and after a load garbage is half of the heap.
func (h *heap) trim(allocated uint64) {
	if h.quiet++; allocated-h.last > quietBytes {
		h.quiet = 0
	}
	h.last = allocated
	if h.quiet >= trimQuiet && allocated-h.trimmed > trimBytes {
		debug.FreeOSMemory()
		h.trimmed, h.quiet = allocated, 0
	}
}

// tend looks after the heap until stop.
func (h *heap) tend(stop <-chan struct{}) {
	tick := time.NewTicker(heapTick)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		allocated, live := h.read()
		h.tune(live)
		h.trim(allocated)
	}
}
