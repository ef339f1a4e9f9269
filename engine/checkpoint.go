package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/isobath/isobath/engine/slots"
	"github.com/isobath/isobath/engine/vectorindex"
	"github.com/isobath/isobath/filter"
)

// checkpointer makes all stores agree on one sequence number and drops the log before it.
type checkpointer struct {
	mu     sync.Mutex // one checkpoint at a time
	seq    atomic.Uint64
	replay atomic.Int64 // nanoseconds that applying the log since the last cut took
	last   atomic.Int64 // unix nanoseconds of the newest one
	took   atomic.Int64
	merged atomic.Int64 // unix nanoseconds of the last change of segments since slots were freed, 0: none
}

// checkpointTick is the time between looks at what a checkpoint would save.
const checkpointTick = 200 * time.Millisecond

// checkpointPause is the time after one that failed: the disk may be full.
const checkpointPause = 5 * time.Second

// A checkpoint begins when replaying the log would take longer than maxReplay nanoseconds, as
// measured when it was applied, when the log is longer than maxLogBytes (less on a small file system), or when nothing
// was written for quietAfter and the log has more files, or a larger one, than it needs.
const (
	maxReplay   = int64(time.Second)
	maxLogBytes = 1 << 30
	quietAfter  = 2 * time.Second

	quietPerCheckpoint = 20 // how many times as long as the last checkpoint took it is quiet before one
)

// cut is the applied state at one sequence number, on its way to disk.
type cut struct {
	m           *manifest
	collections []*collectionCut
	replay      int64 // nanoseconds of applying what it holds
}

type collectionCut struct {
	c      *Collection
	entry  collectionEntry
	filter *filter.Save // nil: unchanged since the last checkpoint
	slots  *slots.Save
}

// checkpointLoop begins a checkpoint when the log is long or old enough.
func (db *DB) checkpointLoop(ctx context.Context) {
	tick := time.NewTicker(checkpointTick)
	defer tick.Stop()
	began := time.Now()
	var failed time.Time // the last one, if it did
	var seen uint64
	wrote := began
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if last := db.wal.Last(); last != seen {
			seen, wrote = last, time.Now()
		}
		quiet := time.Since(wrote) >= max(quietAfter, quietPerCheckpoint*time.Duration(db.check.took.Load()))
		if quiet && db.Failed() == nil {
			if err := db.freeAfterMerge(); err != nil {
				db.log.Error("free slots", "err", err)
			}
		}
		if db.Failed() != nil || db.published.load() == db.check.seq.Load() {
			began = time.Now()
			continue
		}
		if (!quiet || !db.wal.Shrinks()) && db.check.replay.Load() < maxReplay && db.wal.Bytes() < db.logBytes && time.Since(began) < db.opts.CheckpointAfter {
			continue
		}
		if time.Since(failed) < checkpointPause {
			continue
		}
		if err := db.checkpoint(true); err != nil {
			db.log.Error("checkpoint", "err", err)
			failed = time.Now()
		}
		began = time.Now()
	}
}

// Checkpoint makes the state of now durable in all stores and drops the log before it.
func (db *DB) Checkpoint(ctx context.Context) error {
	if err := db.Barrier().Wait(ctx); err != nil {
		return err
	}
	return db.checkpoint(false)
}

func (db *DB) checkpoint(freeSlots bool) error {
	db.check.mu.Lock()
	defer db.check.mu.Unlock()
	if err := db.roomFor(0); err != nil {
		return err
	}
	began := time.Now()
	var ct *cut
	err := db.onApplier(func() {
		// Between two groups, so that a group that failed half applied is known here.
		if db.Failed() == nil {
			ct = db.ap.cut()
		}
	})
	if err != nil {
		return err
	}
	if ct == nil {
		return db.Failed()
	}
	old := db.manifest.get()
	if err := db.writeManifest(ct); err != nil {
		return errors.Join(err, db.onApplier(func() { db.ap.giveUp(ct) }))
	}
	if err := db.onApplier(func() { db.ap.finishCut(ct) }); err != nil {
		return err
	}
	db.removeStale(ct, old)
	db.check.seq.Store(ct.m.seq)
	db.check.last.Store(time.Now().UnixNano())
	db.check.took.Store(int64(time.Since(began)))
	db.kv.SetDiscard(min(ct.m.seq, db.views.oldest(ct.m.seq)))
	if err := db.wal.TruncatePrefix(ct.m.seq); err != nil { // the log takes nothing any more
		err = fmt.Errorf("%w: checkpoint at %d: log: %w", ErrReadOnly, ct.m.seq, err)
		db.fail(err)
		return err
	}
	db.log.Debug("checkpoint", slog.Uint64("seq", ct.m.seq), slog.Duration("took", time.Since(began)))
	if freeSlots {
		return db.freeSlots(ct.m.seq)
	}
	return nil
}

