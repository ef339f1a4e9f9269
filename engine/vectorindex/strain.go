package vectorindex

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// strain is what rows that no graph holds cost searches, from which follows how fast more of them may come.
type strain struct {
	scans, nanos atomic.Int64 // of tails, by searches
	inserted     atomic.Int64 // rows of tails that graphs took

	mu     sync.Mutex // guards the fields below
	begun  time.Time  // of the window
	before tailWork   // counts at its begin
	speed  float64    // rows a second that graphs took of late
	level  float64    // 1: what searches may be asked to bear
}

// tailWork is a reading of the counters of strain.
type tailWork struct{ scans, nanos, inserted int64 }

const (
	strainedRows   = 4096                   // shorter tails are not looked at
	strainWindow   = 200 * time.Millisecond // shortest
	strainShare    = 0.05                   // of the time of one processor that searches may spend in tails
	strainScan     = 20 * time.Millisecond  // longest scan of a tail that one search is asked to bear
	strainMemory   = 0.7                    // of the level of the window before
	slowestWriters = 0.25                   // of the speed of graphs, however high the level is
)

// scanned notes that a search scanned a tail of so many rows.
func (st *strain) scanned(rows int, begun time.Time) {
	if rows >= strainedRows {
		st.scans.Add(1)
		st.nanos.Add(int64(time.Since(begun)))
	}
}

// writeRate returns the rows a second at which writers should go on, +Inf where searches bear the tail easily.
func (st *strain) writeRate(now time.Time) float64 {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.begun.IsZero() {
		st.begun = now
		return math.Inf(1)
	}
	if elapsed := now.Sub(st.begun); elapsed >= strainWindow {
		st.read(elapsed.Seconds())
		st.begun = now
	}
	if st.level < 1 || st.speed == 0 {
		return math.Inf(1)
	}
	return st.speed * max(1/st.level, slowestWriters)
}

// read ends a window of so many seconds.
func (st *strain) read(seconds float64) {
	count := tailWork{st.scans.Load(), st.nanos.Load(), st.inserted.Load()}
	scans := float64(count.scans - st.before.scans)
	busy := float64(count.nanos-st.before.nanos) / 1e9
	level := 0.0
	if scans > 0 {
		level = max(busy/seconds/strainShare, busy/scans/strainScan.Seconds())
	}
	st.level = max(level, strainMemory*st.level)
	if n := count.inserted - st.before.inserted; n > 0 {
		speed := float64(n) / seconds
		if st.speed > 0 {
			speed = (speed + 3*st.speed) / 4
		}
		st.speed = speed
	}
	st.before = count
}

// WriteRate returns the rows a second that graphs can take, less where searches suffer from what they have not taken yet,
// and +Inf where they do not: writers that wait for their rows accordingly keep searches quick while they load. It is
// asked now and then.
func (ix *Index) WriteRate() float64 {
	rate := ix.strain.writeRate(time.Now())
	if tail, _ := ix.TailBytes(); tail == 0 { // or no graph is wanted: all scans are what they should be
		return math.Inf(1)
	}
	return rate
}
