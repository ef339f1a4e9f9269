package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/isobath/isobath/engine/slots"
	"github.com/isobath/isobath/engine/vectorindex"
	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/mmapvec"
)

// Collection is a set of points with named vectors, payloads and payload indexes; an FT index
// is a collection whose points are fed by keys. Methods are safe for concurrent use.
type Collection struct {
	db   *DB
	num  uint32
	name string
	dir  string

	nextOperation uint64 // guarded by the sequencer's lock
	filterOps     []*changeWatch

	slots   *slots.Table
	vectors map[string]*vectorStore
	names   []string // of vectors, sorted

	applied collectionState // the applier's own; readers use pub
	pub     collectionState // guarded by db.mu

	// The applier's own as well.
	dirty bool            // changed since the last checkpoint
	saved collectionEntry // files of the last checkpoint
	dead  *roaring.Bitmap // slots that are dead and not yet free
	used  numbersUsed

	killing   atomic.Bool // from when deaths are published until the indexes know of them
	freed     *Ticket     // newest record that frees slots; guarded by the checkpoint's lock
	broken    error       // its files could not be opened: every call returns this
	discarded bool        // dropped: never again in a manifest; guarded by the manifest's lock
	working   atomic.Bool
	life      lifetime
	filters   filterCache
	pacer     pacer

	configured atomic.Int64 // revision of the schema that the vector indexes have
}

// collectionState is what one sequence number pins of a collection. The maps and bitmaps in
// it are never changed once published: the applier replaces them.
type collectionState struct {
	schema    Schema
	revision  int64 // of schema, since the start
	filter    *filter.State
	fields    map[string]fieldDef
	operation uint64
	feed      *feedState // FT collections
	dropped   bool
}

// numbersUsed knows from which number on no point was ever stored, of a collection whose whole life it has seen: a load by
// ascending number need not ask for each point whether it exists. The zero value knows nothing.
type numbersUsed struct {
	whole bool   // everything since the collection was made
	next  uint64 // above every number stored
}

// add notes that a point with this id is stored.
func (u *numbersUsed) add(id PointID) {
	switch n := id.Num(); {
	case id.IsUUID():
	case n == math.MaxUint64:
		u.whole = false
	default:
		u.next = max(u.next, n+1)
	}
}

// never says that no point with this id was ever stored.
func (u *numbersUsed) never(id PointID) bool { return u.whole && !id.IsUUID() && id.Num() >= u.next }

// vectorStore is one named vector: its rows and, once recovery is done, its index.
type vectorStore struct {
	rows  *mmapvec.Store
	index *vectorindex.Index
	warm  int64 // how far its rows were asked for, see warmRows; -1: as far as they are to be
}

func (db *DB) newCollection(num uint32, name string, schema Schema) *Collection {
	return &Collection{
		db: db, num: num, name: name,
		dir:     path.Join(db.dir, "collections", strconv.FormatUint(uint64(num), 10)),
		slots:   slots.New(),
		vectors: map[string]*vectorStore{},
		names:   slices.Sorted(maps.Keys(schema.Vectors)),
		dead:    roaring.New(),
		applied: collectionState{schema: schema, filter: filter.NewState(), fields: map[string]fieldDef{}},
	}
}

// openRows opens the row stores. They take no disk space before the first row.
func (c *Collection) openRows() error {
	for i, name := range c.names {
		p := c.applied.schema.Vectors[name]
		dir := path.Join(c.dir, "v"+strconv.Itoa(i), "rows")
		rows, err := mmapvec.Open(mmapvec.Options{FS: c.db.fs, Dir: dir, Dim: p.Size, Datatype: p.Datatype, Log: c.db.log})
		if err != nil {
			return fmt.Errorf("engine: rows of vector %q of collection %q: %w", name, c.name, err)
		}
		c.vectors[name] = &vectorStore{rows: rows}
	}
	return nil
}