// writeManifest makes the cut the state that recovery starts from.
func (db *DB) writeManifest(ct *cut) error {
	if err := db.writeCut(ct); err != nil {
		return fmt.Errorf("engine: checkpoint at %d: %w", ct.m.seq, err)
	}
	return db.manifest.update(func(m *manifest) {
		m.seq, m.nums, m.keyNum = ct.m.seq, ct.m.nums, ct.m.keyNum
		m.databases, m.aliases = ct.m.databases, ct.m.aliases
		// With what was collected since: these deletes may not be durable. And with what was dropped
		// since: the manifest may not name the collection any more, when the drop is replayed.
		m.garbage = ct.m.garbage
		for _, p := range db.garbage.list() {
			m.addGarbage(p)
		}
		m.collections = map[uint32]collectionEntry{}
		for _, cc := range ct.collections {
			if !cc.c.discarded {
				m.collections[cc.c.num] = cc.entry
			}
		}
	})
}

// giveUp marks what was not saved as changed, for the next checkpoint.
func (ap *applier) giveUp(ct *cut) {
	ap.db.check.replay.Add(ct.replay)
	for _, cc := range ct.collections {
		cc.c.dirty = cc.c.dirty || cc.filter != nil
	}
}

// cut copies the applied state, between two groups.
func (ap *applier) cut() *cut {
	m := newManifest()
	m.seq, m.nums, m.keyNum = ap.seq, ap.nums, ap.keyNum
	m.aliases = ap.aliases
	m.garbage = ap.db.garbage.list()
	for n, d := range ap.databases {
		if d.generation != 0 {
			m.databases[n] = d
		}
	}
	ct := &cut{m: m, replay: ap.db.check.replay.Swap(0)}
	for _, num := range slices.Sorted(maps.Keys(ap.collections)) {
		c := ap.collections[num]
		st := c.applied
		cc := &collectionCut{c: c, entry: c.saved}
		cc.entry.num, cc.entry.name, cc.entry.schema = num, c.name, st.schema
		cc.entry.operation, cc.entry.fields, cc.entry.feed = st.operation, st.fields, st.feed
		if c.dirty {
			cc.filter, cc.slots = st.filter.BeginSave(), c.slots.BeginSave()
			c.dirty = false
		}
		ct.collections = append(ct.collections, cc)
	}
	return ct
}

// writeCut writes and syncs everything that the new manifest will rely on.
func (db *DB) writeCut(ct *cut) error {
	for _, cc := range ct.collections {
		if cc.filter == nil {
			continue
		}
		if !cc.c.life.enter() {
			continue // dropped meanwhile; the manifest will not name it
		}
		err := cc.write(db)
		cc.c.life.leave()
		if err != nil {
			return fmt.Errorf("collection %q: %w", cc.c.name, err)
		}
	}
	return db.kv.Sync()
}

func (cc *collectionCut) write(db *DB) (err error) {
	for _, v := range cc.c.vectors {
		if err := v.rows.Sync(); err != nil {
			return err
		}
	}
	dir := cc.c.stateDir()
	if cc.entry.filter, err = cc.filter.Run(db.fs, dir, func() string { return db.manifest.file("filter") }); err != nil {
		return err
	}
	cc.entry.slots, err = cc.slots.Run(db.fs, dir, func() string { return db.manifest.file("slots") })
	return err
}

