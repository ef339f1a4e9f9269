package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/vfs"
)

const (
	formatVersion = 1
	// dataStart is where frames begin: the header has a page of its own.
	dataStart  = 4096
	filePrefix = "wal-"
	fileSuffix = ".log"
)

var fileMagic = binfmt.Magic8("isobWAL\x00")

// logFile is one file of the log.
type logFile struct {
	number uint64 // names the file and orders it
	start  uint64 // Seq of its first record; everything before was durable when it was made
	epoch  uint64
	name   string
	file   vfs.File // open while it is the last one
	size   int64    // allocated
	end    int64    // end of the last record
	last   uint64   // Seq of the last record, start-1 if there is none
	zeroed int64    // bytes from end to here were written as zeros, not only allocated
}

func (f *logFile) place(off int64) place { return place{file: f.number, off: off, epoch: f.epoch} }

func fileName(dir string, number uint64) string {
	return path.Join(dir, fmt.Sprintf("%s%016x%s", filePrefix, number, fileSuffix))
}

func parseFileName(base string) (number uint64, ok bool) {
	digits, ok := strings.CutPrefix(base, filePrefix)
	if !ok {
		return 0, false
	}
	digits, ok = strings.CutSuffix(digits, fileSuffix)
	if !ok || len(digits) != 16 {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 16, 64)
	return number, err == nil
}

// createFile publishes a new log file with the given start, holding the frames in content, which it
// seals. It is durable on return. Everything before start must be durable already.
func createFile(fsys vfs.FS, dir string, f logFile, content []byte) (*logFile, error) {
	f.name = fileName(dir, f.number)
	f.last = f.start - 1
	f.end = dataStart + int64(len(content))
	f.size = max(f.size, f.end)
	tmp := f.name + vfs.TempSuffix
	if err := fsys.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	file, err := fsys.Create(tmp)
	if err != nil {
		return nil, err
	}
	seal(content, f.place(dataStart), f.start-1)
	if err := writeNewFile(file, &f, content); err != nil {
		return nil, errors.Join(err, file.Close(), fsys.Remove(tmp))
	}
	if err := vfs.RenameDurably(fsys, tmp, f.name); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	f.file = file
	return &f, nil
}

func writeNewFile(file vfs.File, f *logFile, content []byte) error {
	if err := file.Allocate(0, f.size); err != nil {
		return err
	}
	if _, err := file.WriteAt(encodeFileHeader(f), 0); err != nil {
		return err
	}
	if len(content) > 0 {
		if _, err := file.WriteAt(content, dataStart); err != nil {
			return err
		}
	}
	return file.Sync()
}

func encodeFileHeader(f *logFile) []byte {
	h := binfmt.Header{Magic: fileMagic, Version: formatVersion, FileID: f.number, Seq: f.start}
	binary.LittleEndian.PutUint64(h.Extra[:], f.epoch)
	return binfmt.EncodeHeader(h)
}

// openFile opens a log file and reads its header. A *binfmt.CorruptError tells of a damaged one.
func openFile(fsys vfs.FS, dir string, number uint64, write bool) (*logFile, error) {
	f := &logFile{number: number, name: fileName(dir, number)}
	open := fsys.OpenRead
	if write {
		open = fsys.Open
	}
	file, err := open(f.name)
	if err != nil {
		return nil, err
	}
	if err := f.readHeader(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	f.file, f.end, f.last = file, dataStart, f.start-1
	return f, nil
}

func (f *logFile) readHeader(file vfs.File) error {
	var err error
	if f.size, err = file.Size(); err != nil {
		return err
	}
	b := make([]byte, min(f.size, binfmt.HeaderSize))
	if _, err := file.ReadAt(b, 0); err != nil {
		return err
	}
	h, err := binfmt.DecodeHeader(b, fileMagic, formatVersion)
	var version *binfmt.VersionError
	switch {
	case errors.As(err, &version):
		return fmt.Errorf("wal: %s: %w", f.name, err)
	case err != nil:
		return &binfmt.CorruptError{File: f.name, Err: err}
	case h.FileID != f.number:
		return binfmt.Corrupt(f.name, 16, "this is file %d under another name", h.FileID)
	case h.Seq == 0:
		return binfmt.Corrupt(f.name, 24, "no first record number")
	}
	f.start, f.epoch = h.Seq, binary.LittleEndian.Uint64(h.Extra[:])
	return nil
}

// close closes the handle, if there is one.
func (f *logFile) close() error {
	if f.file == nil {
		return nil
	}
	file := f.file
	f.file = nil
	return file.Close()
}
