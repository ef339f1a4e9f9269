package engine

import (
	"context"
	"runtime/metrics"
	"slices"
	"time"
)

// Of the memory limit the indexes have what nobody else takes: the Go heap, as large as its collector lets it grow, the
// runtime and the slots of rows. These have an eighth in any case, the indexes a quarter.
const (
	othersShare  = 8
	indexesShare = 4
	runtimeBytes = 16 << 20 // stacks and tables of the Go runtime
	othersLeast  = 96 << 20 // what a load takes whatever the limit is; half of a small limit

	budgetTick   = time.Second
	budgetSmooth = 8   // ticks over which is spread what the others give back
	lastingTicks = 120 // within which the most that the indexes had is what they have most of the time
)

// budgetLoop gives the indexes what the others leave of the memory limit.
func (db *DB) budgetLoop(ctx context.Context) {
	tick := time.NewTicker(budgetTick)
	defer tick.Stop()
	others := db.otherMemory()
	before := others
	var recent []int64
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := db.otherMemory()
		lasting := min(now, before) // what was there for a moment only moves no codes
		before = now
		others = max(lasting, others+(lasting-others)/budgetSmooth)
		total := indexMemory(db.opts.MemoryLimit, others)
		recent = append(recent[max(0, len(recent)-lastingTicks+1):], total)
		db.budget.Resize(total, slices.Max(recent))
	}
}

// indexMemory is what the indexes have of a limit when others take so much.
func indexMemory(limit, others int64) int64 {
	others = max(others, limit/othersShare, min(othersLeast, limit/2))
	return max(limit-others, limit/indexesShare)
}

// otherMemory is the anonymous memory of all but the indexes: what the Go runtime has, or will when its heap has grown to
// where it is collected, and the slots.
func (db *DB) otherMemory() int64 {
	sample := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(sample)
	goal, total, released := sample[0].Value.Uint64(), sample[1].Value.Uint64(), sample[2].Value.Uint64()
	n := max(int64(goal)+runtimeBytes, int64(total-released))
	for _, c := range db.allCollections() {
		n += c.slots.Bytes()
	}
	return n
}
