package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"syscall"

	"github.com/gofrs/flock"
	"github.com/isobath/isobath/engine/slots"
	"github.com/isobath/isobath/engine/vectorindex"
	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/vfs"
	"github.com/isobath/isobath/mmapvec"
	"github.com/isobath/isobath/payload"
	"github.com/isobath/isobath/wal"
)

// Problem is one fault that Check or Verify found.
type Problem struct {
	Where string // file or collection
	Err   error
}

func (p Problem) String() string { return p.Where + ": " + p.Err.Error() }

// Report is the outcome of Check and Verify.
type Report struct {
	Problems    []Problem
	Collections int
	Points      int
	Vectors     int
	Keys        int
	Segments    int
	LogRecords  int
}

// Clean says whether nothing was found.
func (r *Report) Clean() bool { return len(r.Problems) == 0 }

func (r *Report) add(where string, err error) {
	if err != nil {
		r.Problems = append(r.Problems, Problem{where, err})
	}
}

// CheckOptions configures Check.
type CheckOptions struct {
	// FilesOnly verifies the files and leaves out Verify, which opens the database as a start
	// does, replaying the log.
	FilesOnly bool
}

// Check verifies a database that no process holds: every checksum of every file first, then,
// after a recovery, every invariant between the stores (Verify). The error says that the
// check itself was not possible; faults are in the report.
func Check(dir string, o CheckOptions) (*Report, error) {
	if _, err := vfs.OS.Stat(path.Join(dir, manifestName)); err != nil {
		return nil, fmt.Errorf("engine: check: %w", err)
	}
	lock := flock.New(path.Join(dir, "LOCK"))
	held, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("engine: check: %w", err)
	}
	if !held {
		return nil, fmt.Errorf("%w: %s", ErrLocked, dir)
	}
	r := &Report{}
	checkFiles(vfs.OS, dir, r)
	err = payload.Check(path.Join(dir, "badger"))
	if err := errors.Join(full(err), lock.Unlock()); err != nil {
		return nil, fmt.Errorf("engine: check: %w", err)
	}
	r.add("badger", err)
	if o.FilesOnly || !r.Clean() {
		return r, nil
	}
	db, err := Open(dir, Options{Workers: -1})
	if full(err) != nil {
		return nil, fmt.Errorf("engine: check: %w", err)
	}
	if err != nil {
		r.add(dir, err)
		return r, nil
	}
	r.add(dir, db.Failed())
	v, err := db.Verify(context.Background())
	if err != nil {
		r.add(dir, err)
	} else {
		v.LogRecords, v.Segments, v.Problems = r.LogRecords, r.Segments, append(r.Problems, v.Problems...)
		r = v
	}
	r.add(dir, db.Close())
	return r, nil
}

// full returns err if it tells of a full disk, which is no fault of the database.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return err
	}
	return nil
}

// checkFiles verifies everything below dir but badger.
func checkFiles(fsys vfs.FS, dir string, r *Report) {
	logReport, err := wal.Check(fsys, path.Join(dir, "wal"))
	r.add("wal", err)
	for _, p := range logReport.Problems {
		r.add("wal", p)
	}
	if logReport.Last >= logReport.First && logReport.Last > 0 {
		r.LogRecords = int(logReport.Last - logReport.First + 1)
	}
	data, err := vfs.ReadFile(fsys, path.Join(dir, manifestName))
	if err != nil {
		r.add(manifestName, err)
		return
	}
	m, err := decodeManifest(data)
	if err != nil {
		r.add(manifestName, err)
		return
	}
	for _, num := range slices.Sorted(maps.Keys(m.collections)) {
		checkCollectionFiles(fsys, path.Join(dir, "collections", strconv.FormatUint(uint64(num), 10)), m, num, r)
	}
}

func checkCollectionFiles(fsys vfs.FS, dir string, m *manifest, num uint32, r *Report) {
	e := m.collections[num]
	r.Collections++
	state := path.Join(dir, "state")
	if len(e.filter.Meta) > 0 {
		r.add(state, filter.Verify(fsys, state, e.filter))
	}
	if len(e.slots.Meta) > 0 {
		r.add(state, slots.Verify(fsys, state, e.slots))
	}
	for i, name := range slices.Sorted(maps.Keys(e.schema.Vectors)) {
		saved := m.segments[num][name]
		r.Segments += len(saved.Segments)
		segments := path.Join(dir, "v"+strconv.Itoa(i), "segments")
		r.add(segments, vectorindex.Check(fsys, segments, saved))
		rows := path.Join(dir, "v"+strconv.Itoa(i), "rows")
		r.add(rows, mmapvec.Check(fsys, rows, liveRows(fsys, state, e, name)))
	}
}

// liveRows says which slots have a row as of the checkpoint: none of them is written to before the
// next one. It is nil where that cannot be known; why, filter.Verify has said.
func liveRows(fsys vfs.FS, state string, e collectionEntry, vector string) func(slot uint32) bool {
	if len(e.filter.Meta) == 0 {
		return nil
	}
	st, err := filter.Load(fsys, state, e.filter)
	if err != nil {
		return nil
	}
	return st.Has(vector).Contains
}

