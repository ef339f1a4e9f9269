package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/isobath/isobath/engine/slots"
	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/wal"
)

// recover brings the database to the state of its last durable record: the manifest names the
// checkpoint, the log what came after. Replay rewrites every record unconditionally.
func (db *DB) recover(s stores) (err error) {
	st := stages{last: time.Now()}
	if err := db.manifest.open(db.fs, db.dir); err != nil {
		return err
	}
	if err := db.roomFor(0); err != nil {
		return err
	}
	joinStore := db.openStore(s)
	defer func() { // closeStores closes it, whatever happens
		if e := joinStore(); !errors.Is(err, e) {
			err = errors.Join(err, e)
		}
	}()
	if db.wal, err = wal.Open(wal.Options{FS: db.fs, Dir: path.Join(db.dir, "wal"), FileBytes: db.logFileBytes, Log: db.log}); err != nil {
		return fmt.Errorf("engine: open log: %w", err)
	}
	st.end("log")
	m := db.manifest.get()
	db.recovering = true
	if err := db.loadCheckpoint(m); err != nil {
		return err
	}
	st.end("checkpoint")
	if db.wal.Last() > m.seq {
		if err := joinStore(); err != nil {
			return err
		}
		st.end("store")
	}
	if err := db.replay(m); err != nil {
		return err
	}
	st.end("replay")
	db.recovering = false
	if err := db.removeOrphans(); err != nil {
		return err
	}
	for _, num := range slices.Sorted(maps.Keys(db.ap.collections)) {
		c := db.ap.collections[num]
		if err := c.openIndexes(m.segments[num]); err != nil {
			return err
		}
		c.nextOperation = c.applied.operation
	}
	st.end("indexes")
	if err := joinStore(); err != nil {
		return err
	}
	if d := db.kv.Damage(); d != nil {
		db.damage = errors.Join(db.damage, d)
	}
	st.end("store")
	if err := db.startSequencer(); err != nil {
		return err
	}
	if db.damage != nil {
		db.fail(fmt.Errorf("%w: %w", ErrReadOnly, db.damage))
	}
	db.opened.Checkpoint, db.opened.Took = m.seq, st.total
	db.log.Info("database opened", slog.Uint64("checkpoint", m.seq), slog.Int("replayed", db.opened.Replayed),
		slog.Int("collections", len(db.ap.collections)), slog.Duration("took", st.total), slog.Group("stages", st.took...))
	return nil
}

// openStore opens badger beside the rest of recovery: only a replay needs it. The function returned
// waits for it, as often as it is called.
func (db *DB) openStore(s stores) (join func() error) {
	done := make(chan error, 1)
	go func() {
		kv, err := s.kv()
		if err != nil {
			err = fmt.Errorf("engine: open badger: %w", err)
		} else {
			db.kv = kv
		}
		done <- err
	}()
	return sync.OnceValue(func() error { return <-done })
}

// stages are the times that the parts of recovery took.
type stages struct {
	last  time.Time
	total time.Duration
	took  []any
}

func (st *stages) end(name string) {
	now := time.Now()
	d := now.Sub(st.last)
	st.took, st.total, st.last = append(st.took, slog.Duration(name, d)), st.total+d, now
}

// startSequencer lets the sequencer go on where the log ends.
func (db *DB) startSequencer() error {
	last := db.ap.seq
	if have := db.wal.Last(); have < last && db.damage == nil {
		// Its end was damaged and looked torn, or its files are gone: the checkpoint has what is
		// missing up to there, and nothing tells whether there was more.
		db.log.Warn("log ends before the checkpoint and begins anew", "log", have, "checkpoint", last)
		if err := db.wal.Reset(last + 1); err != nil {
			return fmt.Errorf("engine: log: %w", err)
		}
	}
	db.seq.log, db.seq.last = db.wal, last
	db.seq.nums, db.seq.keyNum = db.ap.nums, db.ap.keyNum
	db.seqDatabases = db.ap.databases
	db.durable.init(last)
	db.check.seq.Store(db.manifest.get().seq)
	if db.manifest.fresh {
		return db.manifest.update(func(*manifest) {})
	}
	return nil
}

