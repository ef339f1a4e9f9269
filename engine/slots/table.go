package slots

import (
	"encoding/binary"
	"runtime"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/invariant"
	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/internal/prefetch"
	"github.com/isobath/isobath/payload"
)

// NoSlot is what Allocate returns when all slots are taken.
const NoSlot = ^uint32(0)

// Row is what is known of a slot. Death 0 means alive; Birth is above 0.
type Row struct {
	ID           payload.PointID
	Version      uint64 // operation number
	Birth, Death uint64
}

// Table maps slots to rows. The package comment says who may call what.
type Table struct {
	pages  atomic.Pointer[[]atomic.Pointer[page]]
	high   atomic.Uint32
	taken  atomic.Int64 // below high and not free
	born   atomic.Uint64
	damage atomic.Pointer[binfmt.CorruptError]
	arena  arena

	// The rest belongs to the writer.
	free    *roaring.Bitmap
	dirty   []uint32    // indexes of pages in owned memory that no running save holds
	where   []*location // of each page as last saved, nil if it never was
	files   []*pageFile // of the last save
	saved   Saved       // result of the last save
	changed bool        // free list or high-water mark, since the last save
	running *Save
}

// New returns an empty table.
func New() *Table {
	t := &Table{free: roaring.New()}
	t.pages.Store(&[]atomic.Pointer[page]{})
	return t
}

// Close gives memory and mappings back. Nobody may use the table any more.
func (t *Table) Close() error {
	t.arena.close()
	var err error
	for _, f := range t.files {
		if e := f.region.Close(); err == nil {
			err = e
		}
	}
	t.files, t.where, t.dirty, t.running = nil, nil, nil, nil
	t.pages.Store(&[]atomic.Pointer[page]{})
	return err
}

// Damage tells of the first bad page that was met. Its rows are not shown.
func (t *Table) Damage() *binfmt.CorruptError { return t.damage.Load() }

// page returns the page of a slot if there is a good one. The caller keeps it alive while it reads.
func (t *Table) page(slot uint32) *page {
	pages := *t.pages.Load()
	i := int(slot >> pageShift)
	if i >= len(pages) {
		return nil
	}
	p := pages[i].Load()
	if p != nil && !p.ready.Load() {
		return t.verified(p)
	}
	return p
}

func (t *Table) verified(p *page) *page {
	if err := p.verify(); err != nil {
		t.damage.CompareAndSwap(nil, err)
		return nil
	}
	return p
}

// Visible tells whether the slot's row was born by seq and had not died by then.
func (t *Table) Visible(slot uint32, seq uint64) bool {
	p := t.page(slot)
	if p == nil {
		return false
	}
	row := slot & pageMask
	// Death first: Set stores birth before death, so a row that is being replaced shows its old
	// death or its new birth, and neither is visible.
	death := p.data.load(wordDeath, row)
	birth := p.data.load(wordBirth, row)
	runtime.KeepAlive(p)
	return birth != 0 && birth <= seq && (death == 0 || seq < death)
}

// LastBirth returns the sequence number of the newest birth that Set was told of, 0 if there was none since the table was loaded.
func (t *Table) LastBirth() uint64 { return t.born.Load() }

// Approach has the processor load what Visible reads of a slot. It may be any slot.
func (t *Table) Approach(slot uint32) { t.approach(slot, []uint32{wordDeath, wordBirth}) }

// ApproachRow is Approach for what Get reads, which lies on five pages of memory.
func (t *Table) ApproachRow(slot uint32) {
	t.approach(slot, []uint32{wordDeath, wordBirth, wordVersion, wordLow, wordHigh})
}

func (t *Table) approach(slot uint32, words []uint32) {
	pages := *t.pages.Load()
	if i := int(slot >> pageShift); i < len(pages) {
		if p := pages[i].Load(); p != nil {
			for _, word := range words {
				prefetch.Row(unsafe.Pointer(&p.data[word+slot&pageMask]), 1)
			}
			runtime.KeepAlive(p)
		}
	}
}

// Get returns the row of a slot, dead or alive. It is false for a slot that never had one.
func (t *Table) Get(slot uint32) (Row, bool) {
	p := t.page(slot)
	if p == nil {
		return Row{}, false
	}
	row := slot & pageMask
	r := Row{
		Death:   p.data.load(wordDeath, row),
		Birth:   p.data.load(wordBirth, row),
		Version: p.data.load(wordVersion, row),
	}
	low := p.data.load(wordLow, row)
	if p.data.isUUID(row) {
		var u [16]byte
		binary.BigEndian.PutUint64(u[:8], p.data.load(wordHigh, row))
		binary.BigEndian.PutUint64(u[8:], low)
		r.ID = payload.UUIDID(u)
	} else {
		r.ID = payload.NumID(low)
	}
	runtime.KeepAlive(p)
	return r, r.Birth != 0
}

