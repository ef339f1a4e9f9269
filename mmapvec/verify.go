package mmapvec

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/vfs"
)

// maxProblems bounds what Check reports.
const maxProblems = 100

// Check verifies the files in dir: every header, and the row of every slot for which live is true
// (every slot for a nil live would fail at rows never written, so nil verifies headers only). It
// returns the problems joined, at most 100 of them; *binfmt.CorruptError among them names file and
// offset. A slot behind the last chunk is not asked for.
func Check(fsys vfs.FS, dir string, live func(slot uint32) bool) error {
	names, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("mmapvec: check: %w", err)
	}
	ck := checker{fs: fsys, dir: dir, live: live}
	for _, base := range names {
		if number, ok := chunkNumber(base); ok {
			ck.chunk(number)
		}
		if len(ck.problems) >= maxProblems {
			break
		}
	}
	return errors.Join(ck.problems...)
}

type checker struct {
	fs       vfs.FS
	dir      string
	live     func(slot uint32) bool
	layout   layout // of the first good header
	next     int    // number of the chunk expected next
	problems []error
}

func (ck *checker) problem(err error) bool {
	if err != nil {
		ck.problems = append(ck.problems, err)
	}
	return err != nil
}

func (ck *checker) chunk(number int) {
	f, err := ck.fs.OpenRead(chunkName(ck.dir, number))
	if ck.problem(err) {
		return
	}
	defer f.Close()
	if ck.layout.dim == 0 {
		b := make([]byte, binfmt.HeaderSize)
		n, _ := f.ReadAt(b, 0)
		if ck.layout, _, err = decodeHeader(b[:n]); err != nil {
			ck.layout = layout{}
			ck.problem(&binfmt.CorruptError{File: f.Name(), Err: err})
			return
		}
	}
	if number >= ck.layout.chunks() {
		ck.problem(binfmt.Corrupt(f.Name(), 0, "mmapvec: no slot belongs to this chunk"))
		return
	}
	if ck.problem(checkHeader(f, ck.layout, number)) || ck.live == nil {
		ck.next = number + 1
		return
	}
	for ; ck.next < number; ck.next++ {
		ck.missing(ck.next)
	}
	ck.next = number + 1
	ck.rows(f, number)
}

// missing reports a live slot of a chunk that is not there while a later one is.
func (ck *checker) missing(number int) {
	start, rows := ck.layout.span(number)
	for i := range rows {
		if ck.live != nil && ck.live(uint32(start)+uint32(i)) {
			ck.problem(binfmt.Corrupt(chunkName(ck.dir, number), 0, "mmapvec: chunk is missing but slot %d is live", uint32(start)+uint32(i)))
			return
		}
	}
}

func (ck *checker) rows(f vfs.File, number int) {
	l := ck.layout
	start, rows := l.span(number)
	batch := max(writeBytes/l.stride, 1)
	buf := make([]byte, min(batch, rows)*l.stride)
	for from := 0; from < rows; from += batch {
		n := min(batch, rows-from)
		off := rowsOffset + int64(from)*int64(l.stride)
		if got, err := f.ReadAt(buf[:n*l.stride], off); got < n*l.stride {
			ck.problem(&binfmt.CorruptError{File: f.Name(), Offset: off, Err: err})
			return
		}
		for i := range n {
			slot := uint32(start) + uint32(from+i)
			if !ck.live(slot) || l.intact(buf[i*l.stride:], slot) {
				continue
			}
			ck.problem(binfmt.Corrupt(f.Name(), off+int64(i*l.stride), "mmapvec: checksum of slot %d does not match", slot))
			if len(ck.problems) >= maxProblems {
				return
			}
		}
	}
}