// Verify checks the invariants between the stores at one published moment: every id leads to
// a live slot of its own, every vector of a live point is intact and known to its index, every
// payload is readable and stands in the payload indexes as it should, every key that an FT
// index covers is in it. Writes may go on meanwhile.
func (db *DB) Verify(ctx context.Context) (*Report, error) {
	r := &Report{}
	for _, c := range db.allCollections() {
		if c.broken != nil {
			r.add("collection "+c.name, c.broken)
			continue
		}
		if err := c.verify(ctx, r); err != nil && !errors.Is(err, ErrDropped) {
			return nil, err
		}
	}
	view := db.Keys()
	defer view.Close()
	for n, d := range view.databases {
		keys, expires := 0, 0
		err := view.Scan(n, KeyScan{}, func(_ []byte, doc Document) (bool, error) {
			keys++
			if doc.Expire != 0 {
				expires++
			}
			return ctx.Err() == nil, ctx.Err()
		})
		if err != nil {
			r.add(fmt.Sprintf("database %d", n), err)
		} else if keys != d.keys || expires != d.expires {
			r.add(fmt.Sprintf("database %d", n), fmt.Errorf("%d keys and %d expiries counted, %d and %d found", d.keys, d.expires, keys, expires))
		}
		r.Keys += keys
	}
	return r, nil
}

func (c *Collection) verify(ctx context.Context, r *Report) error {
	v, err := c.pin()
	if err != nil {
		return err
	}
	defer v.release()
	r.Collections++
	reader, err := v.reader(Fetch{Vectors: true, Payload: true})
	if err != nil {
		return err
	}
	defer reader.close()
	where := "collection " + c.name
	points := 0
	err = c.db.kv.Scan(v.seq, payload.ScanOptions{Prefix: storeKey(nil, prefixSlot, c.num, nil)}, func(key, value []byte) (bool, error) {
		if points++; points%ctxRows == 0 && ctx.Err() != nil {
			return false, ctx.Err()
		}
		id, err := payload.DecodeKeyID(key[storePrefixBytes:])
		if err != nil || len(value) != 4 {
			r.add(where, fmt.Errorf("slot entry %x is damaged", key))
			return true, nil
		}
		r.add(fmt.Sprintf("%s, point %s", where, id), v.verifyPoint(reader, id, binary.BigEndian.Uint32(value)))
		return true, nil
	})
	if err != nil {
		return err
	}
	r.Points += points
	if points != v.filter.Len() {
		r.add(where, fmt.Errorf("%d ids, %d live slots", points, v.filter.Len()))
	}
	for _, name := range c.names {
		has := v.filter.Has(name)
		r.Vectors += int(has.GetCardinality())
		missing := has.Clone()
		missing.AndNot(c.vectors[name].index.Named())
		n := 0
		for it := missing.Iterator(); it.HasNext(); {
			if row, ok := c.slots.Get(it.Next()); !ok || row.Death == 0 { // else it died after the view was pinned
				n++
			}
		}
		if n > 0 {
			r.add(where, fmt.Errorf("vector %q: %d live slots that no graph and no tail holds", name, n))
		}
	}
	if err := v.verifyFields(ctx, r, where); err != nil {
		return err
	}
	return v.verifyFeed(ctx, r, where)
}

func (v *view) verifyPoint(reader *pointReader, id PointID, slot uint32) error {
	row, ok := v.c.slots.Get(slot)
	switch {
	case !ok:
		return fmt.Errorf("slot %d is empty", slot)
	case row.ID != id:
		return fmt.Errorf("slot %d belongs to point %s", slot, row.ID)
	case !v.c.slots.Visible(slot, v.seq) || !v.filter.Contains(slot):
		return fmt.Errorf("slot %d is dead", slot)
	}
	h, err := reader.hit(id, slot)
	if err != nil {
		return err
	}
	for name := range h.Vectors {
		if err := v.schema.checkVector(name, h.Vectors[name]); err != nil {
			return err
		}
	}
	if v.feed != nil {
		return nil
	}
	if h.Payload != nil {
		return payload.Validate(h.Payload)
	}
	return nil
}

// verifyFeed compares an FT index with the keys it covers.
func (v *view) verifyFeed(ctx context.Context, r *Report, where string) error {
	if v.feed == nil || v.feed.state != BackfillCompleted || v.feed.def.SkipScan {
		return nil
	}
	covered := 0
	prefix := storeKey(nil, prefixDocument, v.feed.generation, nil)
	err := v.c.db.kv.Scan(v.seq, payload.ScanOptions{Prefix: prefix}, func(key, value []byte) (bool, error) {
		key = key[storePrefixBytes:]
		d, err := decodeStoredDocument(value)
		if err != nil {
			r.add(where, &binfmt.CorruptError{File: "badger", Err: err})
			return true, nil
		}
		if !v.feed.covers(key, d.Kind) {
			return true, nil
		}
		covered++
		name, ok, err := readPayload(v.c.db.kv, v.seq, v.c.num, NumID(d.Number))
		if err != nil || !ok || string(name) != string(key) {
			r.add(where, fmt.Errorf("key %q is not in the index", key))
		}
		return ctx.Err() == nil, ctx.Err()
	})
	if err == nil && covered != v.filter.Len() {
		r.add(where, fmt.Errorf("%d keys covered, %d in the index", covered, v.filter.Len()))
	}
	return err
}