// Set replaces the row of a slot.
func (t *Table) Set(slot uint32, r Row) {
	if invariant.Enabled {
		invariant.Assertf(r.Birth > 0 && (r.Death == 0 || r.Death >= r.Birth), "slot %d: birth %d, death %d", slot, r.Birth, r.Death)
	}
	if r.Birth > t.born.Load() {
		t.born.Store(r.Birth)
	}
	d, row := t.writable(slot), slot&pageMask
	d.store(wordBirth, row, r.Birth) // before death, see Visible
	var high, low uint64
	if r.ID.IsUUID() {
		u := r.ID.UUID()
		high, low = binary.BigEndian.Uint64(u[:8]), binary.BigEndian.Uint64(u[8:])
	} else {
		low = r.ID.Num()
	}
	d.setUUID(row, r.ID.IsUUID())
	d.store(wordHigh, row, high)
	d.store(wordLow, row, low)
	d.store(wordVersion, row, r.Version)
	d.store(wordDeath, row, r.Death)
}

// SetVersion changes the version of a slot's row.
func (t *Table) SetVersion(slot uint32, version uint64) {
	t.writable(slot).store(wordVersion, slot&pageMask, version)
}

// Kill makes the slot's row invisible from seq on.
func (t *Table) Kill(slot uint32, seq uint64) {
	t.writable(slot).store(wordDeath, slot&pageMask, seq)
}

// Allocate takes the lowest free slot, or else a new one; NoSlot if there is none left. The same
// calls in the same order return the same slots, across Saved and Load too.
func (t *Table) Allocate() uint32 {
	t.changed = true
	if !t.free.IsEmpty() {
		slot := t.free.Minimum()
		t.free.Remove(slot)
		t.taken.Add(1)
		return slot
	}
	high := t.high.Load()
	if high == NoSlot {
		t.changed = false
		return NoSlot
	}
	t.high.Store(high + 1)
	t.taken.Add(1)
	return high
}

// Free makes slots available to later calls of Allocate. All of them must be taken.
func (t *Table) Free(set *roaring.Bitmap) {
	if set.IsEmpty() {
		return
	}
	if invariant.Enabled {
		invariant.Assertf(set.Maximum() < t.High() && !t.free.Intersects(set), "slots freed that are not taken")
	}
	t.changed = true
	t.free.Or(set)
	t.free.RunOptimize()
	t.taken.Store(int64(t.High()) - int64(t.free.GetCardinality()))
}

// High returns the high-water mark: every slot ever taken is below.
func (t *Table) High() uint32 { return t.high.Load() }

// Taken returns how many slots below High are not free.
func (t *Table) Taken() int64 { return t.taken.Load() }

// Bytes is the anonymous memory reserved for pages.
func (t *Table) Bytes() int64 { return t.arena.bytes() }

// FreeSet returns a copy of the set of free slots below High. For the writer.
func (t *Table) FreeSet() *roaring.Bitmap { return t.free.Clone() }

// writable returns a page that may be changed.
func (t *Table) writable(slot uint32) *pageData {
	index := slot >> pageShift
	t.grow(int(index) + 1)
	entry := &(*t.pages.Load())[index]
	old := entry.Load()
	if old != nil && old.memory != nil && !old.frozen {
		return old.data
	}
	p := ownedPage(t.arena.get())
	t.copyPage(p, old)
	t.dirty = append(t.dirty, index)
	t.replace(entry, old, p)
	return p.data
}

// copyPage fills a new page. What cannot be read becomes empty: damage is then on record, and nothing
// of it will be saved.
func (t *Table) copyPage(p, old *page) {
	if old == nil || !old.ready.Load() && t.verified(old) == nil {
		clear(p.data[:])
		return
	}
	if old.memory != nil {
		*p.data = *old.data
		return
	}
	err := mmap.Guard(old.from.file.name, func() error {
		*p.data = *old.data
		return nil
	})
	if err != nil {
		clear(p.data[:])
		t.damage.CompareAndSwap(nil, &binfmt.CorruptError{File: old.from.file.name, Offset: pageOffset(old.from.n), Err: err})
	}
}

// replace publishes a page and gives the old one's memory back when no reader or save holds it.
func (t *Table) replace(entry *atomic.Pointer[page], old, new *page) {
	entry.Store(new)
	if old != nil && old.memory != nil {
		runtime.AddCleanup(old, t.arena.put, old.memory)
	}
}

// grow makes room for n pages.
func (t *Table) grow(n int) {
	pages := *t.pages.Load()
	if n <= len(pages) {
		return
	}
	grown := make([]atomic.Pointer[page], max(n, min(2*len(pages), maxPages)))
	for i := range pages {
		grown[i].Store(pages[i].Load())
	}
	t.pages.Store(&grown)
	t.where = append(slices.Clip(t.where), make([]*location, len(grown)-len(t.where))...)
}
