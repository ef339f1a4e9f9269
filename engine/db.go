package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/isobath/isobath/engine/vectorindex"
	"github.com/isobath/isobath/internal/vfs"
	"github.com/isobath/isobath/payload"
	"github.com/isobath/isobath/wal"
)

// Options configures Open. The zero value is a database for everyday use.
type Options struct {
	// Log takes state changes and problems; default: discarded.
	Log *slog.Logger
	// Workers is the number of goroutines that build graphs in the background; default one
	// less than the processors, at least one. Negative: none, for tools that only read.
	Workers int
	// Busy, if not nil, is called with true when these begin to work much of the time, and with false when they do no
	// more and at Close. It is called by one goroutine at a time and is to be quick.
	Busy func(busy bool)
	// StoreBytes bounds the memory of badger's tables and caches; default 48 MiB.
	StoreBytes int64
	// MemoryLimit is what the process may use, in bytes. Codes, links and the building of graphs have what the Go heap
	// and the slots of points leave of it, at most seven eighths. Default: no limit.
	MemoryLimit int64
	// CheckpointAfter is the longest time between checkpoints while there are writes;
	// default 5 minutes. A checkpoint begins earlier when replaying the log would take more
	// than a second, when the log is longer than a gibibyte, and when nothing was written for two seconds and the log
	// takes more disk than it needs.
	CheckpointAfter time.Duration
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Workers == 0 {
		o.Workers = max(1, runtime.NumCPU()-1)
	}
	if o.StoreBytes == 0 {
		o.StoreBytes = 48 << 20
	}
	if o.CheckpointAfter == 0 {
		o.CheckpointAfter = 5 * time.Minute
	}
	return o
}

// DB is an open database. Methods are safe for concurrent use.
type DB struct {
	dir  string
	opts Options
	fs   vfs.FS
	log  *slog.Logger
	lock *flock.Flock
	kv   kvStore
	wal  *wal.Log

	clock func() time.Time
	tune  func(*vectorindex.Options)

	seq          sequencer
	seqDatabases [maxDatabases]database // as of the sequencer; guarded by seq.mu
	durable      progress
	published    progress
	defineMu     sync.Mutex // one definition (collection, alias, index) at a time
	ap           *applier
	unlooked     int64         // bytes of codes appended since boundTails looked; the applier's own
	stepping     atomic.Int64  // workers that wait for the applier
	patience     time.Duration // tailPatience, or a test's
	recovering   bool
	damage       error               // what recovery found; the database is read-only then
	admitted     chan struct{}       // searches that run, at most one a processor
	budget       *vectorindex.Budget // of codes and links; nil: no bound
	built        vectorindex.Built   // of all graphs
	spillDir     string
	warmed       atomic.Int64 // bytes of rows that workers ask for, see Collection.warmRows

	mu           sync.RWMutex // publication: a reader pins under RLock, the applier publishes under Lock
	catalog      catalog
	databases    *[maxDatabases]database // never changed once published
	publishedSeq uint64

	views    viewSet
	searches searchCounter
	pacing   pacing
	effort   effort
	garbage  garbage
	manifest manifestStore
	check    checkpointer
	workers  workers

	calls     chan func() // to the applier
	applyDone chan struct{}

	room         room                  // under seq.mu
	askNeed      func() (int64, error) // what badger may have to write by itself; nil: nothing
	logFileBytes int64                 // size of one file of the log
	logBytes     int64                 // a longer log begins a checkpoint
	readOnly     atomic.Pointer[error]
	stop         context.CancelFunc
	running      sync.WaitGroup
	closing      sync.Once
	closeErr     error
	opened       OpenStats
}

// OpenStats says what Open had to do.
type OpenStats struct {
	Checkpoint uint64        // sequence number of the checkpoint found
	Replayed   int           // log records applied after it
	Took       time.Duration // until queries were served
}

