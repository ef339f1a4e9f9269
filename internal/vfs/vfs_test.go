package vfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"
)

// each runs a test on the real file system and on the one in memory, plain and wrapped.
func each(t *testing.T, test func(t *testing.T, fsys FS, dir string)) {
	t.Run("os", func(t *testing.T) { test(t, OS, t.TempDir()) })
	t.Run("mem", func(t *testing.T) {
		m := NewMem()
		require.NoError(t, m.MkdirAll("/base"))
		test(t, m, "/base")
	})
	t.Run("failing", func(t *testing.T) { test(t, NewFailing(OS), t.TempDir()) })
}

func TestFilesAndNames(t *testing.T) {
	each(t, func(t *testing.T, fsys FS, dir string) {
		name := dir + "/a"
		_, err := fsys.Open(name)
		require.ErrorIs(t, err, fs.ErrNotExist)
		_, err = fsys.Create(dir + "/absent/a")
		require.ErrorIs(t, err, fs.ErrNotExist)
		f, err := fsys.Create(name)
		require.NoError(t, err)
		require.Equal(t, name, f.Name())
		_, err = fsys.Create(name)
		require.ErrorIs(t, err, fs.ErrExist)

		_, err = f.WriteAt([]byte("hello"), 3)
		require.NoError(t, err)
		buf := make([]byte, 10)
		n, err := f.ReadAt(buf, 0)
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, "\x00\x00\x00hello", string(buf[:n]))
		require.NoError(t, f.Truncate(5))
		require.NoError(t, f.Allocate(0, 4096))
		size, err := f.Size()
		require.NoError(t, err)
		require.EqualValues(t, 4096, size)
		n, err = f.ReadAt(buf, 0)
		require.NoError(t, err)
		require.Equal(t, "\x00\x00\x00he\x00\x00\x00\x00\x00", string(buf[:n]))
		require.NoError(t, f.Sync())
		require.NoError(t, f.Close())
		require.NoError(t, f.Close())
		_, err = f.ReadAt(buf, 0)
		require.ErrorIs(t, err, fs.ErrClosed)

		require.NoError(t, MkdirDurably(fsys, dir+"/x/y"))
		require.NoError(t, MkdirDurably(fsys, dir+"/x/y"))
		require.NoError(t, fsys.Rename(name, dir+"/x/b"))
		names, err := fsys.List(dir + "/x")
		require.NoError(t, err)
		require.Equal(t, []string{"b", "y"}, names)
		info, err := fsys.Stat(dir + "/x")
		require.NoError(t, err)
		require.True(t, info.IsDir)
		require.Error(t, fsys.Remove(dir+"/x"))
		require.NoError(t, fsys.RemoveAll(dir+"/x"))
		require.NoError(t, fsys.RemoveAll(dir+"/x"))
		_, err = fsys.Stat(dir + "/x")
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorIs(t, fsys.Remove(dir+"/x"), fs.ErrNotExist)
	})
}

func TestReadOnlyFileRefusesWrites(t *testing.T) {
	each(t, func(t *testing.T, fsys FS, dir string) {
		require.NoError(t, WriteFile(fsys, dir+"/a", []byte("one")))
		require.NoError(t, WriteFile(fsys, dir+"/a", []byte("two")))
		f, err := fsys.OpenRead(dir + "/a")
		require.NoError(t, err)
		defer f.Close()
		_, err = f.WriteAt([]byte("x"), 0)
		require.Error(t, err)
		b, err := ReadFile(fsys, dir+"/a")
		require.NoError(t, err)
		require.Equal(t, "two", string(b))
	})
}

func TestCrashKeepsOnlyWhatWasSynced(t *testing.T) {
	m := NewMem()
	require.NoError(t, MkdirDurably(m, "d"))
	require.NoError(t, WriteFile(m, "d/kept", []byte("kept")))

	f, err := m.Create("d/unnamed") // synced bytes under a name that is not
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("x"), 0)
	require.NoError(t, err)
	require.NoError(t, f.Sync())

	g, err := m.Open("d/kept")
	require.NoError(t, err)
	_, err = g.WriteAt([]byte("lost"), 0)
	require.NoError(t, err)

	after := m.Crash(1, 0)
	names, err := after.List("d")
	require.NoError(t, err)
	require.Equal(t, []string{"kept"}, names)
	b, err := ReadFile(after, "d/kept")
	require.NoError(t, err)
	require.Equal(t, "kept", string(b))

	all := m.Crash(1, 100)
	b, err = ReadFile(all, "d/kept")
	require.NoError(t, err)
	require.Equal(t, "lost", string(b))
	_, err = all.Stat("d/unnamed")
	require.NoError(t, err)
}

