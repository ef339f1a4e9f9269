package vectorindex

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/isobath/isobath/hnsw"
	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/mmapvec/quant"
)

// part is the mutable piece of an index: slots and codes by ord in memory reserved for a full part, and the graph over
// its first ords. One writer appends; searches read ords below count and walk ords below walked without a lock.
type part struct {
	pinned
	capacity int
	book     *codebook
	stride   int      // bytes of a code, 0 without codes
	slots    []uint32 // by ord
	codes    []byte   // by ord
	bySlot   slotTable
	count    atomic.Uint32              // ords that are complete
	encoded  atomic.Uint32              // ords from here up to adopted have no code yet
	adopted  int                        // see uncoded
	walked   atomic.Uint32              // ords in the graph; the graph may hold some more that are under way
	graph    atomic.Pointer[hnsw.Graph] // nil until the first ord is inserted
	dead     atomic.Int64
	frozen   atomic.Bool // takes no more rows
	merged   atomic.Bool // is an input of the running merge

	saved *SegmentRef // snapshot of the part, see snapshot; changed under Index.workMu and Index.mu

	memory  []*mmap.Memory
	budget  *Budget
	charged atomic.Int64 // bytes taken from the budget
	passing int64        // what charged was when the part was retired
}

// newPart reserves a part; its memory is backed as it fills.
func newPart(capacity int, book *codebook, budget *Budget) (*part, error) {
	stride := book.stride
	p := &part{capacity: capacity, book: book, stride: stride, budget: budget}
	p.onFree = p.free
	slots, err := p.reserve(4 * capacity)
	if err != nil {
		return nil, err
	}
	p.slots = wordsOf(slots)
	if stride == 0 {
		return p, nil
	}
	if p.codes, err = p.reserve(stride * capacity); err == nil {
		var table []byte
		table, err = p.reserve(slotTableBytes(capacity))
		p.bySlot = newSlotTable(longsOf(table))
	}
	if err != nil {
		p.free()
		return nil, err
	}
	return p, nil
}

func (p *part) reserve(n int) ([]byte, error) {
	m, err := mmap.Alloc(n)
	if err != nil {
		return nil, fmt.Errorf("vectorindex: reserve a part of %d rows: %w", p.capacity, err)
	}
	p.memory = append(p.memory, m)
	return m.Bytes(), nil
}

// retire tells that the part is no current source any more: its memory goes with the last search. It is charged nothing
// from then on.
func (p *part) retire() {
	n := p.charged.Swap(0)
	p.budget.pass(n)
	p.passing = n
}

func (p *part) free() {
	p.budget.give(p.charged.Swap(0))
	p.budget.givePassed(p.passing)
	if g := p.graph.Swap(nil); g != nil {
		g.Free()
	}
	for _, m := range p.memory {
		m.Free()
	}
}

// partRowBytes is what a row takes beside its code: slot and entry of the slot table.
const partRowBytes = 4 + 2*8

// charge takes n bytes from the budget until the part is freed.
func (p *part) charge(n int64) {
	p.budget.take(n)
	p.charged.Add(n)
}

func (p *part) len() int { return int(p.count.Load()) }

// tailBytes is the memory of the rows that no graph holds.
func (p *part) tailBytes() int64 {
	return int64(p.len()-int(p.walked.Load())) * int64(p.stride+partRowBytes)
}

func (p *part) room() int { return p.capacity - p.len() }

// append adds rows; the caller is the one writer and there is room.
func (p *part) append(slots []uint32, rows [][]float32, parallelism int) {
	from := p.len()
	if z := p.book.quantizer; z != nil {
		encode(p.codes[from*p.stride:], p.stride, rows, z, parallelism)
	}
	for i, slot := range slots {
		p.put(from+i, slot)
	}
	p.publish(from + len(slots))
}

func (p *part) put(ord int, slot uint32) {
	p.slots[ord] = slot
	if p.stride > 0 {
		p.bySlot.put(slot, uint32(ord))
	}
}

// publish makes the ords below n readable.
func (p *part) publish(n int) {
	const hugeFrom = 4 << 20 // bytes of codes
	before := p.len() * p.stride
	p.charge(int64(n-p.len()) * int64(p.stride+partRowBytes))
	p.count.Store(uint32(n))
	if after := n * p.stride; before < hugeFrom && after >= hugeFrom {
		p.memory[1].HugePages(len(p.codes))
	}
}

// copyOrd adds ord of another source.
func (p *part) copyOrd(slot uint32, code []byte) {
	ord := p.len()
	copy(p.codes[ord*p.stride:][:p.stride], code)
	p.put(ord, slot)
	p.publish(ord + 1)
}

// encode writes the codes of rows to dst, in parallel where there are many.
func encode(dst []byte, stride int, rows [][]float32, z quant.Quantizer, parallelism int) {
	const chunk = 256
	if len(rows) < 2*chunk || parallelism < 2 {
		for i, row := range rows {
			z.Encode(dst[i*stride:][:stride], row)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(parallelism, (len(rows)+chunk-1)/chunk) {
		wg.Go(func() {
			for {
				to := int(next.Add(chunk))
				if to-chunk >= len(rows) {
					return
				}
				for i := to - chunk; i < min(to, len(rows)); i++ {
					z.Encode(dst[i*stride:][:stride], rows[i])
				}
			}
		})
	}
	wg.Wait()
}

// find returns the published ord of slot.
func (p *part) find(slot uint32) (ord uint32, ok bool) {
	n := p.count.Load()
	if p.stride > 0 {
		ord, ok = p.bySlot.get(slot)
		return ord, ok && ord < n
	}
	for ord, s := range p.slots[:n] { // without codes nothing is ever asked but by Kill, see flatDead
		if s == slot {
			return uint32(ord), true
		}
	}
	return 0, false
}

// named adds the slots of all ords to set.
func (p *part) named(set *roaring.Bitmap) { set.AddMany(p.slots[:p.len()]) }

// seal gives the part as input of a segment.
func (p *part) seal(n int) segmentInput {
	in := segmentInput{rows: n, slots: p.slots[:n], codes: p.codes[:n*p.stride], book: p.book}
	if g := p.graph.Load(); g != nil {
		in.graph, in.order = g, g.Order()
	}
	return in
}
