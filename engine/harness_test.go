package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isobath/isobath/engine/vectorindex"
	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/internal/vfs"
	"github.com/stretchr/testify/require"
)

// disk is a machine that can lose power: the files and the badger double.
type disk struct {
	fs      *vfs.Mem
	kv      *crashStore
	failing *vfs.Failing // over fs, nil: none
}

func newDisk() *disk { return &disk{fs: vfs.NewMem(), kv: newCrashStore()} }

func (d *disk) crash(seed int64, percent int) *disk {
	return &disk{fs: d.fs.Crash(seed, percent), kv: d.kv.crash(uint64(seed), percent)}
}

func (d *disk) files() vfs.FS {
	if d.failing != nil {
		return d.failing
	}
	return d.fs
}

// open opens the database without background goroutines of its own choosing; tests call work.
func (d *disk) open() (*DB, error) { return d.openWith(Options{Workers: -1}) }

func (d *disk) openWith(o Options) (*DB, error) {
	o.CheckpointAfter = time.Hour
	return openStores("data", o, stores{
		fs:   d.files(),
		kv:   func() (kvStore, error) { return d.kv, nil },
		tune: smallSegments,
	})
}

// smallSegments makes graphs and segments of a handful of rows.
func smallSegments(o *vectorindex.Options) {
	o.SealRows, o.SnapshotRows, o.IndexFromBytes, o.FullScanBytes, o.SealIdle = 16, 6, -1, -1, -1
	o.Parallelism = 1
}

// work does all background work that is due.
func (db *DB) work(ctx context.Context) {
	for did := true; did && db.Failed() == nil; {
		did = false
		for _, c := range db.allCollections() {
			did = c.workSlice(ctx) || did
		}
	}
}

// model is what the database should hold: the simplest thing that can be right.
type model struct {
	collections map[string]map[uint64]modelPoint
	schemas     map[string]Schema
	keys        map[string]map[string]string // hash fields by key
	indexed     bool                         // the FT index over "doc:" exists
}

type modelPoint struct {
	vector  []float32 // nil: none
	payload string    // "": none
}

func newModel() *model {
	return &model{collections: map[string]map[uint64]modelPoint{}, schemas: map[string]Schema{}, keys: map[string]map[string]string{}}
}

func (m *model) clone() *model {
	c := newModel()
	c.indexed, c.schemas = m.indexed, maps.Clone(m.schemas)
	for name, points := range m.collections {
		c.collections[name] = maps.Clone(points)
	}
	for key, fields := range m.keys {
		c.keys[key] = maps.Clone(fields)
	}
	return c
}

// dump prints the model in the form of dumpDB.
func (m *model) dump() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(m.collections)) {
		fmt.Fprintf(&b, "collection %s %s\n", name, dumpSchema(m.schemas[name]))
		points := m.collections[name]
		for _, id := range slices.Sorted(maps.Keys(points)) {
			fmt.Fprintf(&b, "  %d %v %s\n", id, points[id].vector, points[id].payload)
		}
	}
	if m.indexed {
		fmt.Fprintf(&b, "collection ft %s\n", dumpSchema(testIndexDef().schema()))
	}
	for _, key := range slices.Sorted(maps.Keys(m.keys)) {
		fmt.Fprintf(&b, "key %q %s\n", key, dumpFields(m.keys[key]))
	}
	if m.indexed {
		for _, key := range slices.Sorted(maps.Keys(m.keys)) {
			if strings.HasPrefix(key, "doc:") {
				fmt.Fprintf(&b, "indexed %q %v\n", key, vectorOf(m.keys[key]["v"]))
			}
		}
	}
	return b.String()
}

func dumpSchema(s Schema) string {
	return fmt.Sprintf("%+v %d %v %q", s.Vectors, s.IndexFromBytes, s.NoBackground, s.Config)
}

func dumpFields(fields map[string]string) string {
	var b strings.Builder
	for _, f := range slices.Sorted(maps.Keys(fields)) {
		fmt.Fprintf(&b, " %q=%q", f, fields[f])
	}
	return b.String()
}

func vectorOf(blob string) []float32 {
	if len(blob) != 4*testDim {
		return nil
	}
	return decodeFloats([]byte(blob))
}

// dumpDB prints everything the database holds, through its public reads.
func dumpDB(t testing.TB, db *DB) string {
	t.Helper()
	ctx := context.Background()
	var b strings.Builder
	for _, name := range db.Collections() {
		c, err := db.Collection(name)
		require.NoError(t, err)
		fmt.Fprintf(&b, "collection %s %s\n", name, dumpSchema(c.Schema()))
		if c.IsIndex() {
			continue
		}
		require.NoError(t, c.Each(ctx, ScrollRequest{Fetch: Fetch{Payload: true, Vectors: true}}, func(h *Hit) error {
			fmt.Fprintf(&b, "  %d %v %s\n", h.ID.Num(), h.Vectors[""], h.Payload)
			return nil
		}))
	}
	view := db.Keys()
	defer view.Close()
	require.NoError(t, view.Scan(0, KeyScan{}, func(key []byte, d Document) (bool, error) {
		fields := map[string]string{}
		for f, v := range HashFields(d.Body) {
			fields[string(f)] = string(v)
		}
		fmt.Fprintf(&b, "key %q %s\n", key, dumpFields(fields))
		return true, nil
	}))
	if ft, err := db.Index(0, "ft"); err == nil {
		var lines []string
		require.NoError(t, ft.Each(ctx, ScrollRequest{Fetch: Fetch{Vectors: true}}, func(h *Hit) error {
			lines = append(lines, fmt.Sprintf("indexed %q %v\n", h.Key, h.Vectors["v"]))
			return nil
		}))
		slices.Sort(lines)
		b.WriteString(strings.Join(lines, ""))
	}
	return b.String()
}

