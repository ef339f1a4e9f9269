package filter

import (
	"encoding/binary"
	"errors"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/vfs"
)

// writeBuffer is how many bytes a tableWriter gathers for one write.
const writeBuffer = 256 << 10

// tableWriter writes a table file from entries in key order.
type tableWriter struct {
	f   vfs.File
	off int64 // of buf
	buf []byte

	block   []byte
	lastKey []byte
	union   *roaring.Bitmap // slots of the block
	groups  [maxLevels]group
	refs    [maxLevels][]byte
	entries int
}

// group gathers the union of the blocks of one unfinished group.
type group struct {
	union   *roaring.Bitmap
	section string
	mixed   bool // blocks of several sections: no union is kept
	members int
}

// freeze writes what fill adds to a new file and syncs it. It returns nil if nothing was added.
func freeze(fs vfs.FS, dir, name string, fill func(add func(key []byte, p posting) error) error) (*frozenTable, error) {
	f, err := fs.Create(dir + "/" + name)
	if err != nil {
		return nil, err
	}
	w := &tableWriter{f: f, union: roaring.New()}
	w.buf = append(w.buf, binfmt.EncodeHeader(binfmt.Header{Magic: tableMagic, Version: tableVersion})...)
	if err = fill(w.add); err == nil && w.entries > 0 {
		err = w.finish()
	}
	if err = errors.Join(err, f.Close()); err != nil || w.entries == 0 {
		return nil, errors.Join(err, fs.Remove(dir+"/"+name))
	}
	if err := fs.SyncDir(dir); err != nil {
		return nil, err
	}
	return openTable(fs, dir, name)
}

func (w *tableWriter) add(key []byte, p posting) error {
	if len(w.block) > 0 && string(key[:sectionLen]) != string(w.lastKey[:sectionLen]) {
		if err := w.endBlock(); err != nil {
			return err
		}
	}
	value, err := w.encode(p)
	if err != nil {
		return err
	}
	shared := 0
	if len(w.block) > 0 {
		for shared < min(len(key), len(w.lastKey)) && key[shared] == w.lastKey[shared] {
			shared++
		}
	}
	w.block = binary.AppendUvarint(w.block, uint64(shared))
	w.block = binary.AppendUvarint(w.block, uint64(len(key)-shared))
	w.block = append(w.block, key[shared:]...)
	w.block = binary.AppendUvarint(w.block, uint64(len(value)))
	w.block = append(w.block, value...)
	w.lastKey = append(w.lastKey[:0], key...)
	w.entries++
	if key[sectionLen-1] >= secBool {
		p.addTo(w.union)
	}
	if len(w.block) >= blockTarget {
		return w.endBlock()
	}
	return nil
}

// encode returns the bytes of a posting in a block; a large one is written to the file at once.
func (w *tableWriter) encode(p posting) ([]byte, error) {
	list := p.list
	if p.bm != nil && p.bm.GetCardinality() <= diskListMax {
		list = p.bm.ToArray()
	}
	if p.bm == nil && len(list) > diskListMax {
		p.bm = roaring.BitmapOf(list...)
	} else if p.bm == nil || len(list) > 0 {
		b := []byte{postingList}
		last := uint32(0)
		for _, slot := range list {
			b = binary.AppendUvarint(b, uint64(slot-last))
			last = slot
		}
		return b, nil
	}
	off, bytes, err := w.writeBitmap(p.bm)
	if err != nil {
		return nil, err
	}
	v := binfmt.Writer{Buf: []byte{postingBitmap}}
	v.U64(uint64(off))
	v.U32(uint32(len(bytes)))
	v.U32(binfmt.Checksum(bytes))
	return v.Buf, nil
}

// writeBitmap writes bm in the portable roaring format; bm stays as it is.
func (w *tableWriter) writeBitmap(bm *roaring.Bitmap) (off int64, b []byte, err error) {
	small := roaring.New()
	small.Or(bm)
	small.RunOptimize() // replaces containers, does not change shared ones
	b, err = small.ToBytes()
	if err != nil {
		return 0, nil, err
	}
	for (w.off+int64(len(w.buf)))%bitmapAlign != 0 {
		w.buf = append(w.buf, 0)
	}
	off, err = w.write(b)
	return off, b, err
}

func (w *tableWriter) write(b []byte) (off int64, err error) {
	off = w.off + int64(len(w.buf))
	w.buf = append(w.buf, b...)
	if len(w.buf) >= writeBuffer {
		err = w.flush()
	}
	return off, err
}

func (w *tableWriter) flush() error {
	_, err := w.f.WriteAt(w.buf, w.off)
	w.off += int64(len(w.buf))
	w.buf = w.buf[:0]
	return err
}

func (w *tableWriter) endBlock() error {
	off, err := w.write(w.block)
	if err != nil {
		return err
	}
	w.addRef(0, off, w.block)
	w.block = w.block[:0]
	union := w.union
	w.union = roaring.New()
	return w.joinGroup(1, string(w.lastKey[:sectionLen]), union)
}

func (w *tableWriter) addRef(level int, off int64, b []byte) {
	i := len(w.refs[level]) / refSize
	r := binary.LittleEndian.AppendUint64(nil, uint64(off))
	r = binary.LittleEndian.AppendUint32(r, uint32(len(b)))
	r = binary.LittleEndian.AppendUint32(r, refChecksum(level, i, r, b))
	w.refs[level] = append(w.refs[level], r...)
}

// joinGroup adds one block, or one finished group of the level below, to the open group of a level.
// A nil union means that there is none.
func (w *tableWriter) joinGroup(level int, section string, union *roaring.Bitmap) error {
	if level == maxLevels {
		return nil
	}
	g := &w.groups[level]
	if g.members == 0 {
		*g = group{union: roaring.New(), section: section}
	}
	g.members++
	if g.mixed = g.mixed || union == nil || g.section != section; !g.mixed {
		g.union.Or(union)
	}
	if g.members < groupFanout {
		return nil
	}
	done := *g
	*g = group{}
	if done.mixed || section[sectionLen-1] < secBool {
		w.addRef(level, 0, nil)
		return w.joinGroup(level+1, section, nil)
	}
	off, b, err := w.writeBitmap(done.union)
	if err != nil {
		return err
	}
	w.addRef(level, off, b)
	return w.joinGroup(level+1, section, done.union)
}

// finish writes the tables of references and the footer, and syncs.
func (w *tableWriter) finish() error {
	if len(w.block) > 0 {
		if err := w.endBlock(); err != nil {
			return err
		}
	}
	start := w.off + int64(len(w.buf))
	levels := 0
	for levels < maxLevels && len(w.refs[levels]) > 0 {
		if _, err := w.write(w.refs[levels]); err != nil {
			return err
		}
		levels++
	}
	foot := binfmt.Writer{}
	foot.U32(uint32(levels))
	foot.U32(0)
	foot.U64(uint64(start))
	for i := range maxLevels {
		foot.U64(uint64(len(w.refs[i]) / refSize))
	}
	foot.Zero(footerSize - 4 - foot.Len())
	foot.U32(binfmt.Checksum(foot.Buf))
	if _, err := w.write(foot.Buf); err != nil {
		return err
	}
	return errors.Join(w.flush(), w.f.Sync())
}
