package payload

import (
	"cmp"
	"encoding/binary"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/vfs"
)

// A file of blobs of which much is no longer needed is collected: what is needed is copied to another
// file and made durable there, then the references of badger are written anew, a rewrite above the old
// ones, and the file is condemned. It is deleted when the new references are durable too and nobody
// reads as far back as the old ones.

const (
	// collectShare of all blobs has to be stale, by what is known without looking, before anybody looks,
	// and not less than collectBytes or the part collectTree of badger's tables, which a look reads.
	collectShare = 3
	collectBytes = 32 << 20
	collectTree  = 8
	// keepShare of a file, in hundredths, may be needed when it is collected.
	keepShare = 70
	// A chunk is copied and made durable, then its references are changed, some at a time: Apply waits.
	chunkBytes = 8 << 20
	chunkBlobs = 4096
	lockBlobs  = 256
	// collectRest is the pause after a collection that failed.
	collectRest = 10 * time.Minute
)

// blobSpace is what is known of blobs without looking at badger's keys. It is guarded by Store.applyMu
// and kept with the number of every Sync.
type blobSpace struct {
	held  int64 // bytes of blobs that were needed at the last collection or came since
	count int64 // and how many there are
	stale int64 // bytes that came since, each may have replaced another, and those of deletes, by the mean
}

func (b *blobSpace) note(op *Op) {
	switch {
	case isBlob(op):
		n := int64(len(op.Value))
		b.held, b.count, b.stale = b.held+n, b.count+1, b.stale+n
	case op.Delete && b.count > 0:
		b.stale += b.held / b.count
	}
}

func (b *blobSpace) append(dst []byte) []byte {
	for _, n := range []int64{b.held, b.count, b.stale} {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(n))
	}
	return dst
}

func (b *blobSpace) decode(r *binfmt.Reader) {
	*b = blobSpace{held: max(0, r.I64()), count: max(0, r.I64()), stale: max(0, r.I64())}
}

// collector is the state of collections. Writer, failed and damaged belong to the goroutine that collects.
type collector struct {
	wake    chan struct{}
	least   int64         // collectBytes
	discard atomic.Uint64 // of the last SetDiscard; 0 as long as records may be replayed
	tables  atomic.Int64  // bytes of badger's tables then
	writer  blobWriter
	failed  time.Time
	damaged map[uint64]bool // files of which a blob is damaged are left alone

	mu        sync.Mutex
	condemned []condemned
}

type condemned struct {
	file    uint64
	seq     uint64 // whoever reads here or above finds no reference to it
	durable bool   // also after a power cut
}

func (c *collector) list() (files []uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.condemned {
		files = append(files, f.file)
	}
	return files
}

// durable is told after a sync which files were condemned before it.
func (c *collector) durable(files []uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.condemned {
		if slices.Contains(files, c.condemned[i].file) {
			c.condemned[i].durable = true
		}
	}
}

// dropCondemned deletes the files that nobody needs any more.
func (s *Store) dropCondemned() {
	seq := s.collector.discard.Load()
	s.collector.mu.Lock()
	var drop []uint64
	s.collector.condemned = slices.DeleteFunc(s.collector.condemned, func(c condemned) bool {
		gone := c.durable && c.seq <= seq
		if gone {
			drop = append(drop, c.file)
		}
		return gone
	})
	s.collector.mu.Unlock()
	for _, file := range drop {
		if err := s.blobs.remove(file); err != nil {
			s.o.Log.Warn("a collected file of blobs cannot be deleted", "file", s.blobs.name(file), "err", err)
		}
	}
}

func (s *Store) wakeCollector() {
	s.applyMu.Lock()
	defer s.applyMu.Unlock()
	s.wakeCollectorLocked()
}

func (s *Store) dueLocked() bool {
	return s.space.stale >= max(s.collector.least, s.space.held/collectShare, s.collector.tables.Load()/collectTree)
}

func (s *Store) due() bool {
	s.applyMu.Lock()
	defer s.applyMu.Unlock()
	return s.dueLocked()
}

func (s *Store) wakeCollectorLocked() {
	if !s.dueLocked() {
		return
	}
	select {
	case s.collector.wake <- struct{}{}:
	default:
	}
}

func (s *Store) collectLoop() {
	again := time.NewTicker(collectRest)
	defer again.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-s.collector.wake:
		case <-again.C: // a view may have ended, there may be room
			if s.collector.discard.Load() == 0 || !s.due() && len(s.collector.list()) == 0 {
				continue
			}
		}
		if s.failed.Load() || time.Since(s.collector.failed) < collectRest {
			continue
		}
		var err error
		if s.due() {
			err = s.collect()
		}
		if err == nil {
			err = s.settle()
		}
		if err != nil && !errors.Is(err, errStopped) {
			s.collector.failed = time.Now()
			s.o.Log.Warn("collecting blobs is tried again later", "err", err)
		}
	}
}

// settle deletes what was condemned at once where nothing is written any more: no other checkpoint may come.
func (s *Store) settle() error {
	s.applyMu.Lock()
	newest := s.newest
	s.applyMu.Unlock()
	if len(s.collector.list()) == 0 || newest > s.collector.discard.Load() {
		return nil // a checkpoint will come
	}
	if s.roomToMove() == 0 {
		return errNoRoom
	}
	if err := s.Sync(); err != nil {
		return err
	}
	s.dropCondemned()
	return nil
}

var (
	errStopped = errors.New("payload: store is being closed")
	errNoRoom  = errors.New("payload: no room for copies of blobs")
)

