package vectorindex

import (
	"errors"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/isobath/isobath/mmapvec"
)

// Rows that no segment holds, at Open or after one turned out damaged, become ords of parts at once: that takes their slots
// only. Until Work has encoded them searches compare with the rows themselves. No graph and no file is made of such a part.

// encodeStep is the number of rows that one slice of work encodes; tests set it.
var encodeStep = 8192

// uncoded returns the ords below n that have no code yet, from to to-1.
func (p *part) uncoded(n int) (from, to int) {
	to = min(p.adopted, n)
	return min(int(p.encoded.Load()), to), to
}

// adopt gives an empty part slots without codes; nobody else has it yet.
func (p *part) adopt(slots []uint32) {
	from := p.len()
	for i, slot := range slots {
		p.put(from+i, slot)
	}
	p.publish(from + len(slots))
	if p.stride > 0 {
		p.adopted = p.len()
	}
}

// partsOf makes parts for at most capacity rows of the slots of set, without codes.
func (ix *Index) partsOf(set *roaring.Bitmap, capacity int) (parts []*part, err error) {
	slots := make([]uint32, 4096)
	for it := set.ManyIterator(); ; {
		n := it.NextMany(slots)
		if n == 0 {
			return parts, nil
		}
		for left := slots[:n]; len(left) > 0; {
			if len(parts) == 0 || parts[len(parts)-1].room() == 0 {
				p, err := newPart(capacity, ix.target.Load(), ix.o.Budget)
				if err != nil {
					for _, p := range parts {
						p.free()
					}
					return nil, err
				}
				parts = append(parts, p)
			}
			p := parts[len(parts)-1]
			k := min(p.room(), len(left))
			p.adopt(left[:k])
			left = left[k:]
		}
	}
}

// encodable returns a part with rows that have no code yet.
func encodable(s *sources) *part {
	for _, p := range s.parts {
		if from, to := p.uncoded(p.len()); from < to {
			return p
		}
	}
	return nil
}

// encodeSome encodes some more rows of a part. Where one cannot be read the part is made anew without it.
func (ix *Index) encodeSome(p *part) error {
	err := ix.encodeRows(p, encodeStep)
	if err == nil || errors.Is(err, ErrClosed) {
		return err
	}
	return ix.refill(p, ix.recodeRows)
}

// encodeRows encodes up to n rows more of a part.
func (ix *Index) encodeRows(p *part, n int) error {
	view := ix.o.Rows.View()
	if view == nil {
		return ErrClosed
	}
	defer view.Release()
	from, to := p.uncoded(p.len())
	to = min(to, from+n)
	reader := ix.newRowReader(to - from)
	for from < to {
		rows, err := reader.read(view, p.slots[from:min(to, from+reader.size)])
		if err != nil {
			return err
		}
		encode(p.codes[from*p.stride:], p.stride, rows, p.book.quantizer, ix.o.Parallelism)
		from += len(rows)
		p.encoded.Store(uint32(from))
	}
	return nil
}

// rowReader is memory for some rows.
type rowReader struct {
	size int
	flat []float32
	rows [][]float32
}

// batchRows is how many rows are read at once at most.
func (ix *Index) batchRows() int { return min(max((4<<20)/(4*ix.o.Dim), 16), 1024) }

// newRowReader returns memory for up to n rows, for batchRows at most.
func (ix *Index) newRowReader(n int) *rowReader {
	n = min(n, ix.batchRows())
	b := &rowReader{size: n, flat: make([]float32, n*ix.o.Dim), rows: make([][]float32, n)}
	for i := range b.rows {
		b.rows[i] = b.flat[i*ix.o.Dim:][:ix.o.Dim]
	}
	return b
}

// read copies the rows of slots.
func (b *rowReader) read(view *mmapvec.View, slots []uint32) ([][]float32, error) {
	_, err := view.Fetch(slots, func(i int, row []float32) error {
		copy(b.rows[i], row)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("vectorindex: encode: %w", err)
	}
	return b.rows[:len(slots)], nil
}
