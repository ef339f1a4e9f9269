package payload

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/vfs"
)

// Badger's compactions write every value of a level again and again: of hashes with vectors that was
// a quarter of the processor time of a load. So longer values lie in files of our own, blobs, which are
// appended to and never changed, and badger keeps where (Lu et al. 2016, WiscKey). Badger's own value
// log is not used: its collection deletes a file before what it moved out of it is durable, and may
// bring deleted keys back. collect.go gives the space of blobs back that nobody needs.

const (
	// blobBytes is the length from which a value is a blob.
	blobBytes = 256

	// A file of blobs is a part of all of them, within these bounds: it is collected as a whole.
	blobFileShare    = 16
	minBlobFileBytes = 16 << 20
	maxBlobFileBytes = 256 << 20

	blobsDir     = "blobs"
	blobSuffix   = ".blob"
	blobVersion  = 1
	blobWriteMax = 256 << 10 // bytes of one write
)

var blobMagic = binfmt.Magic8("ISBpblob")

// errMoved says that a file of blobs is gone: whoever looks its key up again finds where the blob is.
var errMoved = errors.New("payload: file of blobs is gone")

// blobRef says where a blob is.
type blobRef struct {
	file   uint64
	offset int64
	length int64
	sum    uint32 // frameSum of the value as if badger had it
}

const blobRefBytes = 28

func (r blobRef) append(dst []byte) []byte {
	w := binfmt.Writer{Buf: dst}
	w.U64(r.file)
	w.I64(r.offset)
	w.I64(r.length)
	w.U32(r.sum)
	return w.Buf
}

func decodeBlobRef(body []byte) (blobRef, error) {
	r := binfmt.NewReader(body)
	ref := blobRef{file: r.U64(), offset: r.I64(), length: r.I64(), sum: r.U32()}
	if r.Err() == nil && (r.Remaining() > 0 || ref.offset < 0 || ref.length < 0) {
		return ref, fmt.Errorf("payload: reference to a blob of %d bytes", len(body))
	}
	return ref, r.Err()
}

// blobFiles are the files of blobs of one store. It is safe for concurrent use.
type blobFiles struct {
	fs    vfs.FS
	dir   string
	least int64 // size of a file where all are small

	mu      sync.RWMutex // held for the time of a read, so that no file is closed under it
	files   map[uint64]*blobFile
	renamed bool         // a file was made since the directory was synced
	bytes   atomic.Int64 // of all files

	createMu sync.Mutex
	newest   uint64 // highest number ever

	syncMu sync.Mutex
	failed error // of a sync: the kernel tells once
}

type blobFile struct {
	number uint64
	size   atomic.Int64
	synced int64 // how much of it is durable, guarded by blobFiles.syncMu

	openMu sync.Mutex
	handle vfs.File // opened by the first who needs it
}

func (b *blobFiles) name(number uint64) string {
	return path.Join(b.dir, fmt.Sprintf("%08d%s", number, blobSuffix))
}

// openBlobs lists the files of dir, which may not exist yet.
func openBlobs(fsys vfs.FS, dir string) (*blobFiles, error) {
	b := &blobFiles{fs: fsys, dir: dir, least: minBlobFileBytes, files: map[uint64]*blobFile{}}
	names, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		digits, ok := strings.CutSuffix(name, blobSuffix)
		number, err := strconv.ParseUint(digits, 10, 63)
		if !ok || err != nil || path.Join(dir, name) != b.name(number) {
			continue // not ours
		}
		info, err := fsys.Stat(path.Join(dir, name))
		if err != nil {
			return nil, err
		}
		b.files[number] = newBlobFile(number, info.Size)
		b.newest = max(b.newest, number)
		b.bytes.Add(info.Size)
		b.renamed = true // who made it may have been killed before the sync
	}
	return b, nil
}

func newBlobFile(number uint64, size int64) *blobFile {
	f := &blobFile{number: number}
	f.size.Store(size)
	return f
}

// open returns the file's handle; how opens it at the first use and its header is checked.
func (f *blobFile) open(b *blobFiles, how func(name string) (vfs.File, error)) (vfs.File, error) {
	f.openMu.Lock()
	defer f.openMu.Unlock()
	if f.handle != nil {
		return f.handle, nil
	}
	handle, err := how(b.name(f.number))
	if err != nil {
		return nil, err
	}
	head := make([]byte, binfmt.HeaderSize)
	if _, err = handle.ReadAt(head, 0); err == nil {
		var h binfmt.Header
		if h, err = binfmt.DecodeHeader(head, blobMagic, blobVersion); err == nil && h.FileID != f.number {
			err = fmt.Errorf("payload: this is file %d", h.FileID)
		}
	}
	if err != nil {
		return nil, errors.Join(&binfmt.CorruptError{File: b.name(f.number), Err: err}, handle.Close())
	}
	f.handle = handle
	return handle, nil
}

func (f *blobFile) close() error {
	f.openMu.Lock()
	defer f.openMu.Unlock()
	if f.handle == nil {
		return nil
	}
	return f.handle.Close()
}