func (s *Store) stopped() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// blobUse says how much of a file is needed.
type blobUse struct{ bytes, count int64 }

type finishedFile struct {
	number uint64
	size   int64
}

// collect looks which blobs are needed and collects files of which few are.
func (s *Store) collect() error {
	s.applyMu.Lock()
	space := s.space
	// Between two calls of Apply: badger has the references to all that is in files.
	files := s.finishedBlobs()
	s.applyMu.Unlock()

	began := time.Now()
	// An iteration passes over all that lies behind a damaged block: it would be taken for not needed.
	if err := errors.Join(s.damaged(), s.soundBlocks()); err != nil {
		return err
	}
	use := map[uint64]blobUse{}
	var held blobUse
	err := s.eachBlob(func(_ []byte, _ uint64, ref blobRef) error {
		u := use[ref.file]
		use[ref.file] = blobUse{u.bytes + ref.length, u.count + 1}
		held = blobUse{held.bytes + ref.length, held.count + 1}
		return nil
	})
	if err != nil {
		return err
	}
	// Those that nobody needs can go whatever happens to the others.
	victims, all := s.victims(files, use)
	moved := int64(0)
	first := len(victims)
	for i, v := range victims {
		if moved += use[v.number].bytes; moved > 0 {
			first = min(first, i)
		}
	}
	s.condemn(victims[:first])
	if moved > 0 {
		if err := s.move(victims[first:]); err != nil {
			return err
		}
		s.condemn(victims[first:])
	}
	if !all {
		return errNoRoom
	}
	s.applyMu.Lock()
	s.space = blobSpace{ // with what came meanwhile
		held:  held.bytes + s.space.held - space.held,
		count: held.count + s.space.count - space.count,
		stale: s.space.stale - space.stale,
	}
	s.mark.applied = true // the next Sync keeps it
	s.applyMu.Unlock()
	s.o.Log.Debug("blobs collected", slog.Int("files", len(victims)), slog.Int64("moved", moved), slog.Duration("took", time.Since(began)))
	return nil
}

// finishedBlobs returns number and size of the files that take no more blobs and are not condemned.
func (s *Store) finishedBlobs() (files []finishedFile) {
	s.collector.mu.Lock()
	defer s.collector.mu.Unlock()
	s.blobs.mu.RLock()
	defer s.blobs.mu.RUnlock()
	for _, f := range s.blobs.files {
		gone := func(c condemned) bool { return c.file == f.number }
		if f != s.writer.file && f != s.collector.writer.file && !s.collector.damaged[f.number] && !slices.ContainsFunc(s.collector.condemned, gone) {
			files = append(files, finishedFile{f.number, f.size.Load()})
		}
	}
	return files
}

// eachBlob calls fn for every blob of the newest version of a key. The key is borrowed.
func (s *Store) eachBlob(fn func(key []byte, version uint64, ref blobRef) error) error {
	return s.guard(func() error {
		txn := s.db.NewTransactionAt(^uint64(0), false)
		defer txn.Discard()
		c := newCursor(txn, ScanOptions{})
		defer c.it.Close()
		for n := 0; c.valid(); c.it.Next() {
			if n++; n%1024 == 0 && s.stopped() {
				return errStopped
			}
			item := c.it.Item()
			ref, err := s.blobOf(item)
			if err == nil && ref != nil {
				err = fn(item.Key(), item.Version(), *ref)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// blobOf returns where the blob of an item is, nil when its value is none. It does not verify values that are none.
func (s *Store) blobOf(item *badger.Item) (ref *blobRef, err error) {
	err = item.Value(func(stored []byte) error {
		if len(stored) > 0 && stored[0] != formatBlob {
			return nil
		}
		_, body, err := s.open(item.Key(), stored, item.Version())
		if err != nil {
			return err
		}
		r, err := decodeBlobRef(body)
		ref = &r
		return err
	})
	return ref, err
}

// victims chooses the files to collect: those that nobody needs, and of the others those of which
// least is needed, as far as there is room for the copies; all says whether there was for all.
func (s *Store) victims(files []finishedFile, use map[uint64]blobUse) (out []finishedFile, all bool) {
	slices.SortFunc(files, func(a, b finishedFile) int {
		return cmp.Compare(float64(use[a.number].bytes)/float64(a.size+1), float64(use[b.number].bytes)/float64(b.size+1))
	})
	room := s.roomToMove()
	for _, f := range files {
		needed := use[f.number].bytes
		if needed > f.size/100*keepShare {
			break
		}
		if needed > room {
			return out, false // the others are likely to need no less
		}
		room -= needed
		out = append(out, f)
	}
	return out, true
}

// roomToMove is half of what is free and badger does not need.
func (s *Store) roomToMove() int64 {
	free, _, err := vfs.Room(s.o.Dir)
	if err != nil {
		return 1 << 62 // who cannot know must not refuse
	}
	need, err := Need(s.o.Dir)
	if err != nil {
		return 0
	}
	return max(0, free-need) / 2
}

// condemn puts files on the list of those to delete. Whoever reads below the newest version in badger
// may have a reference to them.
func (s *Store) condemn(files []finishedFile) {
	s.applyMu.Lock()
	seq := s.newest
	s.applyMu.Unlock()
	s.collector.mu.Lock()
	defer s.collector.mu.Unlock()
	for _, f := range files {
		s.collector.condemned = append(s.collector.condemned, condemned{file: f.number, seq: seq})
	}
}