// loadCheckpoint opens the collections as of the manifest's sequence number.
func (db *DB) loadCheckpoint(m *manifest) error {
	ap := newApplier(db)
	db.ap = ap
	ap.seq, ap.nums, ap.keyNum = m.seq, m.nums, m.keyNum
	ap.aliases = m.aliases
	db.catalog.aliases = m.aliases
	for n, d := range m.databases {
		ap.databases[n] = d
	}
	databases := ap.databases
	db.databases, db.publishedSeq = &databases, m.seq
	db.published.init(m.seq)
	db.garbage.set(m.garbage)
	if err := db.removeUnknown(m); err != nil {
		return err
	}
	for _, num := range slices.Sorted(maps.Keys(m.collections)) {
		c := db.newCollection(num, m.collections[num].name, m.collections[num].schema)
		if err := c.load(m.collections[num]); err != nil {
			db.damage = errors.Join(db.damage, db.exclude(c, err))
		}
	}
	return nil
}

// exclude keeps a collection whose files are damaged out of the replay. It answers every call
// with the reason, and the database takes no writes, so that the log keeps what a repaired
// collection will need; the other collections are served.
func (db *DB) exclude(c *Collection, err error) error {
	c.broken = fmt.Errorf("engine: collection %q: %w", c.name, errors.Join(err, c.close()))
	c.pub = c.applied
	db.catalog.add(c)
	return c.broken
}

// load opens the files of a checkpoint and makes the collection known.
func (c *Collection) load(e collectionEntry) error {
	db := c.db
	c.saved = e
	c.applied.fields, c.applied.operation, c.applied.feed = e.fields, e.operation, e.feed
	if len(e.filter.Meta) > 0 {
		state, err := filter.Load(db.fs, c.stateDir(), e.filter)
		if err != nil {
			return fmt.Errorf("payload indexes: %w", err)
		}
		c.applied.filter = state
	}
	if len(e.slots.Meta) > 0 {
		table, err := slots.Load(db.fs, c.stateDir(), e.slots)
		if err != nil {
			return fmt.Errorf("slots: %w", err)
		}
		c.slots = table
	}
	c.dead = deadSlots(c.slots.High(), c.applied.filter.All(), c.slots.FreeSet())
	if err := c.openRows(); err != nil {
		return err
	}
	if err := c.rowsThere(); err != nil {
		return err
	}
	db.ap.collections[c.num] = c
	if e.feed != nil {
		db.ap.feeds = append(db.ap.feeds, c)
	}
	c.pub = c.applied
	db.catalog.add(c)
	return nil
}

// rowsThere returns an error when a file is gone that held rows of the checkpoint: a search would
// pass over them, and replay would make the file again without them.
func (c *Collection) rowsThere() error {
	for _, name := range c.names {
		view := c.vectors[name].rows.View()
		defer view.Release()
		for it := c.applied.filter.Has(name).Iterator(); it.HasNext(); {
			slot := it.PeekNext()
			span := view.Span(slot)
			if span.Count == 0 {
				_, err := view.Row(slot)
				return fmt.Errorf("rows of vector %q: %w", name, err)
			}
			end := uint64(span.First) + uint64(span.Count)
			if end > math.MaxUint32 {
				break
			}
			it.AdvanceIfNeeded(uint32(end))
		}
	}
	return nil
}

// replay applies the log after the checkpoint. Damage in the log's middle ends it early; that,
// records that badger lost and damage that a record meets go to db.damage: what is there is served, nothing is written
// any more.
func (db *DB) replay(m *manifest) (err error) {
	if first := db.wal.First(); first > m.seq+1 && db.wal.Last() >= first {
		return &binfmt.CorruptError{File: "wal", Err: fmt.Errorf("log begins at record %d, the checkpoint is at %d", first, m.seq)}
	}
	if d := db.wal.Damage(); d != nil {
		db.damage = errors.Join(db.damage, d)
	}
	if db.wal.Last() <= m.seq {
		return nil
	}
	began := time.Now()
	defer func() { db.check.replay.Store(int64(time.Since(began))) }() // what the next start would take as well
	var group []queued
	var bytes int64
	run := func() error {
		if len(group) == 0 {
			return nil
		}
		err := db.ap.applyGroup(group)
		group, bytes = group[:0], 0
		return err
	}
	err = db.wal.Replay(m.seq+1, func(r wal.Record) error {
		o, err := decodeOp(r.Kind, slices.Clone(r.Data))
		if err != nil {
			return err
		}
		db.opened.Replayed++
		group = append(group, queued{seq: r.Seq, op: o})
		if bytes += int64(len(r.Data)); bytes < maxGroupBytes && len(group) < maxGroupRecords {
			return nil
		}
		return run()
	})
	err = errors.Join(err, run())
	if damage := (*binfmt.CorruptError)(nil); errors.As(err, &damage) {
		db.damage = errors.Join(db.damage, fmt.Errorf("engine: replay ends at record %d: %w", db.publishedSeq, err))
		db.ap.retreat()
		return nil
	}
	return err
}

