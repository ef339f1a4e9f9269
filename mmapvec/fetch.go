package mmapvec

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/internal/prefetch"
)

const (
	// fetchRows bounds the rows, and fetchBytes the bytes, that are under way from the disk for one
	// Fetch: the device queue takes about as many, and more would only push out other pages.
	fetchRows  = 256
	fetchBytes = 4 << 20
)

// Reads counts rows by where they were.
type Reads struct {
	Mapped int64 // rows taken from the map, because they were in memory or taken for it
	Read   int64 // rows read from the file, because they were not
	Bytes  int64 // of the rows read, padding included
}

// Fetch calls fn with the row of slots[i] for every i, verified, from the calling goroutine. Rows that
// are in memory are taken from the map; the others are asked for at once before that, so that the
// disk works on all of them together, and read afterwards. So the order of the calls is free. A row
// is borrowed until fn returns; float32 values, whatever the datatype. The first error, of fn, of a read or of a damaged row, ends it. Fetch
// allocates nothing.
func (v *View) Fetch(slots []uint32, fn func(i int, row []float32) error) (r Reads, err error) {
	b := fetchBuffers.Get().(*fetchBuffer)
	defer fetchBuffers.Put(b)
	block := min(max(fetchBytes/v.s.layout.stride, 16), fetchRows)
	for from := 0; from < len(slots) && err == nil; from += block {
		f := fetch{v: v, b: b, from: from, slots: slots[from:min(from+block, len(slots))], fn: fn}
		err = f.run(&r)
	}
	v.s.counts.add(r)
	return r, err
}

// fetchBuffer is the scratch of a Fetch.
type fetchBuffer struct {
	cold   []int32   // indexes of rows that are not in memory, ascending
	row    []uint64  // one row, aligned
	floats []float32 // one row, converted
}

var fetchBuffers = sync.Pool{New: func() any { return new(fetchBuffer) }}

// fetch is one block of a Fetch.
type fetch struct {
	v     *View
	b     *fetchBuffer
	from  int // of slots in those of the caller
	slots []uint32
	fn    func(i int, row []float32) error
}

func (f *fetch) run(r *Reads) error {
	if err := f.announce(); err != nil {
		return err
	}
	if err := mmap.Guard(f.v.s.dir, func() error { return f.warm(r) }); err != nil {
		return err
	}
	return f.cold(r)
}

// announce finds the rows that are not in memory and asks the disk for them. It does not wait for it.
func (f *fetch) announce() error {
	f.b.cold = f.b.cold[:0]
	for i, slot := range f.slots {
		if c, _ := f.v.raw(slot); c == nil {
			return f.v.absent(slot)
		}
		f.approach(i, firstLines)
	}
	res := &f.v.s.residency
	if res.calm() && !f.sampleCold() {
		return nil
	}
	ask := asker{v: f.v}
	for i, slot := range f.slots {
		if _, row := f.v.raw(slot); !res.resident(row) {
			f.b.cold = append(f.b.cold, int32(i))
			ask.add(slot)
		}
	}
	ask.flush()
	return nil
}

// asker asks the disk for rows, for neighbours together.
type asker struct {
	v    *View
	near []byte
}

func (a *asker) add(slot uint32) {
	c, row := a.v.raw(slot)
	if n := len(a.near); n == 0 || n+len(row) > cap(a.near) || &a.near[:n+1][n] != &row[0] {
		a.flush()
		a.near = c.data[a.v.offset(slot):][:0]
	}
	a.near = a.near[:len(a.near)+len(row)]
}

func (a *asker) flush() { mmap.Prefetch(a.near) }

// Prefetch has the disk begin to read rows that a later Fetch will want, without waiting; rows that are in
// memory cost as much. It is for bulk reads, a few megabytes ahead.
func (v *View) Prefetch(slots []uint32) {
	ask := asker{v: v}
	for _, slot := range slots {
		if c, _ := v.raw(slot); c != nil {
			ask.add(slot)
		}
	}
	ask.flush()
}

// PrefetchCold has the disk begin to read those of some rows that are not in memory: for scans, which read through the map and would
// wait for one row after the other. Where all have been in memory for long it looks at one of them at most, and at none of most short lists.
func (v *View) PrefetchCold(slots []uint32) {
	res := &v.s.residency
	resident := func(slot uint32) bool {
		c, row := v.raw(slot)
		return c == nil || res.resident(row)
	}
	if res.calm() {
		if i := res.sample(res.every()); i >= len(slots) || resident(slots[i]) {
			return
		}
	}
	ask := asker{v: v}
	for _, slot := range slots {
		if !resident(slot) {
			ask.add(slot)
		}
	}
	ask.flush()
}

// sampleCold looks at some of the rows, where all have been in memory for long.
func (f *fetch) sampleCold() bool {
	res := &f.v.s.residency
	every := res.every()
	for i := res.sample(every); i < len(f.slots); i += every {
		if _, row := f.v.raw(f.slots[i]); !res.resident(row) {
			return true
		}
	}
	return false
}

// warm visits the rows that are not in cold, through the map.
func (f *fetch) warm(r *Reads) error {
	v, cold := f.v, f.b.cold
	f.approach(0, mostLines)
	for i, slot := range f.slots {
		f.approach(i+1, mostLines)
		if len(cold) > 0 && cold[0] == int32(i) {
			cold = cold[1:]
			continue
		}
		c, row := v.raw(slot)
		if err := v.verify(c, slot, row); err != nil {
			return err
		}
		r.Mapped++
		if err := f.fn(f.from+i, v.floats(row, &f.b.floats)); err != nil {
			return err
		}
	}
	return nil
}

const (
	firstLines = 2  // of all rows, before the first is read: their addresses are translated together
	mostLines  = 48 // of one row, while the one before is read; 3 KiB: of longer rows the processor finds the rest itself
)

// approach has the processor load the row of slots[i], so many lines of it at most.
func (f *fetch) approach(i, lines int) {
	if i >= len(f.slots) {
		return
	}
	if _, row := f.v.raw(f.slots[i]); len(row) > 0 {
		prefetch.Row(unsafe.Pointer(unsafe.SliceData(row)), min((len(row)+63)/64, lines))
	}
}

// cold reads the rows of cold, which the disk was asked for: a read waits, and the processor is free
// for others meanwhile; at a page fault it would not be.
func (f *fetch) cold(r *Reads) error {
	v, stride := f.v, f.v.s.layout.stride
	if n := stride / 8; cap(f.b.row) < n {
		f.b.row = make([]uint64, n)
	}
	buf := asBytes(f.b.row[:stride/8])
	for _, i := range f.b.cold {
		if err := v.readRow(f.slots[i], buf); err != nil {
			return err
		}
		r.Read++
		r.Bytes += int64(stride)
		if err := f.fn(f.from+int(i), v.floats(buf, &f.b.floats)); err != nil {
			return err
		}
	}
	return nil
}

// readRow reads the row of a slot from its file.
func (v *View) readRow(slot uint32, dst []byte) error {
	c, _ := v.raw(slot)
	off := rowsOffset + int64(v.offset(slot))
	if n, err := c.file.ReadAt(dst, off); n < len(dst) {
		return &binfmt.CorruptError{File: c.name, Offset: off, Err: err}
	}
	return v.verify(c, slot, dst)
}

// counts are the Reads of a store.
type counts struct{ mapped, read, bytes atomic.Int64 }

func (c *counts) add(r Reads) {
	c.mapped.Add(r.Mapped)
	if r.Read > 0 {
		c.read.Add(r.Read)
		c.bytes.Add(r.Bytes)
	}
}
