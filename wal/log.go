package wal

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/vfs"
)

const (
	// maxPending is how many bytes may wait for Sync before Append waits.
	maxPending = 64 << 20
	// keptPending is the largest buffer that is kept for the next group.
	keptPending = 8 << 20
	// zeroBytes is how much is filled with zeros ahead of small groups at once.
	zeroBytes = 1 << 20
	// firstFileBytes bounds the first file: a small database should not take 64 MiB of disk.
	firstFileBytes = 2 << 20
	minFileSize    = 8 << 10
	maxFileSize    = 1 << 40
)

// Record is one entry of the log.
type Record struct {
	Seq, Term uint64
	Kind      uint8
	Data      []byte
}

// Options of a log.
type Options struct {
	// FS holds the files. Default vfs.OS.
	FS vfs.FS
	// Dir is the directory of the log, made if it is absent. Nothing else of ours may live there.
	Dir string
	// FileBytes is the size to which files are preallocated. Default 64 MiB, 8 KiB to 1 TiB. The first file, and the one
	// after a TruncatePrefix of all records, has 2 MiB at most, each later one twice as much as the one before; a longer
	// record gets a longer file. It may change on reopen.
	FileBytes int64
	// Log receives what recovery did. Default: nothing is logged.
	Log *slog.Logger

	first int64 // bounds the first file; default firstFileBytes
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.OS
	}
	o.FileBytes = cmp.Or(o.FileBytes, 64<<20)
	o.first = cmp.Or(o.first, firstFileBytes)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) validate() error {
	var errs []error
	if o.Dir == "" {
		errs = append(errs, errors.New("wal: no directory"))
	}
	if o.FileBytes < minFileSize || o.FileBytes > maxFileSize {
		errs = append(errs, fmt.Errorf("wal: file size %d is outside %d..%d", o.FileBytes, minFileSize, int64(maxFileSize)))
	}
	return errors.Join(errs...)
}

// Log is a write-ahead log. The package comment says what may run at the same time.
type Log struct {
	o        Options
	newEpoch func() uint64

	syncMu sync.Mutex // held by whatever does I/O; guards spare
	spare  batch      // the other buffer

	dropMu sync.Mutex // held by TruncatePrefix

	mu      sync.Mutex
	room    sync.Cond // pending was taken
	files   []*logFile
	pending batch
	last    uint64 // appended
	durable uint64
	proven  uint64 // highest number that the files themselves call durable
	failed  error  // why nothing can be changed any more
	damage  *binfmt.CorruptError
}

// batch is a run of encoded records.
type batch struct {
	buf     []byte
	records []pendingRecord
}

type pendingRecord struct {
	seq uint64
	end int // of its frames in buf
}

// First returns the number of the first record retained, Last()+1 if there is none.
func (l *Log) First() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.firstLocked()
}

func (l *Log) firstLocked() uint64 {
	if len(l.files) > 0 {
		return l.files[0].start
	}
	if len(l.pending.records) > 0 {
		return l.pending.records[0].seq
	}
	return l.last + 1
}

// Last returns the number of the last record appended, durable or not. In an empty log it is what
// SetStart left, one below the first number.
func (l *Log) Last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Durable returns the number of the last record that survives a power cut.
func (l *Log) Durable() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.durable
}

// Bytes returns the space taken by retained records.
func (l *Log) Bytes() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var n int64
	for _, f := range l.files {
		n += f.end
	}
	return n
}

// Shrinks tells whether TruncatePrefix of all records would give disk space back.
func (l *Log) Shrinks() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.files)
	return n > 1 || n == 1 && l.files[0].size > l.smallest()
}

// Damage tells of damage before records that were durable. The log is then open for reading only.
func (l *Log) Damage() *binfmt.CorruptError {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.damage
}

// Append copies a record into the buffer of the next Sync and does no I/O. Seq must be Last()+1; in
// an empty log whose start is not set any number above 0 will do. It waits while 64 MiB wait for a
// Sync that another goroutine must make; a record of any size is taken when nothing waits.
func (l *Log) Append(r Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.failed == nil && len(l.pending.records) > 0 &&
		int64(len(l.pending.buf))+recordBytes(len(r.Data)) > maxPending {
		l.room.Wait()
	}
	if l.failed != nil {
		return fmt.Errorf("wal: append record %d: %w", r.Seq, l.failed)
	}
	if free := l.last == 0 && len(l.files) == 0; r.Seq == 0 || r.Seq != l.last+1 && !free {
		return fmt.Errorf("%w: %d after %d", ErrOrder, r.Seq, l.last)
	}
	l.pending.buf = appendRecord(l.pending.buf, r)
	l.pending.records = append(l.pending.records, pendingRecord{seq: r.Seq, end: len(l.pending.buf)})
	l.last = r.Seq
	return nil
}

// Close flushes what was appended and closes the files.
func (l *Log) Close() error {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	l.mu.Lock()
	failed := l.failed
	l.mu.Unlock()
	var err error
	if failed == nil {
		err = l.syncLocked()
		if err == nil {
			err = l.markLocked()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == nil {
		l.failed = ErrClosed
	}
	l.room.Broadcast()
	for _, f := range l.files {
		err = errors.Join(err, f.close())
	}
	if err != nil {
		return fmt.Errorf("wal: close: %w", err)
	}
	return nil
}

func randomEpoch() uint64 {
	for {
		if e := rand.Uint64(); e != 0 {
			return e
		}
	}
}
