package engine

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/payload"
)

// kvStore is what the engine needs of badger; payload.Store is one, the crash tests have a
// double that forgets what was not synced.
type kvStore interface {
	Apply(ops []payload.Op) error
	Get(seq uint64, key, dst []byte) ([]byte, error)
	Has(seq uint64, key []byte) (bool, error)
	Scan(seq uint64, o payload.ScanOptions, fn func(key, value []byte) (bool, error)) error
	SetDiscard(seq uint64)
	Sync() error
	Stats() payload.Stats
	Damage() *binfmt.CorruptError
	Close() error
}

// applier turns durable operations into state, in log order, in one goroutine. What it does
// depends on the operations alone, so that replaying them gives the same slots.
type applier struct {
	db          *DB
	seq         uint64 // newest operation applied
	collections map[uint32]*Collection
	feeds       []*Collection // FT collections by number
	databases   [maxDatabases]database
	aliases     map[string]string
	nums        uint32 // highest number seen in the log
	keyNum      uint64

	group     []payload.Op // of the group, not yet in badger
	documents []byte       // what of these is documents
	batches   []*batch     // touched collections, in order of their first touch
	byNum     map[uint32]*batch
	borrowed  []*vectorBatch // that hold a view of their rows
	onPublish []func()       // run under db.mu
	afterward []func()       // run after publication
}

func newApplier(db *DB) *applier {
	return &applier{db: db, collections: map[uint32]*Collection{}, aliases: map[string]string{}, byNum: map[uint32]*batch{}}
}

// applyGroup applies operations and publishes them as one step.
func (ap *applier) applyGroup(group []queued) error {
	defer ap.releaseViews()
	for _, q := range group {
		if err := ap.apply(q.seq, q.op); err != nil {
			return fmt.Errorf("engine: apply record %d: %w", q.seq, err)
		}
		ap.seq = q.seq
	}
	return ap.publish()
}

// releaseViews gives up the rows that the group's lookups borrowed.
func (ap *applier) releaseViews() {
	for _, vb := range ap.borrowed {
		vb.view.Release()
		vb.view = nil
	}
	ap.borrowed = ap.borrowed[:0]
}

func (ap *applier) apply(seq uint64, o op) error {
	switch o := o.(type) {
	case *opPoints:
		return ap.points(seq, o)
	case *opKeys:
		return ap.keys(seq, o)
	case opCollectionCreate:
		return ap.createCollection(o.num, o.name, o.schema, nil)
	case opIndexCreate:
		return ap.createIndex(o)
	case opCollectionDrop:
		ap.dropCollection(o.num)
	case opCollectionUpdate:
		return ap.updateCollection(o)
	case opAliases:
		ap.setAliases(o.aliases)
	case opFieldCreate:
		ap.createField(o)
	case opFieldDrop:
		ap.dropField(o)
	case opFieldStep:
		return ap.fieldStep(seq, o)
	case opIndexStep:
		return ap.indexStep(seq, o)
	case opFreeSlots:
		return ap.freeSlots(o)
	default:
		return fmt.Errorf("no applier for %T", o)
	}
	return nil
}

// batch returns the group's changes of a collection, nil when the collection is gone.
func (ap *applier) batch(num uint32) *batch {
	if b := ap.byNum[num]; b != nil {
		return b
	}
	c := ap.collections[num]
	if c == nil {
		return nil // dropped before a checkpoint that kept older records in the log
	}
	b := newBatch(ap, c)
	ap.byNum[num] = b
	ap.batches = append(ap.batches, b)
	return b
}

// flush writes what the group has so far to rows and badger, so that it can be read back.
func (ap *applier) flush() error {
	for _, b := range ap.batches {
		if err := b.writeRows(); err != nil {
			return err
		}
	}
	if len(ap.group) == 0 {
		return nil
	}
	if err := ap.db.kv.Apply(ap.group); err != nil {
		return fmt.Errorf("badger: %w", err)
	}
	clear(ap.group)
	ap.group, ap.documents = ap.group[:0], ap.documents[:0]
	if cap(ap.documents) > maxKeptBuffer {
		ap.documents = nil
	}
	return nil
}

// publish makes the group visible: rows and badger first, then one step under db.mu.
func (ap *applier) publish() error {
	if err := ap.flush(); err != nil {
		return err
	}
	for _, b := range ap.batches {
		if err := b.commit(); err != nil {
			return err
		}
	}
	db := ap.db
	db.mu.Lock()
	for _, b := range ap.batches {
		b.c.pub = b.c.applied
		b.c.killing.Store(len(b.killed) > 0)
	}
	for _, fn := range ap.onPublish {
		fn()
	}
	if ap.databases != *db.databases {
		databases := ap.databases
		db.databases = &databases
	}
	db.publishedSeq = ap.seq
	db.mu.Unlock()

	for _, b := range ap.batches {
		b.kill() // only now, so that no merge drops a slot that a view still shows
	}
	for _, fn := range ap.afterward {
		fn()
	}
	clear(ap.byNum)
	ap.batches, ap.onPublish, ap.afterward = ap.batches[:0], nil, nil
	db.published.advance(ap.seq)
	return nil
}

