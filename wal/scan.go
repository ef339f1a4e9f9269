package wal

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/isobath/isobath/internal/vfs"
)

// scanBuffer is how much a scanner reads at once.
const scanBuffer = 1 << 20

// scanner reads frames of one file.
type scanner struct {
	file vfs.File
	log  *logFile
	buf  []byte
	at   int64 // offset of buf in the file
	err  error // of reading; sticky
}

func newScanner(f *logFile, file vfs.File) *scanner { return &scanner{file: file, log: f} }

// bytes returns n bytes at off, borrowed until the next call, fewer at the end of the file.
func (s *scanner) bytes(off int64, n int) []byte {
	if s.err != nil {
		return nil
	}
	if n = int(min(int64(n), s.log.size-off)); n <= 0 {
		return nil
	}
	if off < s.at || off+int64(n) > s.at+int64(len(s.buf)) {
		want := int(min(int64(max(n, scanBuffer)), s.log.size-off))
		if cap(s.buf) < want {
			s.buf = make([]byte, want)
		}
		s.buf = s.buf[:want]
		got, err := s.file.ReadAt(s.buf, off)
		if err != nil && !errors.Is(err, io.EOF) {
			s.err, s.buf = err, nil
			return nil
		}
		s.buf, s.at = s.buf[:got], off
	}
	b := s.buf[off-s.at:]
	return b[:min(n, len(b))]
}

// frame returns the frame at off; its payload is borrowed until the next call.
func (s *scanner) frame(off int64) (frame, bool) {
	n, ok := frameLength(s.bytes(off, frameHeader), s.log.epoch)
	if !ok {
		return frame{}, false
	}
	return decodeFrame(s.bytes(off, frameHeader+n), s.log.place(off))
}

// later looks for valid frames from off on and returns the highest number that one of them calls
// durable, and whether any byte there is not zero.
func (s *scanner) later(off int64) (synced uint64, dirty bool) {
	for s.err == nil && off < s.log.size {
		// The window is refilled before it ends inside a header.
		b := s.bytes(off, scanBuffer)
		if len(b) == 0 {
			break
		}
		i := 0
		for ; i+frameHeader <= len(b); i += frameAlign {
			word := binary.LittleEndian.Uint64(b[i:])
			if word == 0 {
				continue
			}
			dirty = true
			if uint32(word) != frameMagic {
				continue
			}
			if _, ok := frameLength(b[i:], s.log.epoch); !ok {
				continue
			}
			if f, ok := s.frame(off + int64(i)); ok {
				synced = max(synced, f.synced)
			}
			break // s.frame may have moved the window
		}
		if i == 0 && len(b) < frameHeader {
			for _, v := range b {
				dirty = dirty || v != 0
			}
			break
		}
		off += int64(i)
		if i+frameHeader <= len(b) {
			off += frameAlign
		}
	}
	return synced, dirty
}

// recordReader reads the records of one file in order.
type recordReader struct {
	*scanner
	off    int64  // of the next frame
	next   uint64 // Seq of the next record
	synced uint64 // highest number that a frame read so far calls durable
	buf    []byte // a record that spans frames
}

func newRecordReader(f *logFile, file vfs.File) *recordReader {
	return &recordReader{scanner: newScanner(f, file), off: dataStart, next: f.start, synced: f.start - 1}
}

// read returns the next record, its data borrowed until the next call. It is false at the end of
// what is readable; off and next then tell where that is.
func (r *recordReader) read() (Record, bool) {
	off := r.off
	r.buf = r.buf[:0]
	for {
		f, ok := r.frame(off)
		if !ok {
			return Record{}, false
		}
		size := int64(paddedFrame(len(f.payload)))
		began := off != r.off
		if f.typ == frameMark && !began && f.seq == r.next-1 {
			r.synced = max(r.synced, f.synced)
			r.off, off = off+size, off+size
			continue
		}
		opens := f.typ == frameWhole || f.typ == frameFirst
		if f.typ == frameMark || f.seq != r.next || opens == began {
			return Record{}, false
		}
		off += size
		if f.typ != frameWhole {
			r.buf = append(r.buf, f.payload...)
			f.payload = r.buf
		}
		if f.typ == frameWhole || f.typ == frameLast {
			r.off = off
			r.next++
			r.synced = max(r.synced, f.synced)
			return Record{Seq: f.seq, Term: f.term, Kind: f.kind, Data: f.payload}, true
		}
	}
}
