package vectorindex

import (
	"encoding/binary"
	"path"
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/hnsw"
	"github.com/isobath/isobath/internal/binfmt"
)

// sealed returns a world with one segment and its bytes.
func sealed(t testing.TB) (*world, []byte) {
	w := newWorld(t, nil)
	w.add(1000)
	w.work()
	w.saved = w.ix.Saved()
	require.Len(w.t, w.saved.Segments, 1)
	b, err := readAll(w, w.saved.Segments[0].File)
	require.NoError(w.t, err)
	return w, b
}

func readAll(w *world, base string) ([]byte, error) {
	f, err := w.o.FS.OpenRead(path.Join(w.o.Dir, base))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	_, err = f.ReadAt(b, 0)
	return b, err
}

// damage changes one byte of a segment file.
func (w *world) damage(base string, off int64) {
	w.t.Helper()
	w.flip(path.Join(w.o.Dir, base), off)
}

func (w *world) flip(name string, off int64) {
	w.t.Helper()
	f, err := w.o.FS.Open(name)
	require.NoError(w.t, err)
	defer f.Close()
	b := make([]byte, 1)
	_, err = f.ReadAt(b, off)
	require.NoError(w.t, err)
	b[0] ^= 0x55
	_, err = f.WriteAt(b, off)
	require.NoError(w.t, err)
}

func TestDamagedSegmentsAreRebuilt(t *testing.T) {
	for name, kind := range map[string]sectionKind{
		"head": 0, "slots": sectionSlots, "bitmap": sectionBitmap, "by slot": sectionBySlot,
		"codes": sectionCodes, "graph": sectionGraph, "checksums": sectionSums,
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := sealed(t)
			ref := w.saved.Segments[0]
			s := w.ix.current.segments[0].head.section(kind)
			require.NoError(t, Check(w.o.FS, w.o.Dir, w.saved))
			require.NoError(t, w.ix.Close())
			w.damage(ref.File, s.off+s.len/2+200*int64(b2i(kind == 0)))
			require.Error(t, Check(w.o.FS, w.o.Dir, w.saved))

			w.open()
			w.wantRecall("before the rebuild", 0.9, Request{})
			w.kill(10)
			w.work()
			require.NotEmpty(t, w.ix.Problems())
			var corrupt *binfmt.CorruptError
			require.ErrorAs(t, w.ix.Problems()[0], &corrupt)
			w.rest()
			require.Len(t, w.saved.Segments, 1)
			require.NotEqual(t, ref.File, w.saved.Segments[0].File)
			require.NoError(t, Check(w.o.FS, w.o.Dir, w.saved))
			w.wantComplete()
			w.wantRecall("after the rebuild", 0.95, Request{})
			require.Empty(t, w.reopen())
		})
	}
}

func TestAMissingSegmentIsRebuilt(t *testing.T) {
	w, _ := sealed(t)
	require.NoError(t, w.ix.Close())
	require.NoError(t, w.o.FS.Remove(path.Join(w.o.Dir, w.saved.Segments[0].File)))
	require.Len(t, w.open(), 1)
	w.wantComplete()
	w.wantRecall("scanned meanwhile", 0.99, Request{})
}

func TestASegmentOfOtherCodesIsRebuilt(t *testing.T) {
	w, _ := sealed(t)
	w.o.Seed++
	require.Len(t, w.reopen(), 1)
	w.wantComplete()
}

