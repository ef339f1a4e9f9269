package engine

import (
	"context"
	"runtime/metrics"
	"time"
)

// Of the memory limit the indexes have what nobody else takes: the Go heap, as large as its collector lets it grow, the
// runtime and the slots of rows. These have an eighth in any case, the indexes a quarter.
const (
	othersShare  = 8
	indexesShare = 4
	runtimeBytes = 16 << 20 // stacks and tables of the Go runtime

	budgetTick   = time.Second
	budgetSmooth = 8 // ticks over which a change of the others is spread: a heap that grows for a moment is no reason for smaller codes
)

// budgetLoop gives the indexes what the others leave of the memory limit.
func (db *DB) budgetLoop(ctx context.Context) {
	tick := time.NewTicker(budgetTick)
	defer tick.Stop()
	others := db.otherMemory()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		others += (db.otherMemory() - others) / budgetSmooth
		db.budget.Resize(indexMemory(db.opts.MemoryLimit, others))
	}
}

// indexMemory is what the indexes have of a limit when others take so much.
func indexMemory(limit, others int64) int64 {
	return max(limit-max(others, limit/othersShare), limit/indexesShare)
}

// otherMemory is the anonymous memory of all but the indexes.
func (db *DB) otherMemory() int64 {
	sample := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	metrics.Read(sample)
	n := int64(sample[0].Value.Uint64()) + runtimeBytes
	for _, c := range db.allCollections() {
		n += c.slots.Bytes()
	}
	return n
}