func (ap *applier) createCollection(num uint32, name string, schema Schema, feed *feedState) error {
	db := ap.db
	c := db.newCollection(num, name, schema)
	c.used.whole = true
	ap.nums = max(ap.nums, num)
	c.applied.feed = feed
	if feed != nil {
		c.applied.fields = feed.def.fieldNames()
		edit := c.applied.filter.Edit()
		for _, f := range feed.def.Fields {
			if def, ok := c.applied.fields[f.Alias]; ok {
				edit.AddField(def.def)
			}
		}
		c.applied.filter = edit.Commit()
		c.dirty = true
	}
	if db.recovering {
		// Replay writes every row again. What lies there may be the rest of a removal that a
		// crash ended, if the collection is dropped later in the log.
		if _, sealed := db.manifest.get().segments[num]; !sealed {
			if err := db.fs.RemoveAll(c.dir); err != nil {
				return err
			}
		}
	}
	if err := c.openRows(); err != nil {
		return err
	}
	if !db.recovering {
		if err := c.openIndexes(nil); err != nil {
			return err
		}
	}
	ap.add(c)
	return nil
}

// add makes a collection known to the applier now and to everybody at publication.
func (ap *applier) add(c *Collection) {
	ap.collections[c.num] = c
	if c.applied.feed != nil {
		ap.feeds = append(ap.feeds, c)
	}
	ap.onPublish = append(ap.onPublish, func() {
		c.pub = c.applied
		ap.db.catalog.add(c)
	})
	ap.afterward = append(ap.afterward, ap.db.wakeWorkers)
}

func (ap *applier) createIndex(o opIndexCreate) error {
	ap.nums = max(ap.nums, o.num, o.generation)
	d := &ap.databases[o.def.Database]
	switch {
	case d.generation == 0:
		d.generation = o.generation
	case d.generation != o.generation:
		return nil // the database was flushed between sequencing and here: the index went with it
	}
	return ap.createCollection(o.num, o.def.Name, o.def.schema(), newFeedState(o.def, o.generation))
}

// updateCollection changes the schema; the workers hand it to the vector indexes.
func (ap *applier) updateCollection(o opCollectionUpdate) error {
	b := ap.batch(o.num)
	if b == nil {
		return nil
	}
	st := b.state()
	if err := st.schema.checkChange(o.schema); err != nil {
		return fmt.Errorf("collection %q: %w", b.c.name, err)
	}
	st.schema = o.schema
	st.revision++
	ap.afterward = append(ap.afterward, ap.db.wakeWorkers)
	return nil
}

func (ap *applier) dropCollection(num uint32) {
	c := ap.collections[num]
	if c == nil {
		return
	}
	delete(ap.collections, num)
	ap.feeds = slices.DeleteFunc(ap.feeds, func(f *Collection) bool { return f == c })
	if b := ap.byNum[num]; b != nil {
		delete(ap.byNum, num)
		ap.batches = slices.DeleteFunc(ap.batches, func(x *batch) bool { return x == b })
	}
	aliases := maps.Clone(ap.aliases)
	maps.DeleteFunc(aliases, func(_, target string) bool { return target == c.name && c.applied.feed == nil })
	if len(aliases) != len(ap.aliases) {
		ap.setAliases(aliases)
	}
	ap.onPublish = append(ap.onPublish, func() {
		c.applied.dropped = true
		c.pub = c.applied
		ap.db.catalog.remove(c)
	})
	ap.afterward = append(ap.afterward, func() { ap.db.discard(c) })
}

func (ap *applier) setAliases(aliases map[string]string) {
	ap.aliases = aliases
	ap.onPublish = append(ap.onPublish, func() { ap.db.catalog.aliases = aliases })
}

func (ap *applier) keys(seq uint64, o *opKeys) error {
	for i := range o.changes {
		c := &o.changes[i]
		d := &ap.databases[c.database]
		ap.nums = max(ap.nums, c.generation)
		if c.kind == keyFlush {
			ap.flushDatabase(c, d)
			continue
		}
		d.count(c)
		fresh := c.doc.Number > ap.keyNum // numbers are given out in order and once: no index has a point of this one
		ap.keyNum = max(ap.keyNum, c.doc.Number)
		op := payload.Op{Key: storeKey(nil, prefixDocument, c.generation, c.key), Seq: seq, Delete: c.kind == keyDelete}
		if c.kind == keyPut {
			op.Value = ap.storedForm(&c.doc)
		}
		ap.group = append(ap.group, op)
		for _, f := range ap.feeds {
			if feed := f.applied.feed; feed.generation != c.generation || feed.def.Database != c.database {
				continue
			}
			if err := ap.batch(f.num).feed(seq, c, fresh); err != nil {
				return err
			}
		}
	}
	return nil
}

// storedForm returns what badger keeps of a document, valid until the next flush. What does not fit into the buffer begins
// another one: it must not move.
func (ap *applier) storedForm(d *Document) []byte {
	if need := d.mostStored(); cap(ap.documents)-len(ap.documents) < need {
		ap.documents = make([]byte, 0, max(need, leastBuffer, min(2*cap(ap.documents), maxKeptBuffer)))
	}
	from := len(ap.documents)
	ap.documents = d.appendStored(ap.documents)
	return ap.documents[from:len(ap.documents):len(ap.documents)]
}

func (ap *applier) flushDatabase(c *keyChange, d *database) {
	old := d.generation
	d.count(c)
	for _, f := range slices.Clone(ap.feeds) {
		if f.applied.feed.def.Database == c.database {
			ap.dropCollection(f.num)
		}
	}
	if old != 0 {
		ap.afterward = append(ap.afterward, func() { ap.db.garbage.add(prefixDocument, old) })
	}
	ap.db.log.Debug("database flushed", slog.Int("database", c.database))
}
