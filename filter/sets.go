package filter

import (
	"errors"
	"maps"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/vfs"
)

// setFile is a file with a version of the all-set and the has-vector sets.
type setFile struct {
	name string
	all  *roaring.Bitmap
	has  map[string]*roaring.Bitmap
}

const setVersion = 1

var setMagic = binfmt.Magic8("ISOFSET\x00")

// holds tells whether the file has the sets of s.
func (f *setFile) holds(s *State) bool {
	if f == nil || f.all != s.all.read || len(f.has) != len(s.has) {
		return false
	}
	for name, set := range s.has {
		if f.has[name] != set.read {
			return false
		}
	}
	return true
}

func (s *State) sets() *setFile {
	f := &setFile{all: s.all.read, has: make(map[string]*roaring.Bitmap, len(s.has))}
	for name, set := range s.has {
		f.has[name] = set.read
	}
	return f
}

// write stores the sets in a new synced file; the directory is not synced.
func (f *setFile) write(fs vfs.FS, dir, name string) error {
	w := binfmt.Writer{Buf: binfmt.EncodeHeader(binfmt.Header{Magic: setMagic, Version: setVersion})}
	if err := appendSet(&w, f.all); err != nil {
		return err
	}
	w.Uvarint(uint64(len(f.has)))
	for _, vector := range slices.Sorted(maps.Keys(f.has)) {
		w.String(vector)
		if err := appendSet(&w, f.has[vector]); err != nil {
			return err
		}
	}
	w.U32(binfmt.Checksum(w.Buf))
	file, err := fs.Create(dir + "/" + name)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(w.Buf, 0)
	if err == nil {
		err = file.Sync()
	}
	f.name = name
	return errors.Join(err, file.Close())
}

func appendSet(w *binfmt.Writer, bm *roaring.Bitmap) error {
	small := bm.Clone()
	small.RunOptimize()
	b, err := small.ToBytes()
	if err == nil {
		w.LenBytes(b)
	}
	return err
}

// readSets reads a file of sets whole.
func readSets(fs vfs.FS, dir, name string) (*setFile, error) {
	b, err := vfs.ReadFile(fs, dir+"/"+name)
	if err != nil {
		return nil, err
	}
	f, err := decodeSets(b)
	if err != nil {
		return nil, &binfmt.CorruptError{File: name, Err: err}
	}
	f.name = name
	return f, nil
}

func decodeSets(b []byte) (*setFile, error) {
	if _, err := binfmt.DecodeHeader(b, setMagic, setVersion); err != nil {
		return nil, err
	}
	if len(b) < binfmt.HeaderSize+4 {
		return nil, binfmt.ErrShort
	}
	body, tail := b[:len(b)-4], binfmt.NewReader(b[len(b)-4:])
	if tail.U32() != binfmt.Checksum(body) {
		return nil, binfmt.ErrChecksum
	}
	r := binfmt.NewReader(body[binfmt.HeaderSize:])
	f := &setFile{all: readSet(r), has: map[string]*roaring.Bitmap{}}
	for n := r.Uvarint(); n > 0 && r.Err() == nil; n-- {
		name := r.String()
		f.has[name] = readSet(r)
	}
	if r.Err() == nil && r.Remaining() > 0 {
		r.Fail(errors.New("bytes after the last set"))
	}
	return f, r.Err()
}

// readSet copies one checked set to the heap.
func readSet(r *binfmt.Reader) *roaring.Bitmap {
	bm := roaring.New()
	b := r.LenBytes()
	if r.Err() != nil {
		return bm
	}
	if err := bm.UnmarshalBinary(b); err != nil {
		r.Fail(err)
	} else if err := bm.Validate(); err != nil && !bm.IsEmpty() {
		r.Fail(err)
	}
	return bm
}