// Open opens or creates the database in dir and holds the directory until Close. It returns
// ErrLocked when another process holds it, *binfmt.CorruptError and its like when the
// manifest cannot be used. Damage in the middle of the log opens the database read-only.
func Open(dir string, o Options) (*DB, error) {
	o = o.withDefaults()
	if err := vfs.MkdirDurably(vfs.OS, dir); err != nil {
		return nil, fmt.Errorf("engine: data directory: %w", err)
	}
	lock := flock.New(path.Join(dir, "LOCK"), flock.SetPermissions(0o600))
	held, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("engine: lock of %s: %w", dir, err)
	}
	if !held {
		return nil, fmt.Errorf("%w: %s", ErrLocked, dir)
	}
	db, err := openStores(dir, o, stores{
		fs:    vfs.OS,
		spill: dir,
		room:  func() (free, total int64, err error) { return vfs.Room(dir) },
		need:  func() (int64, error) { return payload.Need(path.Join(dir, "badger")) },
		kv: func() (kvStore, error) {
			kv, err := payload.Open(payload.Options{Dir: path.Join(dir, "badger"), MemoryBytes: o.StoreBytes, Log: o.Log})
			if err != nil {
				return nil, err // not a nil store inside an interface that is not nil
			}
			return kv, nil
		},
	})
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	db.lock = lock
	return db, nil
}

// stores are the two things below the engine that tests replace.
type stores struct {
	fs    vfs.FS
	kv    func() (kvStore, error)
	tune  func(*vectorindex.Options)            // nil: nothing to change
	room  func() (free, total int64, err error) // nil: there is always room
	need  func() (int64, error)                 // what kv may write by itself; nil: nothing
	spill string                                // a real directory for what finds no memory; "": none
}

// openStores recovers the state and starts the goroutines.
func openStores(dir string, o Options, s stores) (*DB, error) {
	o = o.withDefaults()
	db := &DB{dir: dir, opts: o, fs: s.fs, log: o.Log, clock: time.Now, tune: s.tune, catalog: newCatalog(), databases: &[maxDatabases]database{}}
	db.seq.space.L = &db.seq.mu
	if o.MemoryLimit > 0 {
		db.budget = vectorindex.NewBudget(indexMemory(o.MemoryLimit, db.otherMemory()))
	}
	db.spillDir = s.spill
	db.room.ask, db.askNeed = s.room, s.need
	db.sizeLog()
	db.seq.maxBytes = maxQueuedBytes
	if o.MemoryLimit > 0 {
		db.seq.maxBytes = min(db.seq.maxBytes, o.MemoryLimit/queueMemory)
	}
	db.seq.wake = make(chan struct{}, 1)
	db.seq.overlay = newOverlay()
	db.workers.wake = make(chan struct{}, 1)
	db.effort.report = o.Busy
	db.admitted = make(chan struct{}, max(1, runtime.NumCPU()))
	db.calls, db.applyDone = make(chan func()), make(chan struct{})
	db.patience = tailPatience
	if err := db.recover(s); err != nil {
		db.running.Wait() // what replay dropped is being removed: nobody else may have the directory yet
		return nil, errors.Join(err, db.closeStores())
	}
	ctx, stop := context.WithCancel(context.Background())
	db.stop = stop
	synced := make(chan struct{}, 1)
	db.start(func() { db.syncLoop(ctx, synced) })
	db.start(func() { db.applyLoop(synced) })
	db.start(func() { db.checkpointLoop(ctx) })
	for range max(0, o.Workers) {
		db.start(func() { db.workLoop(ctx) })
	}
	db.start(func() { db.garbageLoop(ctx) })
	if db.budget != nil {
		db.start(func() { db.budgetLoop(ctx) })
	}
	return db, nil
}

func (db *DB) start(fn func()) {
	db.running.Add(1)
	go func() {
		defer db.running.Done()
		fn()
	}()
}