// openIndexes opens the vector indexes over the applied state; saved names their segments.
func (c *Collection) openIndexes(saved map[string]vectorindex.Saved) error {
	for i, name := range c.names {
		ix, problems, err := vectorindex.Open(c.indexOptions(i, c.applied.schema), saved[name], c.applied.filter.Has(name))
		if err != nil {
			return fmt.Errorf("engine: index of vector %q of collection %q: %w", name, c.name, err)
		}
		for _, p := range problems {
			c.db.log.Warn("segment damaged, its graph is rebuilt", slog.String("collection", c.name), slog.Any("err", p))
		}
		c.vectors[name].index = ix
	}
	c.configured.Store(c.applied.revision)
	return nil
}

// indexOptions returns what the index of the i-th vector is opened with.
func (c *Collection) indexOptions(i int, schema Schema) vectorindex.Options {
	name := c.names[i]
	p := schema.Vectors[name]
	o := vectorindex.Options{
		Config: vectorindex.Config{
			Dim:            p.Size,
			Metric:         p.Distance.Metric(),
			Datatype:       p.Datatype,
			Seed:           codeSeed,
			Flat:           p.Flat,
			NoGraph:        p.NoGraph,
			NoBackground:   schema.NoBackground,
			M:              p.links(),
			EfConstruct:    p.EfConstruct,
			FullScanBytes:  p.FullScanBytes,
			IndexFromBytes: schema.indexFrom(),
			Codes:          p.Codes,
			CodesPlacement: p.CodesPlacement,
			LinksPlacement: p.LinksPlacement,
		},
		FS:       c.db.fs,
		Dir:      path.Join(c.dir, "v"+strconv.Itoa(i), "segments"),
		Rows:     c.vectors[name].rows,
		Commit:   func(s vectorindex.Saved) error { return c.db.commitSegments(c, name, s) },
		Room:     c.db.roomFor,
		Budget:   c.db.budget,
		Built:    &c.db.built,
		SpillDir: c.db.spillDir,
		Log:      c.db.log.With("collection", c.name, "vector", name),
	}
	if c.db.tune != nil {
		c.db.tune(&o)
	}
	return o
}

// configure gives the vector indexes the published schema if they have an older one, and says whether it did.
func (c *Collection) configure(context.Context) (bool, error) {
	st := c.published()
	if st.revision == c.configured.Load() {
		return false, nil
	}
	for i, name := range c.names {
		if err := c.vectors[name].index.Configure(c.indexOptions(i, st.schema).Config); err != nil {
			return false, fmt.Errorf("engine: configure vector %q of collection %q: %w", name, c.name, err)
		}
	}
	c.configured.Store(st.revision)
	return true, nil
}

// codeSeed is the seed of every rotation and of every graph's levels. It is fixed so that
// codes can be copied between collections of one dimension.
const codeSeed = 0x150ba7

func (c *Collection) stateDir() string { return path.Join(c.dir, "state") }

// close releases everything the collection holds.
func (c *Collection) close() error {
	var err error
	for _, name := range c.names {
		v := c.vectors[name]
		if v == nil {
			continue
		}
		if v.index != nil {
			err = errors.Join(err, v.index.Close())
		}
		err = errors.Join(err, v.rows.Close())
	}
	return errors.Join(err, c.slots.Close())
}

// Name returns the name the collection was created with.
func (c *Collection) Name() string { return c.name }

// IsIndex says whether the collection is an FT index, fed by keys.
func (c *Collection) IsIndex() bool { return c.published().feed != nil }

// Schema returns what the collection was created with, and changed to since.
func (c *Collection) Schema() Schema { return c.published().schema }

// Field returns the definition of a payload index.
func (c *Collection) Field(name string) (filter.FieldDef, bool) {
	return c.published().filter.Field(name)
}

// FieldParams returns the user's own words for a payload index, nil when there is none.
func (c *Collection) FieldParams(name string) []byte { return c.published().fields[name].params }

func (c *Collection) published() collectionState {
	c.db.mu.RLock()
	defer c.db.mu.RUnlock()
	return c.pub
}