// finishCut lets the live state use the files that were written.
func (ap *applier) finishCut(ct *cut) {
	if ap.db.Failed() != nil {
		return // a group may be half applied, and nothing will be saved again
	}
	for _, cc := range ct.collections {
		if cc.filter == nil || ap.collections[cc.c.num] != cc.c {
			continue
		}
		cc.c.saved = cc.entry
		cc.c.slots.FinishSave(cc.slots)
		cc.c.applied.filter = cc.c.applied.filter.FinishSave(cc.filter)
		ap.db.mu.Lock()
		cc.c.pub.filter = cc.c.applied.filter
		ap.db.mu.Unlock()
	}
}

// removeStale deletes the state files that the old manifest named and the new one does not.
func (db *DB) removeStale(ct *cut, old *manifest) {
	for _, cc := range ct.collections {
		if cc.filter == nil {
			continue
		}
		was, is := old.collections[cc.c.num], cc.entry
		keep := append(slices.Clone(is.filter.Files), is.slots.Files...)
		for _, f := range append(slices.Clone(was.filter.Files), was.slots.Files...) {
			if slices.Contains(keep, f) {
				continue
			}
			if err := db.fs.Remove(path.Join(cc.c.stateDir(), f)); err != nil && !errors.Is(err, fs.ErrNotExist) { // it may be dropped
				db.log.Warn("stale file stays", "file", f, "err", err)
			}
		}
	}
}

// freeSlots logs which dead slots may be used again: their death lies before the checkpoint, which is
// at seq, and before every view, and no segment and no head names them. The record makes the moment
// part of the log, so that a replay gives out the same slots.
func (db *DB) freeSlots(seq uint64) error {
	before := min(seq, db.views.oldest(seq))
	if before < seq {
		db.check.merged.Store(time.Now().UnixNano()) // once more when the view is gone
	}
	for _, c := range db.allCollections() {
		if c.freed != nil && !c.freed.Done() { // what that record frees is among the dead until it is applied
			db.check.merged.Store(time.Now().UnixNano())
			continue
		}
		free, err := c.freeable(before)
		if err != nil {
			return err
		}
		if free.IsEmpty() {
			continue
		}
		set, err := free.ToBytes()
		if err != nil {
			return fmt.Errorf("engine: free slots: %w", err)
		}
		t, err := db.sequence(func() (op, error) { return opFreeSlots{c.num, set}, nil })
		if err != nil && !errors.Is(err, ErrClosed) {
			return err
		}
		c.freed = t
	}
	return nil
}

// freeAfterMerge frees the slots of before the last checkpoint that segments named until they were merged.
func (db *DB) freeAfterMerge() error {
	merged := db.check.merged.Load()
	if merged == 0 || time.Since(time.Unix(0, merged)) < quietAfter { // the indexes may not have the new segments yet
		return nil
	}
	db.check.merged.CompareAndSwap(merged, 0)
	db.check.mu.Lock()
	defer db.check.mu.Unlock()
	return db.freeSlots(db.check.seq.Load())
}

// freeable returns the slots that died at or before a sequence number and that no index names.
func (c *Collection) freeable(before uint64) (*roaring.Bitmap, error) {
	free := roaring.New()
	var dead *roaring.Bitmap
	if err := c.db.onApplier(func() { dead = c.dead.Clone() }); err != nil {
		return nil, err
	}
	if dead.IsEmpty() || !c.life.enter() {
		return free, nil
	}
	defer c.life.leave()
	for _, v := range c.vectors {
		dead.AndNot(v.index.Named())
	}
	for it := dead.Iterator(); it.HasNext(); {
		slot := it.Next()
		if row, ok := c.slots.Get(slot); ok && row.Death != 0 && row.Death <= before {
			free.Add(slot)
		}
	}
	return free, nil
}

// commitSegments makes a new list of segments of one vector durable.
func (db *DB) commitSegments(c *Collection, vector string, s vectorindex.Saved) error {
	err := db.manifest.update(func(m *manifest) {
		if c.discarded {
			return
		}
		segments := maps.Clone(m.segments[c.num])
		if segments == nil {
			segments = map[string]vectorindex.Saved{}
		}
		segments[vector] = s
		m.segments[c.num] = segments
	})
	db.check.merged.Store(time.Now().UnixNano())
	return err
}
