package mmapvec

import (
	"sync"
	"sync/atomic"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/mmap"
)

const (
	// readers bounds the pread calls that one Fetch has under way; each may hold an OS thread.
	readers = 16
	// allReaders bounds those of the process.
	allReaders = 64
	// fetchBytes bounds the buffer for rows read from files.
	fetchBytes = 4 << 20
)

var readerSlots = make(chan struct{}, allReaders)

// Fetch calls fn with the row of slots[i] for every i, verified, from the calling goroutine. Rows that
// are in memory are taken from the map, the others are read in parallel meanwhile, so the order of
// the calls is free. A row is borrowed until fn returns. The first error, of fn, of a read or of a
// damaged row, ends it.
func (v *View) Fetch(slots []uint32, fn func(i int, row []float32) error) error {
	block := min(max(fetchBytes/v.s.layout.stride, readers), 1024)
	for from := 0; from < len(slots); from += block {
		part := slots[from:min(from+block, len(slots))]
		err := v.fetchBlock(part, func(i int, row []float32) error { return fn(from+i, row) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (v *View) fetchBlock(slots []uint32, fn func(i int, row []float32) error) error {
	b := blocks.Get().(*blockBuffers)
	defer b.put()
	b.cold = b.cold[:0]
	for i, slot := range slots {
		c, row := v.raw(slot)
		if c == nil {
			return v.absent(slot)
		}
		if !v.s.residency.resident(c, row) {
			b.cold = append(b.cold, int32(i))
		}
	}
	var pending *coldRead
	if len(b.cold) > 0 {
		pending = v.startCold(slots, b)
	}
	err := v.eachWarm(slots, b.cold, fn)
	if pending == nil {
		return err
	}
	pending.stop.Store(err != nil)
	pending.wait.Wait()
	if err != nil {
		return err
	}
	return v.eachCold(slots, b, fn)
}

// eachWarm visits the rows that are not in cold, which is ascending, through the map.
func (v *View) eachWarm(slots []uint32, cold []int32, fn func(i int, row []float32) error) error {
	v.s.counts.mapped.Add(uint64(len(slots) - len(cold)))
	return mmap.Guard(v.s.dir, func() error {
		for i, slot := range slots {
			if len(cold) > 0 && cold[0] == int32(i) {
				cold = cold[1:]
				continue
			}
			c, row := v.raw(slot)
			if err := v.verify(c, slot, row); err != nil {
				return err
			}
			if err := fn(i, v.floats(row)); err != nil {
				return err
			}
		}
		return nil
	})
}

// blockBuffers is the scratch of one block.
type blockBuffers struct {
	cold []int32  // indexes of rows that are not in memory
	errs []error  // of their reads
	rows []uint64 // their bytes, aligned
}

var blocks = sync.Pool{New: func() any { return new(blockBuffers) }}

func (b *blockBuffers) put() {
	clear(b.errs)
	blocks.Put(b)
}

// coldRead is the reading of a block's cold rows by a few goroutines.
type coldRead struct {
	wait sync.WaitGroup
	next atomic.Int64
	stop atomic.Bool
}

func (v *View) startCold(slots []uint32, b *blockBuffers) *coldRead {
	n, stride := len(b.cold), v.s.layout.stride
	v.s.counts.read.Add(uint64(n))
	if cap(b.rows) < n*stride/8 {
		b.rows = make([]uint64, n*stride/8)
	}
	if cap(b.errs) < n {
		b.errs = make([]error, n)
	}
	b.errs = b.errs[:n]
	buf := asBytes(b.rows[:n*stride/8])
	r := &coldRead{}
	for range min(n, readers) {
		r.wait.Go(func() {
			readerSlots <- struct{}{}
			defer func() { <-readerSlots }()
			for k := r.next.Add(1) - 1; k < int64(n) && !r.stop.Load(); k = r.next.Add(1) - 1 {
				b.errs[k] = v.readRow(slots[b.cold[k]], buf[int(k)*stride:int(k+1)*stride])
			}
		})
	}
	return r
}

// readRow reads the row of a slot from its file.
func (v *View) readRow(slot uint32, dst []byte) error {
	c, _ := v.raw(slot)
	_, i := v.s.layout.chunkOf(slot)
	off := rowsOffset + int64(i)*int64(v.s.layout.stride)
	if n, err := c.file.ReadAt(dst, off); n < len(dst) {
		return &binfmt.CorruptError{File: c.name, Offset: off, Err: err}
	}
	return v.verify(c, slot, dst)
}

func (v *View) eachCold(slots []uint32, b *blockBuffers, fn func(i int, row []float32) error) error {
	stride := v.s.layout.stride
	buf := asBytes(b.rows)
	for k, i := range b.cold {
		if b.errs[k] != nil {
			return b.errs[k]
		}
		if err := fn(int(i), v.floats(buf[k*stride:(k+1)*stride])); err != nil {
			return err
		}
	}
	return nil
}
