package mmapvec

import (
	"sync/atomic"
	"unsafe"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/invariant"
	"github.com/isobath/isobath/internal/mmap"
)

// View is a pinned state of a Store: it sees all rows written before it was made. Rows it hands out
// are borrowed until Release. It is safe for concurrent use; Release comes once, after everything.
type View struct {
	s        *Store
	chunks   []*chunk
	released atomic.Bool
}

// View pins the store. It returns nil after Close.
func (s *Store) View() *View {
	if !s.pin() {
		return nil
	}
	return &View{s: s, chunks: *s.chunks.Load()}
}

// Release ends the view. Twice is fine.
func (v *View) Release() {
	if !v.released.Swap(true) {
		v.s.unpin()
	}
}

// raw returns the bytes of a slot's row, nil when no chunk holds it.
func (v *View) raw(slot uint32) (c *chunk, row []byte) {
	number, i := v.s.layout.chunkOf(slot)
	if number >= len(v.chunks) || v.chunks[number] == nil {
		return nil, nil
	}
	c = v.chunks[number]
	stride := v.s.layout.stride
	return c, c.data[i*stride : (i+1)*stride : (i+1)*stride]
}

// offset returns where the row of a slot begins in its chunk's data.
func (v *View) offset(slot uint32) int {
	_, i := v.s.layout.chunkOf(slot)
	return i * v.s.layout.stride
}

// floats returns a row's values, in scratch where they must be converted.
func (v *View) floats(row []byte, scratch *[]float32) []float32 {
	l := v.s.layout
	if l.typ == Float32 {
		return asFloats(row, l.dim)
	}
	if cap(*scratch) < l.dim {
		*scratch = make([]float32, l.dim)
	}
	out := (*scratch)[:l.dim]
	l.typ.Decode(out, row)
	return out
}

// asFloats looks at little-endian bytes as floats. Rows are 64-byte aligned; every platform that
// Isobath builds for is little-endian.
func asFloats(b []byte, dim int) []float32 {
	p := unsafe.Pointer(unsafe.SliceData(b))
	invariant.Assertf(uintptr(p)%4 == 0, "mmapvec: row is not aligned")
	return unsafe.Slice((*float32)(p), dim)
}

// floatBytes is the inverse of asFloats.
func floatBytes(row []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(row))), 4*len(row))
}

// Row returns the row of a slot, verified. It returns a *binfmt.CorruptError when the row is damaged,
// torn or was never written, and a *mmap.FaultError when the disk does not deliver it. Fetch reads many
// rows in a fraction of the time where they are not in memory. Rows of another datatype than Float32 are converted into
// memory of their own.
func (v *View) Row(slot uint32) ([]float32, error) {
	c, row := v.raw(slot)
	if c == nil {
		return nil, v.absent(slot)
	}
	if res := &v.s.residency; !res.calm() && !res.resident(row) {
		mmap.Prefetch(row)
		row = asBytes(make([]uint64, len(row)/8))
		v.s.counts.add(Reads{Read: 1, Bytes: int64(len(row))})
		if err := v.readRow(slot, row); err != nil {
			return nil, err
		}
		return v.floats(row, new([]float32)), nil
	}
	v.s.counts.add(Reads{Mapped: 1})
	var floats []float32
	err := mmap.Guard(c.name, func() error {
		if err := v.verify(c, slot, row); err != nil {
			return err
		}
		var own []float32
		floats = v.floats(row, &own)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return floats, nil
}

// Peek returns the values of a slot's row as they are stored and mapped, for Query.Stored: unverified, all zeros where no
// chunk holds it. The caller reads it inside mmap.Guard and verifies, with Row or Fetch, what it returns to anyone.
func (v *View) Peek(slot uint32) []byte {
	c, row := v.raw(slot)
	if c == nil {
		return asBytes(make([]uint64, v.s.layout.stride/8))[:v.s.layout.valueBytes()]
	}
	return row[:v.s.layout.valueBytes()]
}

// Span is a run of slots whose rows lie one after the other: the row of First+i begins at
// Base[i*Stride]. They are not verified: the caller reads them inside mmap.Guard and verifies, with
// Row or Fetch, what it returns to anyone.
type Span struct {
	First  uint32
	Count  int
	Stride int
	Base   []byte
}

// Span returns the longest run that begins at slot, for kernels that take a base and a stride;
// Count is 0 when no chunk holds the slot.
func (v *View) Span(slot uint32) Span {
	number, i := v.s.layout.chunkOf(slot)
	if number >= len(v.chunks) || v.chunks[number] == nil {
		return Span{First: slot, Stride: v.s.layout.stride}
	}
	c := v.chunks[number]
	return Span{First: slot, Count: c.rows - i, Stride: v.s.layout.stride, Base: c.data[i*v.s.layout.stride:]}
}

func (v *View) verify(c *chunk, slot uint32, row []byte) error {
	if v.s.layout.intact(row, slot) {
		return nil
	}
	return c.corrupt(v.s.layout, slot)
}

func (c *chunk) corrupt(l layout, slot uint32) error {
	_, i := l.chunkOf(slot)
	return binfmt.Corrupt(c.name, rowsOffset+int64(i)*int64(l.stride), "mmapvec: checksum of slot %d does not match", slot)
}

func (v *View) absent(slot uint32) error {
	number, _ := v.s.layout.chunkOf(slot)
	return binfmt.Corrupt(chunkName(v.s.dir, number), 0, "mmapvec: no chunk holds slot %d", slot)
}