// create makes the next file.
func (b *blobFiles) create() (*blobFile, error) {
	if err := vfs.MkdirDurably(b.fs, b.dir); err != nil {
		return nil, err
	}
	b.createMu.Lock()
	defer b.createMu.Unlock()
	b.newest++ // also when it fails: a name may be left
	f := newBlobFile(b.newest, binfmt.HeaderSize)
	handle, err := b.fs.Create(b.name(f.number))
	if err != nil {
		return nil, err
	}
	head := binfmt.EncodeHeader(binfmt.Header{Magic: blobMagic, Version: blobVersion, FileID: f.number})
	if _, err := handle.WriteAt(head, 0); err != nil {
		return nil, errors.Join(err, handle.Close(), b.fs.Remove(b.name(f.number)))
	}
	f.handle = handle
	b.bytes.Add(f.size.Load())
	b.mu.Lock()
	b.files[f.number] = f
	b.renamed = true
	b.mu.Unlock()
	return f, nil
}

// fileBytes is the size from which a file takes no more blobs.
func (b *blobFiles) fileBytes() int64 {
	return min(max(b.bytes.Load()/blobFileShare, b.least), maxBlobFileBytes)
}

// read appends a blob to dst, errMoved when its file is gone. The caller verifies what it gets.
func (b *blobFiles) read(ref blobRef, dst []byte) ([]byte, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	f := b.files[ref.file]
	if f == nil {
		return nil, errMoved
	}
	if size := f.size.Load(); ref.length > size-ref.offset {
		return nil, binfmt.Corrupt(b.name(ref.file), ref.offset, "payload: blob of %d bytes, the file has %d", ref.length, size)
	}
	handle, err := f.open(b, b.fs.OpenRead)
	if err != nil {
		return nil, fmt.Errorf("payload: read: %w", err)
	}
	start, end := len(dst), len(dst)+int(ref.length)
	if cap(dst) < end {
		dst = append(make([]byte, 0, end), dst...)
	}
	if _, err := handle.ReadAt(dst[start:end], ref.offset); err != nil {
		return nil, &binfmt.CorruptError{File: b.name(ref.file), Offset: ref.offset, Err: err}
	}
	return dst[:end], nil
}

// sync makes all blobs durable that were written before the call. After it failed once it always does.
func (b *blobFiles) sync() error {
	b.syncMu.Lock()
	defer b.syncMu.Unlock()
	if b.failed == nil {
		b.failed = b.syncLocked()
	}
	return b.failed
}

func (b *blobFiles) syncLocked() error {
	b.mu.Lock()
	renamed := b.renamed
	b.renamed = false
	var files []*blobFile
	for _, f := range b.files {
		// Others were not written to, and what an earlier run left in them unsynced nobody refers to: a replay reads every
		// blob that it keeps a reference to.
		if f.handle != nil {
			files = append(files, f)
		}
	}
	b.mu.Unlock()
	for _, f := range files {
		size := f.size.Load()
		if size == f.synced {
			continue
		}
		if err := f.handle.Sync(); err != nil && !b.gone(f) {
			return err
		}
		f.synced = size
	}
	if renamed {
		return b.fs.SyncDir(b.dir)
	}
	return nil
}

func (b *blobFiles) gone(f *blobFile) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.files[f.number] != f
}

// remove deletes a file; those who still look for it get errMoved.
func (b *blobFiles) remove(number uint64) error {
	b.mu.Lock()
	f := b.files[number]
	if f == nil {
		b.mu.Unlock()
		return nil
	}
	delete(b.files, number)
	b.bytes.Add(-f.size.Load())
	b.mu.Unlock()
	return errors.Join(f.close(), b.fs.Remove(b.name(number)))
}

func (b *blobFiles) close() (err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.files {
		err = errors.Join(err, f.close())
	}
	return err
}

// blobWriter appends blobs to a file that no other one writes to. It belongs to one goroutine at a time.
type blobWriter struct {
	to   *blobFiles
	file *blobFile // nil before the first blob
	buf  []byte    // of the file, to be written
}

// resume goes on in the newest file of an earlier run, unless a power cut took its header. What lies
// behind its durable end belongs to records that are replayed, and nobody reads it before.
func (w *blobWriter) resume() {
	f := w.to.files[w.to.newest]
	if f == nil {
		return
	}
	if _, err := f.open(w.to, w.to.fs.Open); err == nil {
		w.file = f
	}
}

// append takes a blob, which may be read after flush.
func (w *blobWriter) append(value []byte, sum uint32) (blobRef, error) {
	if w.file == nil || w.file.size.Load()+int64(len(w.buf)) >= w.to.fileBytes() {
		if err := w.flush(); err != nil {
			return blobRef{}, err
		}
		f, err := w.to.create()
		if err != nil {
			return blobRef{}, err
		}
		w.file = f
	}
	ref := blobRef{w.file.number, w.file.size.Load() + int64(len(w.buf)), int64(len(value)), sum}
	w.buf = append(w.buf, value...)
	if len(w.buf) >= blobWriteMax {
		return ref, w.flush()
	}
	return ref, nil
}

// flush writes what append took. What it cannot write is given up.
func (w *blobWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	buf := w.buf
	w.buf = w.buf[:0]
	if cap(w.buf) > 4*blobWriteMax {
		w.buf = nil
	}
	if _, err := w.file.handle.WriteAt(buf, w.file.size.Load()); err != nil {
		return err
	}
	w.file.size.Add(int64(len(buf)))
	w.to.bytes.Add(int64(len(buf)))
	return nil
}
