package mmapvec

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/internal/vfs"
)

// Errors of the store.
var (
	// ErrClosed is returned by every method after Close.
	ErrClosed = errors.New("mmapvec: store is closed")
	// ErrFailed is returned by Write and Sync after a sync failed: what is on disk is not known
	// until the store is opened again. Reading goes on.
	ErrFailed = errors.New("mmapvec: an earlier sync failed")
	// ErrDim is returned for a dimension that is out of range, and for a row of another one.
	ErrDim = errors.New("mmapvec: wrong dimension")
)

// Options configures Open.
type Options struct {
	FS  vfs.FS // default vfs.OS
	Dir string // of this store alone; made at the first write
	Dim int    // values in a row, 1 to MaxDim; must be the same on reopen
	// Datatype is what rows are stored in; must be the same on reopen.
	Datatype Datatype
	Log      *slog.Logger // default: discard
}

// writeBytes bounds one pwrite.
const writeBytes = 1 << 20

// Store holds the rows. See the package comment for who may call what.
type Store struct {
	fs     vfs.FS
	dir    string
	log    *slog.Logger
	layout layout

	chunks atomic.Pointer[[]*chunk] // by number; nil where no file is

	mu      sync.Mutex
	dirty   map[*chunk]struct{} // written since the last Sync
	created bool                // names to be synced
	failed  bool

	buf []byte // of Write

	counts    counts
	residency residency

	pins    atomic.Int64 // views, plus one until Close
	closing atomic.Bool
	idle    chan struct{}
	closed  sync.Once
	closeAs error
}

