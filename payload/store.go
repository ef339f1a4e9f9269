package payload

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"

	"github.com/isobath/isobath/internal/binfmt"
)

// Errors of the store.
var (
	// ErrNotFound is returned by Get for a key that does not live at the asked Seq.
	ErrNotFound = errors.New("payload: key not found")
	// ErrClosed is returned by every method after Close.
	ErrClosed = errors.New("payload: store is closed")
	// ErrKey is returned for an empty key and for one longer than MaxKeyBytes.
	ErrKey = errors.New("payload: key is empty or too long")
	// ErrSeq is returned by Apply for Seq 0, which badger reserves, and beyond 48 bits.
	ErrSeq = errors.New("payload: sequence number out of range")
	// ErrFailed is returned by Apply and Sync after a sync failed: what is on disk is not known
	// until the store is opened again. Reading goes on.
	ErrFailed = errors.New("payload: an earlier sync failed")
)

// MaxKeyBytes bounds a key.
const MaxKeyBytes = 60000

// Op is one write: Value becomes the value of Key from Seq on or, with Delete, Key is gone from Seq
// on. Seq starts at 1.
type Op struct {
	Key, Value []byte
	Seq        uint64
	Delete     bool
}

// Stats are figures for metrics.
type Stats struct {
	TableBytes int64 // tables on disk, without memtables
	Tables     int
	BlobBytes  int64 // files of long values on disk
}

// Store keeps versioned key-value pairs. Apply, SetDiscard and Sync belong to one writer; the
// methods that read are safe for concurrent use with them and with each other.
type Store struct {
	o  Options
	db *badger.DB

	applyMu sync.Mutex
	batch   batch
	writer  blobWriter     // of blobs that Apply writes
	placed  []placed       // of one Apply
	last    map[string]int // of one record
	key     []byte
	newest  uint64 // highest Seq that badger has
	mark    mark
	space   blobSpace
	damage  *binfmt.CorruptError

	blobs     *blobFiles
	collector collector

	durable uint64 // Seq up to which an earlier run made all durable

	syncMu sync.Mutex
	synced map[string]bool // files that never change and are durable
	failed atomic.Bool     // the kernel tells of a failed sync once and may have dropped the pages

	stop chan struct{} // ends what runs beside the calls
	tidy sync.WaitGroup

	users   atomic.Int64 // running calls
	closing atomic.Bool
	idle    chan struct{} // closed when the last call after closing ends
	idleSet sync.Once
	closed  sync.Once
	closeAs error
}

// Open opens the store in o.Dir or creates it. Nothing is durable before the first Sync, the
// store's own files included.
func Open(o Options) (*Store, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	if err := makeDir(o.Dir); err != nil {
		return nil, fmt.Errorf("payload: open: %w", err)
	}
	if err := removeEmpty(o.Dir); err != nil {
		return nil, fmt.Errorf("payload: open: %w", err)
	}
	if err := checkTables(o, verifiedAtOpen); err != nil {
		return nil, err
	}
	s, err := openDB(o, badgerOptions(o))
	if err != nil {
		return nil, fmt.Errorf("payload: open %s: %w", o.Dir, err)
	}
	s.writer.resume()
	s.tidy.Go(s.adviseTables)
	s.tidy.Go(s.collectLoop)
	return s, nil
}

// openDB opens badger and lists the files of blobs.
func openDB(o Options, bo badger.Options) (*Store, error) {
	blobs, err := openBlobs(o.blobFS, filepath.ToSlash(filepath.Join(o.Dir, blobsDir)))
	if err != nil {
		return nil, err
	}
	s := &Store{o: o, blobs: blobs, last: map[string]int{}, synced: map[string]bool{}, idle: make(chan struct{}), stop: make(chan struct{})}
	s.writer.to, s.collector.writer.to = blobs, blobs
	s.collector.wake, s.collector.least, s.collector.damaged = make(chan struct{}, 1), collectBytes, map[uint64]bool{}
	err = s.guard(func() (err error) {
		s.db, err = badger.OpenManaged(bo)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, blobs.close())
	}
	if err := s.loadMark(); err != nil {
		return nil, errors.Join(err, s.db.Close(), blobs.close())
	}
	s.newest = seqOf(s.db.MaxVersion())
	s.space.stale = max(s.space.stale, blobs.bytes.Load()-s.space.held) // a kill forgets what was condemned
	return s, nil
}

