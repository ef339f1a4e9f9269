package vectorindex

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/isobath/isobath/hnsw"
	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/vfs"
)

// segmentInput is what becomes a segment.
type segmentInput struct {
	rows  int
	slots []uint32    // by old ord
	codes []byte      // by old ord
	book  *codebook   // of codes
	graph *hnsw.Graph // nil: none
	order []uint32    // new ord -> old ord; nil: by slot
	cells *cells      // runs of order; nil: none

	undividable bool // it should have cells, but rows cannot be read
}

// segmentFile is a segment file that is being written, under a temporary name and with its space reserved.
type segmentFile struct {
	fs   vfs.FS
	file vfs.File
	name string
	ref  SegmentRef
}

// createSegment reserves the space of a segment of about so many bytes.
func createSegment(fsys vfs.FS, dir string, id uint64, bytes int64) (*segmentFile, error) {
	sf := &segmentFile{fs: fsys, ref: SegmentRef{File: segmentName(id), ID: id}}
	sf.name = path.Join(dir, sf.ref.File)
	if err := vfs.MkdirDurably(fsys, dir); err != nil {
		return nil, sf.wrap(err)
	}
	if err := fsys.Remove(sf.temp()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, sf.wrap(err)
	}
	var err error
	if sf.file, err = fsys.Create(sf.temp()); err != nil {
		return nil, sf.wrap(err)
	}
	if err := sf.file.Allocate(0, bytes); err != nil {
		sf.drop()
		return nil, sf.wrap(err)
	}
	return sf, nil
}

func (sf *segmentFile) temp() string { return sf.name + vfs.TempSuffix }

func (sf *segmentFile) wrap(err error) error {
	return fmt.Errorf("vectorindex: write segment %s: %w", sf.ref.File, err)
}

// drop removes what was written. What cannot be removed now is removed by the next Open.
func (sf *segmentFile) drop() {
	_ = sf.file.Close()
	_ = sf.fs.Remove(sf.temp())
}

// write writes, syncs and names the file; after an error it is gone.
func (sf *segmentFile) write(c *Config, in segmentInput) (SegmentRef, error) {
	head := &segmentHead{
		id: sf.ref.ID, dim: uint32(c.Dim), metric: uint8(c.Metric), codes: in.book.kind, seed: c.Seed, rows: uint32(in.rows),
		stride: uint32(in.book.stride), quantile: in.book.quantile,
	}
	if in.graph != nil {
		p := in.graph.Params()
		head.m, head.efConstruct = uint32(p.M), uint32(p.EfConstruction)
	}
	err := errors.Join(writeSections(sf.file, head, in), sf.file.Close())
	if err == nil {
		err = vfs.RenameDurably(sf.fs, sf.temp(), sf.name)
	}
	if err != nil {
		sf.drop()
		_ = sf.fs.Remove(sf.name) // renamed, but perhaps not for good
		return SegmentRef{}, sf.wrap(err)
	}
	sf.ref.Rows, sf.ref.Bytes = in.rows, head.fileBytes
	return sf.ref, nil
}

