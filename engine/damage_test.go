package engine

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDamageStaysWhereItIs flips bytes in every file of one collection in turn. The other
// collection is served whatever happens; the damaged one answers rightly or with an error.
func TestDamageStaysWhereItIs(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	db, err := Open(dir, Options{Workers: -1})
	require.NoError(t, err)
	for _, name := range []string{"bad", "good"} {
		schema := testSchema()
		schema.IndexFromBytes = 1
		require.NoError(t, db.CreateCollection(ctx, name, schema))
		c, err := db.Collection(name)
		require.NoError(t, err)
		var points []Point
		for id := range uint64(500) {
			points = append(points, Point{NumID(id), Vectors{"": testVector(id, 0)}, []byte(`{"tag":"x"}`)})
		}
		_, err = c.Upsert(ctx, points, UpsertOptions{})
		require.NoError(t, err)
		_, err = c.CreateField(ctx, keywordField("tag"), nil, WriteOptions{})
		require.NoError(t, err)
	}
	db.work(ctx)
	want := dumpDB(t, db)
	require.NoError(t, db.Close())

	files := 0
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, "collections", "1"), func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files++
		whole, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, at := range []int{0, 70, len(whole) / 3, len(whole) - 1} {
			damaged := append([]byte(nil), whole...)
			damaged[min(at, len(whole)-1)] ^= 0x40
			require.NoError(t, os.WriteFile(name, damaged, 0o600))
			requireContained(t, dir, name)
		}
		return os.WriteFile(name, whole, 0o600)
	}))
	require.GreaterOrEqual(t, files, 3)
	db, err = Open(dir, Options{Workers: -1})
	require.NoError(t, err)
	require.Equal(t, want, dumpDB(t, db), "nothing was changed by the attempts")
	require.NoError(t, db.Close())
}

func requireContained(t *testing.T, dir, file string) {
	t.Helper()
	ctx := context.Background()
	db, err := Open(dir, Options{Workers: -1})
	require.NoError(t, err, file)
	defer func() { _ = db.Close() }() // damage may be met again while closing
	good, err := db.Collection("good")
	require.NoError(t, err)
	n, err := good.Count(ctx, nil, nil)
	require.NoError(t, err)
	require.Equal(t, 500, n)
	bad, err := db.Collection("bad")
	require.NoError(t, err)
	for id := uint64(0); id < 500; id += 7 {
		hits, err := bad.Get(ctx, []PointID{NumID(id)}, Fetch{Payload: true, Vectors: true})
		if err != nil {
			continue // said, not hidden
		}
		require.Len(t, hits, 1, "%s: point %d", file, id)
		require.Equal(t, testVector(id, 0), hits[0].Vectors[""], "%s: point %d", file, id)
		res, err := bad.Search(ctx, SearchRequest{Query: testVector(id, 0), K: 1})
		if err == nil {
			require.Equal(t, NumID(id), res.Hits[0].ID, file)
		}
	}
}

// TestCheckReadsRows damages one row: the check of the files alone finds it.
func TestCheckReadsRows(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	db, err := Open(dir, Options{Workers: -1})
	require.NoError(t, err)
	require.NoError(t, db.CreateCollection(ctx, "c", testSchema()))
	c, err := db.Collection("c")
	require.NoError(t, err)
	for id := range uint64(3) {
		_, err = c.Upsert(ctx, []Point{{ID: NumID(id), Vectors: Vectors{"": testVector(id, 0)}}}, UpsertOptions{})
		require.NoError(t, err)
	}
	_, err = c.Delete(ctx, Selector{IDs: []PointID{NumID(0)}}, WriteOptions{})
	require.NoError(t, err)
	require.NoError(t, db.Close())
	report, err := Check(dir, CheckOptions{FilesOnly: true})
	require.NoError(t, err)
	require.Empty(t, report.Problems)

	name := filepath.Join(dir, "collections", "1", "v0", "rows", "000000.rows")
	whole, err := os.ReadFile(name)
	require.NoError(t, err)
	const firstRow, stride = 4096, 64
	for slot, faults := range []int{0: 0, 1: 1, 2: 1} { // the first one is dead
		damaged := append([]byte(nil), whole...)
		damaged[firstRow+slot*stride] ^= 1
		require.NoError(t, os.WriteFile(name, damaged, 0o600))
		report, err := Check(dir, CheckOptions{FilesOnly: true})
		require.NoError(t, err)
		require.Len(t, report.Problems, faults, "slot %d", slot)
	}
}

// TestAbsentRowsAreDamage removes each file of rows in turn, after a kill, so that replay writes
// behind it: the collection is left out, not searched without the rows.
func TestAbsentRowsAreDamage(t *testing.T) {
	d := newDisk()
	db, err := d.open()
	require.NoError(t, err)
	c := testCollection(t, db, "a")
	id := uint64(0)
	for ; c.vectors[""].rows.Bytes() < 200<<10; id++ {
		upsertOne(t, c, id, 0, "", UpsertOptions{})
	}
	require.NoError(t, db.Checkpoint(t.Context()))
	upsertOne(t, c, id, 0, "", UpsertOptions{})
	dir := filepath.Join("data", "collections", "1", "v0", "rows")
	files, err := d.fs.List(dir)
	require.NoError(t, err)
	require.Greater(t, len(files), 2)
	for _, name := range files {
		after := d.crash(1, 0)
		require.NoError(t, after.fs.Remove(filepath.Join(dir, name)))
		db, err := after.open()
		require.NoError(t, err)
		c, err := db.Collection("a")
		require.NoError(t, err)
		_, err = c.Count(t.Context(), nil, nil)
		require.ErrorContains(t, err, name)
		require.ErrorIs(t, db.Failed(), ErrReadOnly)
		_ = db.Close()
	}
	require.NoError(t, db.Close())
}