// adviseTables tells the kernel about every new table, until Close. Files come and go with the time
// of their directory, so that an idle store costs one stat.
func (s *Store) adviseTables() {
	tick := time.NewTicker(adviseEvery)
	defer tick.Stop()
	var told map[string]int
	var seen time.Time
	for due := tellTables; ; {
		if info, err := os.Stat(s.o.Dir); err != nil || !info.ModTime().Equal(seen) {
			due = tellTables
			if err == nil {
				seen = info.ModTime()
			}
		}
		if due > 0 {
			s.withTables(func(tables map[string]bool) { told = adviseMaps(s.o.Dir, tables, told) })
			due--
		}
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
	}
}

// withTables calls fn with the base names of tables that stay mapped until it returns: those that were
// there before and after an iterator was made, which holds all that are there when it is made.
func (s *Store) withTables(fn func(tables map[string]bool)) {
	before := map[string]bool{}
	for _, t := range s.db.Tables() {
		before[table.IDToFilename(t.ID)] = true
	}
	txn := s.db.NewTransactionAt(^uint64(0), false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{})
	defer it.Close()
	held := map[string]bool{}
	for _, t := range s.db.Tables() {
		if name := table.IDToFilename(t.ID); before[name] {
			held[name] = true
		}
	}
	fn(held)
}

const (
	// adviseEvery is how long the pages of a fresh table may count as the process's own.
	adviseEvery = 250 * time.Millisecond
	tellTables  = 2 // times that a table is told
)

// Apply writes the ops, each at its own Seq, in ascending order of Seq; of two ops with the same key
// and Seq the later counts. Applying again what was applied before changes nothing, even when newer
// versions exist, so a log can be replayed from any point after the discard Seq. It is not atomic:
// readers at a Seq below are not disturbed, readers at the ops' own Seq have to wait for it to return.
// The slices may be reused after it returned.
func (s *Store) Apply(ops []Op) error {
	if !s.enter() {
		return ErrClosed
	}
	defer s.leave()
	for i := range ops {
		if n := len(ops[i].Key); n == 0 || n > MaxKeyBytes {
			return fmt.Errorf("%w: %d bytes", ErrKey, n)
		}
		if ops[i].Seq == 0 || ops[i].Seq > maxSeq {
			return ErrSeq
		}
	}
	if len(ops) == 0 {
		return nil
	}
	if s.failed.Load() {
		return ErrFailed
	}
	s.applyMu.Lock()
	defer s.applyMu.Unlock()
	ops = lastOfRecord(ops, s.last)
	blobs, err := s.writeBlobs(ops)
	if err != nil {
		return fmt.Errorf("payload: apply up to record %d: %w", ops[len(ops)-1].Seq, err)
	}
	s.newest = max(s.newest, ops[len(ops)-1].Seq)
	wb := s.db.NewManagedWriteBatch()
	s.batch.reset(wb)
	for i := range ops {
		var blob placed
		if isBlob(&ops[i]) {
			blob, blobs = blobs[0], blobs[1:]
		}
		if err := s.batch.put(&ops[i], blob); err != nil {
			wb.Cancel()
			return fmt.Errorf("payload: apply record %d: %w", ops[i].Seq, err)
		}
		s.space.note(&ops[i])
	}
	s.mark.note(ops[len(ops)-1].Seq)
	if err := wb.Flush(); err != nil {
		return fmt.Errorf("payload: apply up to record %d: %w", ops[len(ops)-1].Seq, err)
	}
	if s.collector.discard.Load() > 0 {
		s.wakeCollectorLocked()
	}
	return nil
}