func TestFilesThatNobodyNamesAreRemoved(t *testing.T) {
	w, b := sealed(t)
	for _, name := range []string{"0000000000aa.vseg", "0000000000ab.vseg.tmp", "notes.txt"} {
		f, err := w.o.FS.Create(path.Join(w.o.Dir, name))
		require.NoError(t, err)
		_, err = f.WriteAt(b[:100], 0)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	w.reopen()
	require.Equal(t, []string{w.saved.Segments[0].File, "notes.txt"}, list(t, w))
}

func TestInRAMAnswersAlike(t *testing.T) {
	w, _ := sealed(t)
	q := w.vector(w.heart)
	want, _ := w.search(Request{Query: q, K: 20})
	w.o.CodesPlacement, w.o.LinksPlacement = PlaceMemory, PlaceMemory
	w.reopen()
	require.Zero(t, w.ix.Memory().Total(), "open copies nothing")
	w.work()
	got, _ := w.search(Request{Query: q, K: 20})
	require.Equal(t, want, got)
	require.Positive(t, w.ix.Memory().Codes)
}

func FuzzSegmentHead(f *testing.F) {
	_, b := sealed(f)
	f.Add(b[:headPage])
	f.Add(b[:100])
	f.Fuzz(func(t *testing.T, page []byte) {
		head, err := decodeHead(page)
		if err != nil {
			return
		}
		again, err := decodeHead(encodeHead(head))
		require.NoError(t, err)
		require.Equal(t, head, again)
	})
}

// Damage anywhere is found or harmless; also damage that the checksums hide.
func FuzzSegmentDamage(f *testing.F) {
	w, b := sealed(f)
	for _, s := range w.ix.current.segments[0].head.sections {
		f.Add(uint32(s.off), []byte{0xff, 0xff}, true)
		f.Add(uint32(s.off+8), []byte{1, 0, 0, 0, 0, 0xff}, true)
	}
	f.Add(uint32(104), []byte{200}, true)
	f.Add(uint32(140), []byte{1, 2, 3}, false)
	book := w.ix.target.Load()
	query := book.quantizer.NewQuery()
	query.Reset(w.heart[0])
	f.Fuzz(func(t *testing.T, at uint32, patch []byte, hide bool) {
		file := slices.Clone(b)
		copy(file[int(at)%len(file):], patch)
		if hide {
			fix(file)
		}
		sg := &segment{name: "fuzz"}
		if sg.parse(file) != nil {
			return
		}
		hint := 0
		for _, slot := range sg.slots {
			if ord, ok := sg.bySlot.find(slot, &hint); ok {
				require.Less(t, int(ord), sg.rows)
			}
		}
		if sg.graph != nil && sg.stride == book.stride {
			scorer := &codeScorer{query, coded{book: book, codes: sg.codes}}
			for _, c := range sg.graph.Search(scorer, hnsw.SearchOptions{Ef: 5}, hnsw.NewScratch()) {
				require.Less(t, int(c.Ord), sg.rows)
			}
		}
	})
}

// fix makes all checksums of a file right where its table can be read.
func fix(file []byte) {
	put := func(at int, c uint32) { binary.LittleEndian.PutUint32(file[at:], c) }
	head := func() { put(binfmt.HeaderSize-4, binfmt.Checksum(file[:binfmt.HeaderSize-4])) }
	page := func() { put(headPage-4, binfmt.Checksum(file[:headPage-4])) }
	head()
	page()
	h, err := decodeHead(file)
	if err != nil || h.fileBytes != int64(len(file)) {
		return
	}
	sums := h.section(sectionSums)
	for i := range int(sums.len / 4) {
		off := headPage + int64(i)*blockBytes
		put(int(sums.off)+4*i, blockSum(h.id, i, file[off:min(off+blockBytes, sums.off)]))
	}
	for i, s := range h.sections {
		if s.kind == sectionSums {
			put(tableAt+tableFixed+i*sectionBytes+24, binfmt.Checksum(file[s.off:s.off+s.len]))
		}
	}
	page()
}

func TestSortedSlotIndexFindsEverySlot(t *testing.T) {
	slots := []uint32{900_000, 5, 70, 1_000_000, 80, 4_000_000_000}
	aux, words := encodeBySlot(slots, roaring.BitmapOf(slots...))
	require.EqualValues(t, bySlotSorted, aux)
	x, err := decodeBySlot(aux, words, len(slots))
	require.NoError(t, err)
	hint := 0
	for _, slot := range []uint32{0, 5, 6, 70, 80, 81, 900_000, 1_000_000, 3_000_000_000, 4_000_000_000, 4_100_000_000} {
		ord, ok := x.find(slot, &hint)
		if ok {
			require.Equal(t, slot, slots[ord])
		}
		require.Equal(t, roaring.BitmapOf(slots...).Contains(slot), ok, "slot %d", slot)
	}
}