func TestCrashTearsWritesBySector(t *testing.T) {
	m := NewMem()
	f, err := m.Create("a")
	require.NoError(t, err)
	require.NoError(t, f.Allocate(0, 64*sector))
	require.NoError(t, f.Sync())
	require.NoError(t, m.SyncDir("/"))
	_, err = f.WriteAt(bytes.Repeat([]byte{1}, 32*sector), 100)
	require.NoError(t, err)

	b, err := ReadFile(m.Crash(7, 50), "a")
	require.NoError(t, err)
	again, err := ReadFile(m.Crash(7, 50), "a")
	require.NoError(t, err)
	require.Equal(t, b, again, "same seed, same disk")
	whole, empty := 0, 0
	for i := 1; i < 32; i++ {
		switch part := b[i*sector : (i+1)*sector]; {
		case bytes.Count(part, []byte{1}) == sector:
			whole++
		case bytes.Count(part, []byte{0}) == sector:
			empty++
		default:
			t.Fatalf("sector %d is torn inside", i)
		}
	}
	require.Positive(t, whole)
	require.Positive(t, empty)
}

func TestRenameIsAtomicAcrossCrash(t *testing.T) {
	m := NewMem()
	require.NoError(t, MkdirDurably(m, "a"))
	require.NoError(t, MkdirDurably(m, "b"))
	require.NoError(t, WriteFile(m, "a/x", []byte("new")))
	require.NoError(t, WriteFile(m, "b/x", []byte("old")))
	require.NoError(t, m.Rename("a/x", "b/x"))
	for seed := range int64(20) {
		after := m.Crash(seed, 50)
		b, err := ReadFile(after, "b/x")
		require.NoError(t, err)
		_, err = after.Stat("a/x")
		require.Equal(t, string(b) == "old", err == nil)
	}
}

// TestStopAtEveryOperation stops WriteFile at each of its operations: the name holds the old or the
// new content, whatever the power cut keeps.
func TestStopAtEveryOperation(t *testing.T) {
	for stop := 1; ; stop++ {
		m := NewMem()
		require.NoError(t, WriteFile(m, "a", []byte("old")))
		m.StopAt(m.Ops() + stop)
		err := WriteFile(m, "a", bytes.Repeat([]byte("new"), 1000))
		if err == nil {
			require.Greater(t, stop, 4)
			return
		}
		require.ErrorIs(t, err, ErrStopped)
		for seed := range int64(4) {
			for _, percent := range []int{0, 50, 100} {
				b, err := ReadFile(m.Crash(seed, percent), "a")
				require.NoError(t, err)
				require.Contains(t, []int{3, 3000}, len(b))
			}
		}
	}
}

func TestMapBytesSeesLaterWrites(t *testing.T) {
	m := NewMem()
	f, err := m.Create("a")
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("0123456789"), 0)
	require.NoError(t, err)
	b, err := f.(*memFile).MapBytes(2, 6)
	require.NoError(t, err)
	_, err = f.WriteAt(make([]byte, 1<<20), 100) // moves the buffer
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("abc"), 1)
	require.NoError(t, err)
	require.Equal(t, "bc4567", string(b))
}

func TestFailing(t *testing.T) {
	m := NewMem()
	own := errors.New("own")
	fl := NewFailing(m, Fault{Op: OpWrite, Nth: 2, Err: own}, Fault{Op: OpRename, Nth: 1, Sticky: true})
	f, err := fl.Create("a")
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("1111"), 0)
	require.NoError(t, err)
	n, err := f.WriteAt([]byte("2222"), 0)
	require.ErrorIs(t, err, own)
	require.Equal(t, 2, n)
	_, err = f.WriteAt([]byte("33"), 2)
	require.NoError(t, err)
	require.ErrorIs(t, fl.Rename("a", "b"), ErrInjected)
	require.ErrorIs(t, fl.Rename("a", "b"), ErrInjected)
	require.Equal(t, 3, fl.Fired())
	fl.Heal()
	require.NoError(t, fl.Rename("a", "b"))
	b, err := ReadFile(fl, "b")
	require.NoError(t, err)
	require.Equal(t, "2233", string(b))
}

func TestFailedSyncLosesPages(t *testing.T) {
	m := NewMem()
	fl := NewFailing(m)
	f, err := fl.Create("a")
	require.NoError(t, err)
	require.NoError(t, fl.SyncDir("."))
	_, err = f.WriteAt([]byte("x"), 0)
	require.NoError(t, err)
	fl.Inject(Fault{Op: OpSync, Nth: 1})
	require.Error(t, f.Sync())
	require.NoError(t, f.Sync(), "the second sync lies")
	b, err := ReadFile(m.Crash(1, 100), "a")
	require.NoError(t, err)
	require.Empty(t, b)
}