func writeSections(f vfs.File, head *segmentHead, in segmentInput) error {
	bw := &blockWriter{file: f, id: head.id}
	w := bufio.NewWriterSize(bw, 1<<20)
	order := in.order
	if order == nil {
		order = orderBySlot(in.slots[:in.rows])
	}
	slots := make([]uint32, in.rows)
	for i, old := range order {
		slots[i] = in.slots[old]
	}
	set := roaring.BitmapOf(slots...)
	set.RunOptimize()
	if int(set.GetCardinality()) != in.rows || len(order) != in.rows {
		return fmt.Errorf("%d ords and %d slots for %d rows", len(order), set.GetCardinality(), in.rows)
	}
	bitmap, err := set.ToBytes()
	if err != nil {
		return err
	}
	aux, bySlot := encodeBySlot(slots, set)
	var at int64 = headPage
	add := func(kind sectionKind, aux uint32, write func() error) {
		if err != nil {
			return
		}
		if err = write(); err == nil {
			err = w.Flush()
		}
		head.sections = append(head.sections, section{kind: kind, aux: aux, off: at, len: headPage + bw.written - at})
		if pad := -bw.written & (sectionAlign - 1); pad > 0 && err == nil {
			_, err = bw.Write(make([]byte, pad))
		}
		at = headPage + bw.written
	}
	bytes := func(b []byte) func() error { return func() error { _, err := w.Write(b); return err } }
	add(sectionSlots, 0, bytes(bytesOf(slots)))
	add(sectionBitmap, 0, bytes(bitmap))
	add(sectionBySlot, aux, bytes(bytesOf(bySlot)))
	if len(in.book.centre) > 0 {
		add(sectionCentre, 0, bytes(bytesOf(in.book.centre)))
	}
	if in.cells != nil {
		add(sectionCells, uint32(in.cells.len()), func() error { return in.cells.write(w) })
	}
	if stride := in.book.stride; stride > 0 {
		add(sectionCodes, 0, func() error {
			for _, old := range order {
				if _, err := w.Write(in.codes[int(old)*stride:][:stride]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if in.graph != nil {
		add(sectionGraph, 0, func() error { return hnsw.Encode(w, in.graph, order) })
	}
	if err != nil {
		return err
	}
	return bw.finish(head, at)
}

func orderBySlot(slots []uint32) []uint32 {
	order := make([]uint32, len(slots))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return cmp.Compare(slots[a], slots[b]) })
	return order
}

// encodeBySlot returns the content of sectionBySlot: an array over the range of slots where they lie close together.
func encodeBySlot(slots []uint32, set *roaring.Bitmap) (aux uint32, words []uint32) {
	first := set.Minimum()
	if span := int64(set.Maximum()) - int64(first) + 1; span <= 4*int64(len(slots))+1024 {
		words = make([]uint32, 2+span)
		words[0], words[1] = first, uint32(span)
		for ord, slot := range slots {
			words[2+slot-first] = uint32(ord) + 1
		}
		return bySlotDense, words
	}
	order := orderBySlot(slots)
	words = make([]uint32, 2*len(slots))
	for i, ord := range order {
		words[i], words[len(slots)+i] = slots[ord], ord
	}
	return bySlotSorted, words
}

// blockWriter writes from headPage on and keeps the checksum of every block.
type blockWriter struct {
	file    vfs.File
	id      uint64
	written int64
	block   []byte
	sums    []uint32
}

func (bw *blockWriter) Write(b []byte) (int, error) {
	if _, err := bw.file.WriteAt(b, headPage+bw.written); err != nil {
		return 0, err
	}
	bw.written += int64(len(b))
	for rest := b; len(rest) > 0; {
		n := min(len(rest), blockBytes-len(bw.block))
		bw.block = append(bw.block, rest[:n]...)
		rest = rest[n:]
		if len(bw.block) == blockBytes {
			bw.sum()
		}
	}
	return len(b), nil
}

func (bw *blockWriter) sum() {
	bw.sums = append(bw.sums, blockSum(bw.id, len(bw.sums), bw.block))
	bw.block = bw.block[:0]
}

// finish writes the checksums at off, the end so far, then the first page, and syncs.
func (bw *blockWriter) finish(head *segmentHead, off int64) error {
	if len(bw.block) > 0 {
		bw.sum()
	}
	b := bytesOf(bw.sums)
	if _, err := bw.file.WriteAt(b, off); err != nil {
		return err
	}
	head.sections = append(head.sections,
		section{kind: sectionSums, off: off, len: int64(len(b)), crc: binfmt.Checksum(b)})
	head.fileBytes = off + int64(len(b))
	if _, err := bw.file.WriteAt(encodeHead(head), 0); err != nil {
		return err
	}
	if err := bw.file.Truncate(head.fileBytes); err != nil {
		return err
	}
	return bw.file.Sync()
}