// Info returns the collection's counters.
func (c *Collection) Info() CollectionInfo {
	st := c.published()
	info := CollectionInfo{
		Name:      c.name,
		Schema:    st.schema,
		Points:    st.filter.Len(),
		Vectors:   map[string]VectorInfo{},
		Fields:    st.filter.Fields(),
		Segments:  1,
		Status:    Green,
		Queue:     c.db.seq.queueLen(),
		Operation: st.operation,
	}
	if c.broken != nil {
		info.Status, info.Err = Red, c.broken.Error()
		return info
	}
	if st.dropped || !c.life.enter() {
		return info
	}
	defer c.life.leave()
	due, segments := false, 0
	for _, name := range c.names {
		v := c.vectors[name]
		p := v.index.Pending()
		live := int(st.filter.Has(name).GetCardinality())
		graphed := min(live, max(0, p.Rows-p.Tail-p.Dead))
		vi := VectorInfo{
			Params: st.schema.Vectors[name], Vectors: live, Indexed: graphed,
			Tail: p.Tail, Segments: p.Segments, Deleted: p.Dead, RowBytes: v.rows.Bytes(), Memory: v.index.Memory(),
		}
		due = due || p.Due
		segments += p.Segments
		for _, ref := range v.index.Saved().Segments {
			vi.SegmentBytes += ref.Bytes
		}
		info.Vectors[name] = vi
		info.DiskBytes += vi.RowBytes + vi.SegmentBytes
	}
	info.Segments = max(1, segments)
	if st.feed != nil {
		x := st.feed.info()
		info.Index = &x
		due = due || x.State == BackfillInProgress
	}
	for _, f := range st.fields {
		due = due || !f.ready
	}
	switch {
	case c.db.Failed() != nil:
		info.Status, info.Err = Red, c.db.Failed().Error()
	case st.revision != c.configured.Load(), due && !st.schema.NoBackground:
		info.Status = Yellow
	case due:
		info.Status = Grey
	}
	return info
}

// view is a pinned read state of one collection.
type view struct {
	c   *Collection
	seq uint64
	collectionState
	databases *[maxDatabases]database // as of seq
	index     *vectorindex.View       // of the vector that pinWith named
	settled   bool                    // index knows of every death that this view knows of
	stats     *SearchStats            // of what is read at it; nil: nobody counts
}

// pin returns a view of the published state; release it.
func (c *Collection) pin() (*view, error) { return c.pinWith(nil) }

// pinWith pins a vector index (nil: none) in the same step, so that no merge drops a slot
// between the two that the view still shows.
func (c *Collection) pinWith(vector *vectorStore) (*view, error) {
	if c.broken != nil {
		return nil, c.broken
	}
	c.db.mu.RLock()
	defer c.db.mu.RUnlock()
	if c.pub.dropped {
		return nil, ErrDropped
	}
	if !c.life.enter() {
		return nil, ErrClosed // one that was dropped is published as such before its life ends
	}
	c.db.views.add(c.db.publishedSeq)
	v := &view{c: c, seq: c.db.publishedSeq, collectionState: c.pub, databases: c.db.databases}
	v.settled = !c.killing.Load() // before the index is pinned
	if vector != nil {
		v.index = vector.index.View()
	}
	return v, nil
}

func (v *view) release() {
	if v.index != nil {
		v.index.Release()
	}
	v.c.db.views.remove(v.seq)
	v.c.life.leave()
}

// sound returns the damage that reads of the slot table have met. Rows on a damaged page look
// absent, so every read asks before it answers.
func (v *view) sound() error {
	if d := v.c.slots.Damage(); d != nil {
		return fmt.Errorf("engine: collection %q: %w", v.c.name, d)
	}
	return nil
}

// slotOf returns the slot of a point at the view.
func (v *view) slotOf(id PointID) (uint32, bool, error) {
	return readSlot(v.c.db.kv, v.seq, v.c.num, id)
}
