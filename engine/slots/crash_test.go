package slots

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/vfs"
)

var update = flag.Bool("update", false, "rewrite golden files")

const manifestName = "c/MANIFEST"

// publish is what the engine does with a Saved: the manifest names it, then other files may go.
func publish(fsys vfs.FS, saved Saved) error {
	var w binfmt.Writer
	w.LenBytes(saved.Meta)
	for _, f := range saved.Files {
		w.String(f)
	}
	if err := vfs.WriteFile(fsys, manifestName, w.Buf); err != nil {
		return err
	}
	names, err := fsys.List(testDir)
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, f := range saved.Files {
		keep[f] = true
	}
	for _, name := range names {
		if !keep[name] {
			if err := fsys.Remove(testDir + "/" + name); err != nil {
				return err
			}
		}
	}
	return nil
}

func published(t *testing.T, fsys vfs.FS) Saved {
	b, err := vfs.ReadFile(fsys, manifestName)
	if errors.Is(err, os.ErrNotExist) {
		return Saved{}
	}
	require.NoError(t, err)
	r := binfmt.NewReader(b)
	saved := Saved{Meta: bytes.Clone(r.LenBytes())}
	for r.Remaining() > 0 {
		saved.Files = append(saved.Files, r.String())
	}
	if len(saved.Meta) == 0 {
		saved.Meta = nil
	}
	return saved
}

// checkpoints runs a workload with many saves; acked are the states that a crash may show.
func checkpoints(fsys vfs.FS, acked *[]*model) error {
	d := &driver{rng: rand.New(rand.NewPCG(9, 9)), table: New(), model: newModel()}
	defer func() { _ = d.table.Close() }()
	next := namer()
	for round := range 12 {
		d.change(40 + 1200*(round%3/2))
		sv := d.table.BeginSave()
		*acked = append(*acked, d.model.clone())
		d.change(20)
		saved, err := sv.Run(fsys, testDir, next)
		if err != nil {
			return err
		}
		if err := publish(fsys, saved); err != nil {
			return err
		}
		d.table.FinishSave(sv)
		*acked = (*acked)[len(*acked)-1:]
	}
	return nil
}

func requireOneOf(t *testing.T, fsys vfs.FS, states []*model, msg string) {
	t.Helper()
	saved := published(t, fsys)
	require.NoError(t, Verify(fsys, testDir, saved), msg)
	tb, err := Load(fsys, testDir, saved)
	require.NoError(t, err, msg)
	defer tb.Close()
	for _, m := range states {
		if m.high == tb.High() {
			m.require(t, tb, msg)
			return
		}
	}
	require.Fail(t, "table of no checkpoint", msg)
}

func TestCrashAtEveryOperation(t *testing.T) {
	for stop := 1; ; stop++ {
		m := newDisk(t)
		m.StopAt(m.Ops() + stop)
		states := []*model{newModel()}
		err := checkpoints(m, &states)
		if err == nil {
			require.Greater(t, stop, 50)
			return
		}
		require.ErrorIs(t, err, vfs.ErrStopped)
		for i, percent := range []int{0, 50, 100} {
			requireOneOf(t, m.Crash(int64(stop*3+i), percent), states, fmt.Sprintf("stop %d percent %d", stop, percent))
		}
	}
}

func TestEachFaultOnce(t *testing.T) {
	for nth := 1; ; nth++ {
		m := newDisk(t)
		fl := vfs.NewFailing(m, vfs.Fault{Op: vfs.OpAny, Nth: nth})
		states := []*model{newModel()}
		err := checkpoints(fl, &states)
		if fl.Fired() == 0 {
			require.NoError(t, err)
			return
		}
		require.ErrorIs(t, err, vfs.ErrInjected, "call %d", nth)
		requireOneOf(t, m.Crash(int64(nth), 50), states, fmt.Sprint("call ", nth))
	}
}

// TestSaveAfterFailedSave: nothing of a failed save is forgotten.
func TestSaveAfterFailedSave(t *testing.T) {
	m, next := newDisk(t), namer()
	fl := vfs.NewFailing(m)
	d := &driver{rng: rand.New(rand.NewPCG(3, 3)), table: New(), model: newModel()}
	defer func() { _ = d.table.Close() }()
	for range 10 {
		d.change(500)
		sv := d.table.BeginSave()
		d.change(50)
		fl.Inject(vfs.Fault{Op: vfs.OpSync, Nth: 1})
		_, err := sv.Run(fl, testDir, next)
		require.ErrorIs(t, err, vfs.ErrInjected)
		d.table.FinishSave(sv)
		d.change(50)
		fl.Heal()
		then := d.model.clone()
		sv = d.table.BeginSave()
		d.change(50)
		saved, err := sv.Run(fl, testDir, next)
		require.NoError(t, err)
		d.table.FinishSave(sv)
		tb, err := Load(fl, testDir, saved)
		require.NoError(t, err)
		then.require(t, tb, "second save")
		require.NoError(t, tb.Close())
		d.model.require(t, d.table, "running table")
	}
}

