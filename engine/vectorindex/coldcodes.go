package vectorindex

import (
	"sync/atomic"
	"time"

	"github.com/isobath/isobath/internal/mmap"
)

// coldness is whether the mapped codes of a segment are likely to come from the disk. A walk over such codes would wait for
// one page after the other; while they are cold, all codes of a hop are asked for at once before they are scored, which costs
// a system call for each. Whether they are is learnt from how long scoring takes.
type coldness struct {
	warm atomic.Int32 // batches in a row that did not wait
}

const (
	coldWait  = 50 * time.Microsecond // a batch that takes longer has waited for the disk
	warmAfter = 256                   // batches
)

func (c *coldness) cold() bool { return c.warm.Load() < warmAfter }

// note notes how long a batch took.
func (c *coldness) note(took time.Duration) {
	if !c.noteWait(took) && c.cold() {
		c.warm.Add(1)
	}
}

// noteWait notes only that a batch has waited, and tells so.
func (c *coldness) noteWait(took time.Duration) bool {
	if took < coldWait {
		return false
	}
	c.warm.Store(0)
	return true
}

// askable tells whether the codes may be on the disk.
func (c *coded) askable() bool { return c.mapped != nil && c.mapped.cold() }

// ask has the disk begin to read the codes of ords, if they may be on it, and tells whether they may.
func (c *coded) ask(ords []uint32) bool {
	if !c.askable() {
		return false
	}
	stride := c.book.stride
	for _, ord := range ords {
		at := int(ord) * stride
		mmap.Prefetch(c.codes[at : at+stride])
	}
	return true
}

const scanAhead = 8 * scanBatch // codes that the disk is asked for ahead of a scan

// askAhead is ask for a scan that began at begin, ends at to and has come to from: at its begin for scanAhead codes and one
// batch more, then for a batch at a time.
func (c *coded) askAhead(begin, from, to int) {
	if !c.askable() {
		return
	}
	first, last := from+scanAhead, min(from+scanAhead+scanBatch, to)
	if from == begin {
		first = from
	}
	if first < last {
		mmap.Prefetch(c.codes[first*c.book.stride : last*c.book.stride])
	}
}