// retreat gives up the group that could not be applied: what is published is served, read only.
// The slots and keys that the group has written already lie beyond every view.
func (ap *applier) retreat() {
	db := ap.db
	ap.seq, ap.databases, ap.aliases = db.publishedSeq, *db.databases, db.catalog.aliases
	for num, c := range ap.collections {
		if db.catalog.byNum[num] == nil {
			if err := c.close(); err != nil {
				db.log.Warn("collection of a group that failed", "err", err)
			}
		}
	}
	ap.collections = map[uint32]*Collection{}
	for num, c := range db.catalog.byNum {
		if c.broken == nil {
			c.applied = c.pub
			ap.collections[num] = c
		}
	}
	clear(ap.byNum)
	ap.documents = nil
	ap.group, ap.batches, ap.onPublish, ap.afterward = nil, nil, nil, nil
}

// removeUnknown deletes files that no manifest knows: what a crash left half made.
func (db *DB) removeUnknown(m *manifest) error {
	dirs, err := db.fs.List(path.Join(db.dir, "collections"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("engine: list collections: %w", err)
	}
	for _, dir := range dirs {
		num, err := strconv.ParseUint(dir, 10, 32)
		if err != nil {
			db.log.Warn("foreign file among the collections", "file", dir)
			continue
		}
		e := m.collections[uint32(num)]
		known := append(slices.Clone(e.filter.Files), e.slots.Files...)
		state := path.Join(db.dir, "collections", dir, "state")
		files, err := db.fs.List(state)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("engine: list %s: %w", state, err)
		}
		for _, f := range files {
			if !slices.Contains(known, f) {
				if err := db.fs.Remove(path.Join(state, f)); err != nil {
					return fmt.Errorf("engine: remove left-over: %w", err)
				}
			}
		}
	}
	return nil
}

// removeOrphans deletes the directories of collections that are no more: a crash came between
// the drop and the end of their removal.
func (db *DB) removeOrphans() error {
	dirs, err := db.fs.List(path.Join(db.dir, "collections"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("engine: list collections: %w", err)
	}
	for _, dir := range dirs {
		num, err := strconv.ParseUint(dir, 10, 32)
		if err != nil || db.catalog.byNum[uint32(num)] != nil {
			continue
		}
		// One that the replay dropped goes when the manifest does not name it any more: see discard.
		m := db.manifest.get()
		if _, named := m.collections[uint32(num)]; named || m.segments[uint32(num)] != nil {
			continue
		}
		if err := db.fs.RemoveAll(path.Join(db.dir, "collections", dir)); err != nil {
			return fmt.Errorf("engine: remove dropped collection: %w", err)
		}
	}
	return nil
}

// discard releases a dropped collection: its files go as soon as no view needs them, its keys
// in badger in a background pass.
func (db *DB) discard(c *Collection) {
	keys := []garbagePrefix{{prefixSlot, c.num}, {prefixPayload, c.num}}
	for _, p := range keys {
		db.garbage.add(p.prefix, p.num)
	}
	db.start(func() {
		c.life.close()
		err := c.close()
		err = errors.Join(err, db.manifest.update(func(m *manifest) {
			c.discarded = true
			delete(m.collections, c.num)
			delete(m.segments, c.num)
			for _, p := range keys { // a replay of the drop does not find the collection any more
				m.addGarbage(p)
			}
		}))
		if err == nil {
			err = db.fs.RemoveAll(c.dir)
		}
		if err != nil {
			db.log.Warn("files of a dropped collection stay", "collection", c.name, "err", err)
		}
	})
}

// deadSlots returns the slots below high that are neither alive nor free.
func deadSlots(high uint32, live, free *roaring.Bitmap) *roaring.Bitmap {
	dead := roaring.New()
	dead.AddRange(0, uint64(high))
	dead.AndNot(live)
	dead.AndNot(free)
	return dead
}