func smallTable(t testing.TB, fsys vfs.FS) Saved {
	t.Helper()
	tb := New()
	defer tb.Close()
	for i := range uint64(1500) {
		tb.Set(tb.Allocate(), Row{ID: idOf(i), Version: i, Birth: i + 1})
	}
	tb.Kill(3, 2000)
	tb.Free(roaring.BitmapOf(3))
	sv := tb.BeginSave()
	saved, err := sv.Run(fsys, testDir, namer())
	require.NoError(t, err)
	tb.FinishSave(sv)
	return saved
}

// TestFlippedByteIsNeverSilent flips bytes of a file: the table shows the same rows, or it tells.
func TestFlippedByteIsNeverSilent(t *testing.T) {
	m := newDisk(t)
	saved := smallTable(t, m)
	name := testDir + "/" + saved.Files[0]
	whole, err := vfs.ReadFile(m, name)
	require.NoError(t, err)
	for off := 0; off < len(whole); off += 193 {
		if off > 64 && off < fileStart-193 {
			continue
		}
		bad := bytes.Clone(whole)
		bad[off] ^= 0x10
		require.NoError(t, vfs.WriteFile(m, name, bad))
		verr := Verify(m, testDir, saved)
		tb, err := Load(m, testDir, saved)
		if err != nil {
			var version *binfmt.VersionError
			var corrupt *binfmt.CorruptError
			require.True(t, errors.As(err, &corrupt) || errors.As(err, &version), "byte %d: %v", off, err)
			require.Error(t, verr)
			continue
		}
		for i := range uint64(1500) {
			if r, ok := tb.Get(uint32(i)); ok {
				require.Equal(t, idOf(i), r.ID)
			}
		}
		if verr == nil {
			require.Nil(t, tb.Damage(), "byte %d", off)
			require.NoError(t, tb.Close())
			continue
		}
		require.NotNil(t, tb.Damage(), "byte %d", off)
		tb.Set(0, Row{ID: idOf(0), Birth: 1})
		tb.Set(1100, Row{ID: idOf(0), Birth: 1})
		_, err = tb.BeginSave().Run(m, testDir, func() string { return "other" })
		require.ErrorIs(t, err, binfmt.ErrChecksum, "damage is never saved over")
		require.NoError(t, tb.Close())
	}
}

// TestGolden opens a table written by version 1.
func TestGolden(t *testing.T) {
	const dir = "testdata/v1"
	if *update {
		m := newDisk(t)
		saved := smallTable(t, m)
		b, err := vfs.ReadFile(m, testDir+"/"+saved.Files[0])
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(dir, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, saved.Files[0]), b, 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "meta"), saved.Meta, 0o644))
	}
	meta, err := os.ReadFile(filepath.Join(dir, "meta"))
	require.NoError(t, err)
	saved := Saved{Files: []string{"slots-000001"}, Meta: meta}
	require.NoError(t, Verify(vfs.OS, dir, saved))
	tb, err := Load(vfs.OS, dir, saved)
	require.NoError(t, err)
	defer tb.Close()
	require.EqualValues(t, 1500, tb.High())
	require.Equal(t, []uint32{3}, tb.FreeSet().ToArray())
	for i := range uint64(1500) {
		want := Row{ID: idOf(i), Version: i, Birth: i + 1}
		if i == 3 {
			want.Death = 2000
		}
		got, ok := tb.Get(uint32(i))
		require.True(t, ok)
		require.Equal(t, want, got)
	}
}

// FuzzDecode: no panic, and what is accepted encodes to something that decodes alike.
func FuzzDecode(f *testing.F) {
	if b, err := os.ReadFile("testdata/v1/meta"); err == nil {
		f.Add(b, true)
		if m, err := decodeMeta(b); err == nil {
			if file, err := os.ReadFile("testdata/v1/" + m.file); err == nil {
				f.Add(file[m.off:m.off+m.length], false)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, isMeta bool) {
		if isMeta {
			if m, err := decodeMeta(b); err == nil {
				again, err := decodeMeta(m.encode())
				require.NoError(t, err)
				require.Equal(t, m, again)
			}
			return
		}
		im, err := decodeImage(b)
		if err != nil {
			return
		}
		encoded, err := im.encode()
		require.NoError(t, err)
		again, err := decodeImage(encoded)
		require.NoError(t, err)
		require.Equal(t, im.high, again.high)
		require.Len(t, again.where, len(im.where))
		require.True(t, im.free.Equals(again.free))
	})
}