// requireNoStrays makes sure that an id leads to every slot that counts as alive.
func requireNoStrays(t testing.TB, db *DB) {
	t.Helper()
	for _, name := range db.Collections() {
		c, err := db.Collection(name)
		require.NoError(t, err)
		points := 0
		require.NoError(t, c.Each(context.Background(), ScrollRequest{}, func(*Hit) error { points++; return nil }))
		require.Equal(t, points, c.Info().Points, "points of %q", name)
	}
}

// soundEf is a beam at which graphs of M 4 over a few hundred rows miss nothing: what is missing is not there.
const soundEf = 256

// requireSound runs Verify and makes sure that every vector finds its own point again. At the narrow beam of the test's
// schema a graph of M 4 misses one search in some thousands: more than one in a hundred is a fault, and what it misses
// must be there.
func requireSound(t testing.TB, db *DB) {
	t.Helper()
	ctx := context.Background()
	r, err := db.Verify(ctx)
	require.NoError(t, err)
	require.Empty(t, r.Problems)
	requireNoStrays(t, db)
	for _, name := range db.Collections() {
		c, err := db.Collection(name)
		require.NoError(t, err)
		for vector := range c.Schema().Vectors {
			searched, missed := 0, 0
			require.NoError(t, c.Each(ctx, ScrollRequest{Fetch: Fetch{Vectors: true}}, func(h *Hit) error {
				q, ok := h.Vectors[vector]
				if !ok {
					return nil
				}
				nearest := func(ef int) []float32 {
					res, err := c.Search(ctx, SearchRequest{Vector: vector, Query: q, K: 1, Ef: ef, Fetch: Fetch{Vectors: true}})
					require.NoError(t, err)
					require.Len(t, res.Hits, 1, "a search of %q by point %s finds nothing", name, h.ID)
					return res.Hits[0].Vectors[vector]
				}
				if searched++; !slices.Equal(q, nearest(0)) {
					missed++
					require.Equal(t, q, nearest(soundEf), "collection %q, point %s", name, h.ID)
				}
				return nil
			}))
			require.LessOrEqual(t, missed, 1+searched/100, "collection %q", name)
		}
	}
}

const testDim = 4

func testSchema() Schema {
	return Schema{Vectors: map[string]VectorParams{"": {Size: testDim, Distance: Euclid, M: 4, EfConstruct: 16}}}
}

func testIndexDef() IndexDef {
	return IndexDef{Name: "ft", Prefixes: [][]byte{[]byte("doc:")}, Fields: []IndexField{
		{Source: "v", Alias: "v", Type: FieldVector, Vector: VectorParams{Size: testDim, Distance: Euclid, M: 4, EfConstruct: 16}},
		{Source: "g", Alias: "g", Type: FieldTag},
		{Source: "n", Alias: "n", Type: FieldNumeric},
	}}
}

// changedSchema is the i-th schema that a collection of testSchema may get.
func changedSchema(i int) Schema {
	p := testSchema().Vectors[""]
	p.M, p.EfConstruct = 4+2*(i%3), 128+i%5 // more than the rows of a test: recall is not asked for here
	p.OnDisk, p.NoGraph = i%2 == 0, i%7 == 3
	p.Codes = []CodeConfig{{}, {Kind: CodesScalar, Quantile: 0.9}, {Kind: CodesTurbo, Bits: 4}, {Kind: CodesTurbo, Bits: 1}}[i%4]
	p.CodesPlacement, p.LinksPlacement = Placement(i%3), Placement(i/3%3)
	return Schema{Vectors: map[string]VectorParams{"": p}, IndexFromBytes: int64(i % 2), Config: fmt.Appendf(nil, `{"n":%d}`, i)}
}

// updateTo replaces the schema of a collection.
func updateTo(ctx context.Context, db *DB, name string, to Schema) error {
	return db.UpdateCollection(ctx, name, func(Schema) (Schema, error) { return to, nil })
}

// testVector makes a vector that no other (id, round) has.
func testVector(id uint64, round int) []float32 {
	return []float32{float32(id), float32(round), float32(id%7) / 2, float32((int(id) * (round + 3)) % 11)}
}

func blobOf(v []float32) string {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return string(b)
}

// putHash sets fields of a hash inside a transaction, as HSET does.
func putHash(tx *KeyTx, key string, set map[string]string) error {
	old, _, err := tx.Get(0, []byte(key))
	if err != nil {
		return err
	}
	fields := map[string]string{}
	for f, v := range HashFields(old.Body) {
		fields[string(f)] = string(v)
	}
	maps.Copy(fields, set)
	var body []byte
	for _, f := range slices.Sorted(maps.Keys(fields)) {
		body = AppendHashField(body, []byte(f), []byte(fields[f]))
	}
	return tx.Put(0, []byte(key), Document{Kind: KindHash, Body: body})
}

func keywordField(name string) filter.FieldDef {
	return filter.FieldDef{Name: name, Kind: filter.Keyword}
}