// syncLoop makes the log durable, again and again: the next group is what arrived during the
// last fsync. It tells the applier that there is more, and never waits for it: the sequencer,
// which the applier needs, may be waiting for the next fsync.
func (db *DB) syncLoop(ctx context.Context, synced chan<- struct{}) {
	defer close(synced)
	for {
		select {
		case <-db.seq.wake:
		case <-ctx.Done():
			return
		}
		seq, err := db.wal.Sync()
		if err != nil {
			db.fail(fmt.Errorf("%w: log: %w", ErrReadOnly, err))
			return
		}
		db.durable.advance(seq)
		select {
		case synced <- struct{}{}:
		default:
		}
	}
}

// fail turns the database read-only: err is what every later write gets.
func (db *DB) fail(err error) {
	db.seq.mu.Lock()
	defer db.seq.mu.Unlock()
	db.failLocked(err)
}

// failLocked is fail with the sequencer's lock held.
func (db *DB) failLocked(err error) {
	if !db.readOnly.CompareAndSwap(nil, &err) {
		return
	}
	db.log.Error("writes are refused from now on", "err", err)
	db.seq.failed = err
	db.seq.space.Broadcast()
	db.durable.fail(err)
	db.published.fail(err)
}

// Failed returns why writes are refused, nil while they are not.
func (db *DB) Failed() error {
	if err := db.readOnly.Load(); err != nil {
		return *err
	}
	return nil
}

// Close finishes what was sequenced, checkpoints, seals the graphs that are worth it and
// releases the directory. It may be called twice.
func (db *DB) Close() error {
	db.closing.Do(func() { db.closeErr = db.close() })
	return db.closeErr
}

// sealTime is how long Close may spend on sealing graphs.
const sealTime = 5 * time.Second

func (db *DB) close() error {
	ctx := context.Background()
	db.seq.mu.Lock()
	db.seq.closed = true
	db.seq.space.Broadcast()
	db.seq.mu.Unlock()
	var err error
	if db.Failed() == nil {
		if e := db.Barrier().Wait(ctx); e != nil {
			err = e
		}
		if err == nil {
			err = db.roomFor(0)
		}
		if err == nil {
			sealing, cancel := context.WithTimeout(ctx, sealTime)
			db.sealAll(sealing)
			cancel()
			err = db.Checkpoint(ctx)
		}
	}
	db.stop()
	db.published.fail(ErrClosed)
	db.durable.fail(ErrClosed)
	db.running.Wait()
	db.check.mu.Lock() // a checkpoint that somebody asked for still writes
	defer db.check.mu.Unlock()
	db.effort.end()
	if err == nil && db.Failed() == nil {
		err = db.dropLog()
	}
	return errors.Join(err, db.closeStores())
}

// dropLog leaves an empty log behind a checkpoint that holds all of it: the next start has nothing to
// read. A crash in between leaves what the checkpoint has as well.
func (db *DB) dropLog() error {
	last := db.wal.Last()
	if last != db.manifest.get().seq || db.wal.First() > last {
		return nil
	}
	if err := db.wal.Reset(last + 1); err != nil {
		return fmt.Errorf("engine: log: %w", err)
	}
	return nil
}

func (db *DB) closeStores() error {
	var err error
	open := map[*Collection]struct{}{} // after a failure the applier's and the published ones may differ
	for _, c := range db.catalog.byNum {
		open[c] = struct{}{}
	}
	if db.ap != nil {
		for _, c := range db.ap.collections {
			open[c] = struct{}{}
		}
	}
	for c := range open {
		if c.broken == nil {
			c.life.close()
			err = errors.Join(err, c.close())
		}
	}
	if db.wal != nil {
		err = errors.Join(err, db.wal.Close())
	}
	if db.kv != nil {
		// Without room it is left as a kill would leave it: what it has not saved the log has.
		if full := db.roomFor(0); full != nil {
			err = errors.Join(err, full)
		} else {
			err = errors.Join(err, db.kv.Close())
		}
	}
	if db.lock != nil {
		err = errors.Join(err, db.lock.Unlock())
	}
	return err
}

var errNothing = errors.New("engine: nothing to do")