// Damage returns what Open found to be lost of the records that an earlier Sync had made durable, nil
// normally. The store works, but keys may be missing or old; it stays marked as damaged.
func (s *Store) Damage() *binfmt.CorruptError { return s.damage }

// Get appends the value of key at seq (its newest version not above) to dst. It returns ErrNotFound
// when there is none and a *binfmt.CorruptError when the stored bytes are not those written.
func (s *Store) Get(seq uint64, key, dst []byte) ([]byte, error) {
	if !s.enter() {
		return nil, ErrClosed
	}
	defer s.leave()
	out := dst
	err := s.guard(func() error {
		return s.lookup(seq, prefixValue, key, func(txn *badger.Txn, k []byte, item *badger.Item) (err error) {
			out, err = s.appendValue(txn, item, k, dst)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Has says whether key lives at seq. It does not look at the value.
func (s *Store) Has(seq uint64, key []byte) (bool, error) {
	if !s.enter() {
		return false, ErrClosed
	}
	defer s.leave()
	err := s.guard(func() error {
		return s.lookup(seq, prefixValue, key, func(*badger.Txn, []byte, *badger.Item) error { return nil })
	})
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

var keyPool = sync.Pool{New: func() any { return new([]byte) }}

func (s *Store) lookup(seq uint64, prefix byte, key []byte, found func(*badger.Txn, []byte, *badger.Item) error) error {
	if len(key) > MaxKeyBytes {
		return ErrNotFound
	}
	buf := keyPool.Get().(*[]byte)
	defer keyPool.Put(buf)
	*buf = append(append((*buf)[:0], prefix), key...)
	txn := s.db.NewTransactionAt(upTo(seq), false)
	defer txn.Discard()
	item, err := txn.Get(*buf)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("payload: read: %w", err)
	}
	return found(txn, *buf, item)
}

// SetDiscard allows versions to be dropped that are not visible at seq or above. The caller reads at
// no lower Seq and replays no record at or below it from now on. Blobs are collected after calls of it.
func (s *Store) SetDiscard(seq uint64) {
	if !s.enter() {
		return
	}
	defer s.leave()
	s.db.SetDiscardTs(upTo(seq))
	s.collector.discard.Store(seq)
	s.collector.tables.Store(s.Stats().TableBytes)
	s.dropCondemned()
	s.wakeCollector()
}

// Stats returns figures for metrics.
func (s *Store) Stats() (st Stats) {
	if !s.enter() {
		return Stats{}
	}
	defer s.leave()
	for _, l := range s.db.Levels() {
		st.Tables += l.NumTables
		st.TableBytes += l.Size
	}
	st.BlobBytes = s.blobs.bytes.Load()
	return st
}

// Close waits for running calls and closes the store. What was applied is durable afterwards.
func (s *Store) Close() error {
	s.closed.Do(func() {
		syncErr := s.Sync()
		close(s.stop)
		s.tidy.Wait()
		s.closing.Store(true)
		if s.users.Load() > 0 {
			<-s.idle
		}
		s.closeAs = errors.Join(syncErr, s.blobs.sync(), s.db.Close(), s.blobs.close())
		if s.closeAs == nil { // the close wrote the last table
			s.syncMu.Lock()
			s.closeAs = s.syncFilesLocked()
			s.syncMu.Unlock()
		}
	})
	return s.closeAs
}

// enter counts a running call; false when the store is closed.
func (s *Store) enter() bool {
	s.users.Add(1)
	if s.closing.Load() {
		s.leave()
		return false
	}
	return true
}

func (s *Store) leave() {
	if s.users.Add(-1) == 0 && s.closing.Load() {
		s.idleSet.Do(func() { close(s.idle) })
	}
}

func (s *Store) corrupt(format string, args ...any) error {
	return binfmt.Corrupt(s.o.Dir, 0, "payload: "+format, args...)
}
