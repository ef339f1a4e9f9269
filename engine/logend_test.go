package engine

import (
	"context"
	"path"
	"testing"

	"github.com/stretchr/testify/require"
)

// The last record of a log, when damaged, looks like the torn end of it. If a checkpoint has it,
// nothing is lost and the database opens.
func TestLogThatEndsBeforeTheCheckpoint(t *testing.T) {
	ctx := context.Background()
	d := newDisk()
	db, err := d.open()
	require.NoError(t, err)
	c := testCollection(t, db, "a")
	for id := range uint64(10) {
		upsertOne(t, c, id, 0, `{"a":1}`, UpsertOptions{})
	}
	require.NoError(t, db.Checkpoint(ctx))
	want := dumpDB(t, db)
	after := d.crash(1, 0)
	_ = db.Close()

	flipLastByte(t, after)
	for round := range 2 {
		db, err = after.open()
		require.NoError(t, err)
		require.Equal(t, want, dumpDB(t, db))
		c, err = db.Collection("a")
		require.NoError(t, err)
		upsertOne(t, c, uint64(100+round), 0, "", UpsertOptions{})
		want = dumpDB(t, db)
		crashed := after.crash(int64(round), 0)
		_ = db.Close()
		after = crashed
	}
	db, err = after.open()
	require.NoError(t, err)
	require.Equal(t, want, dumpDB(t, db))
	requireSound(t, db)
	require.NoError(t, db.Close())
}

func flipLastByte(t *testing.T, d *disk) {
	t.Helper()
	names, err := d.fs.List("data/wal")
	require.NoError(t, err)
	name := path.Join("data/wal", names[len(names)-1])
	f, err := d.fs.Open(name)
	require.NoError(t, err)
	size, err := f.Size()
	require.NoError(t, err)
	buf := make([]byte, size)
	_, err = f.ReadAt(buf, 0)
	require.NoError(t, err)
	last := len(buf) - 1
	for buf[last] == 0 {
		last--
	}
	_, err = f.WriteAt([]byte{buf[last] ^ 1}, int64(last))
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
}

// Damage that a clean stop has proven is reported, whether or not a checkpoint has the record.
func TestDamagedEndOfCleanLog(t *testing.T) {
	d := newDisk()
	db, err := d.open()
	require.NoError(t, err)
	c := testCollection(t, db, "a")
	upsertOne(t, c, 1, 0, `{"a":1}`, UpsertOptions{})
	want := dumpDB(t, db)
	require.NoError(t, db.Close())
	flipLastByte(t, d)
	db, err = d.open()
	require.NoError(t, err)
	require.Equal(t, want, dumpDB(t, db))
	_ = db.Close() // it may be read-only
}