// Open opens the rows in o.Dir. An absent or empty directory is an empty store and stays as it is
// until the first Write. Left-over temporary files are removed.
func Open(o Options) (*Store, error) {
	if o.Dim < 1 || o.Dim > MaxDim {
		return nil, fmt.Errorf("%w: %d", ErrDim, o.Dim)
	}
	if !o.Datatype.known() {
		return nil, fmt.Errorf("mmapvec: unknown %v", o.Datatype)
	}
	if o.FS == nil {
		o.FS = vfs.OS
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{fs: o.FS, dir: o.Dir, log: o.Log, layout: newLayout(o.Dim, o.Datatype), dirty: map[*chunk]struct{}{}, idle: make(chan struct{}),
		residency: residency{probe: mmap.Resident}}
	s.pins.Store(1)
	s.chunks.Store(&[]*chunk{})
	if err := s.openAll(); err != nil {
		return nil, errors.Join(fmt.Errorf("mmapvec: open %s: %w", o.Dir, err), s.closeChunks())
	}
	return s, nil
}

func (s *Store) openAll() error {
	names, err := s.fs.List(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var numbers []int
	for _, base := range names {
		if of, ok := strings.CutSuffix(base, vfs.TempSuffix); ok {
			if _, ours := chunkNumber(of); ours {
				if err := s.fs.Remove(s.dir + "/" + base); err != nil {
					return err
				}
			}
			continue
		}
		number, ok := chunkNumber(base)
		if !ok || number >= s.layout.chunks() {
			s.log.Warn("unknown file among vector rows", "dir", s.dir, "file", base)
			continue
		}
		numbers = append(numbers, number)
	}
	return s.openChunks(numbers)
}

// openers is how many chunk files are opened at once: each waits for its inode and its header.
const openers = 16

func (s *Store) openChunks(numbers []int) error {
	chunks := make([]*chunk, len(numbers))
	var group errgroup.Group
	group.SetLimit(openers)
	for i, number := range numbers {
		group.Go(func() (err error) {
			chunks[i], err = openChunk(s.fs, s.dir, s.layout, number)
			return err
		})
	}
	err := group.Wait()
	for _, c := range chunks {
		if c != nil { // after an error too: the caller closes what is published
			s.publish(c)
		}
	}
	return err
}

// publish adds a chunk to the table that new views see.
func (s *Store) publish(c *chunk) {
	old := *s.chunks.Load()
	table := make([]*chunk, max(len(old), c.number+1))
	copy(table, old)
	table[c.number] = c
	s.chunks.Store(&table)
}

// Dim returns the number of values in a row.
func (s *Store) Dim() int { return s.layout.dim }

// Datatype returns what rows are stored in.
func (s *Store) Datatype() Datatype { return s.layout.typ }

// Bytes returns the disk space of all chunk files.
func (s *Store) Bytes() (n int64) {
	for _, c := range *s.chunks.Load() {
		if c != nil {
			n += c.bytes(s.layout)
		}
	}
	return n
}

// Slots returns how many slots have disk space.
func (s *Store) Slots() (n int64) {
	for _, c := range *s.chunks.Load() {
		if c != nil {
			n += c.reserved.Load()
		}
	}
	return n
}

// StepBytes is how much disk space is reserved at once.
func (s *Store) StepBytes() int64 {
	return min(max(s.Bytes()/stepShare, leastStepBytes), mostStepBytes)
}

// Reads returns how many rows Fetch and Row took from where, since Open.
func (s *Store) Reads() Reads {
	return Reads{Mapped: s.counts.mapped.Load(), Read: s.counts.read.Load(), Bytes: s.counts.bytes.Load()}
}

// Write stores rows[i] in slots[i], rounded to the datatype; of equal slots the last counts. Runs of consecutive slots are
// written together. Views made afterwards see the rows. After an error some rows may be written.
func (s *Store) Write(slots []uint32, rows [][]float32) error {
	if len(slots) != len(rows) {
		return fmt.Errorf("mmapvec: %d slots but %d rows", len(slots), len(rows))
	}
	for _, row := range rows {
		if len(row) != s.layout.dim {
			return fmt.Errorf("%w: %d instead of %d", ErrDim, len(row), s.layout.dim)
		}
	}
	if err := s.writable(); err != nil {
		return err
	}
	for i := 0; i < len(slots); {
		n, err := s.writeRun(slots[i:], rows[i:])
		if err != nil {
			return fmt.Errorf("mmapvec: write slot %d: %w", slots[i], err)
		}
		i += n
	}
	return nil
}

func (s *Store) writable() error {
	if s.closing.Load() {
		return ErrClosed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed {
		return ErrFailed
	}
	return nil
}

// writeRun writes the first slots as long as they follow each other inside one chunk.
func (s *Store) writeRun(slots []uint32, rows [][]float32) (n int, err error) {
	number, row := s.layout.chunkOf(slots[0])
	c, err := s.chunkForWrite(number)
	if err != nil {
		return 0, err
	}
	limit := min(c.rows-row, max(writeBytes/s.layout.stride, 1), len(slots))
	n = 1
	for n < limit && slots[n] == slots[0]+uint32(n) {
		n++
	}
	stride := s.layout.stride
	if row+n > int(c.reserved.Load()) {
		if err := c.reserve(s.layout, row+n, s.StepBytes()); err != nil {
			return 0, err
		}
	}
	if cap(s.buf) < n*stride {
		s.buf = make([]byte, n*stride)
	}
	buf := s.buf[:n*stride]
	for i := range n {
		out := buf[i*stride : (i+1)*stride]
		s.layout.typ.encode(out, rows[i])
		s.layout.seal(out, slots[i])
	}
	_, err = c.file.WriteAt(buf, rowsOffset+int64(row)*int64(stride))
	s.mu.Lock() // after the write: a Sync meanwhile may have missed it
	s.dirty[c] = struct{}{}
	s.mu.Unlock()
	return n, err
}

func (s *Store) chunkForWrite(number int) (*chunk, error) {
	if table := *s.chunks.Load(); number < len(table) && table[number] != nil {
		return table[number], nil
	}
	if err := vfs.MkdirDurably(s.fs, s.dir); err != nil {
		return nil, err
	}
	c, err := createChunk(s.fs, s.dir, s.layout, number)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.created = true
	s.mu.Unlock()
	s.publish(c)
	return c, nil
}

// Sync returns when all rows written before the call are durable. After an error the store takes no
// more writes.
func (s *Store) Sync() error {
	if err := s.writable(); err != nil {
		return err
	}
	s.mu.Lock()
	dirty, created := s.dirty, s.created
	s.dirty, s.created = map[*chunk]struct{}{}, false
	s.mu.Unlock()
	var err error
	for c := range dirty {
		err = errors.Join(err, c.file.Sync())
	}
	if created && err == nil {
		err = s.fs.SyncDir(s.dir)
	}
	if err != nil {
		s.mu.Lock()
		s.failed = true
		s.mu.Unlock()
		return fmt.Errorf("mmapvec: sync: %w", err)
	}
	return nil
}

// Close waits until the last view is released and closes the files. It does not sync.
func (s *Store) Close() error {
	s.closed.Do(func() {
		s.closing.Store(true)
		s.unpin()
		<-s.idle
		s.closeAs = s.closeChunks()
	})
	return s.closeAs
}

func (s *Store) closeChunks() (err error) {
	for _, c := range *s.chunks.Load() {
		if c != nil {
			err = errors.Join(err, c.close())
		}
	}
	return err
}

// pin keeps the maps until unpin; false when the store is closed.
func (s *Store) pin() bool {
	for {
		n := s.pins.Load()
		if n == 0 || s.closing.Load() {
			return false
		}
		if s.pins.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (s *Store) unpin() {
	if s.pins.Add(-1) == 0 {
		close(s.idle)
	}
}
