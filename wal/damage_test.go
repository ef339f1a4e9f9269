package wal

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/vfs"
)

var update = flag.Bool("update", false, "rewrite golden files")

// closedLog returns a disk with a log of small records over several files, closed properly.
func closedLog(t testing.TB) *vfs.Mem {
	m := vfs.NewMem()
	l := open(t, m)
	for l.Last() < 36 {
		appendSynced(t, l, l.Last()+3)
	}
	require.NoError(t, l.Close())
	return m
}

// flip changes one byte of a file.
func flip(t testing.TB, m *vfs.Mem, name string, off int64, mask byte) {
	t.Helper()
	f, err := m.Open(name)
	require.NoError(t, err)
	var b [1]byte
	_, err = f.ReadAt(b[:], off)
	require.NoError(t, err)
	b[0] ^= mask
	_, err = f.WriteAt(b[:], off)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// TestFlippedByteIsNeverSilent flips bytes in every file of a closed log: the log opens with all of
// its records (the byte means nothing), or it names damage and shows a prefix.
func TestFlippedByteIsNeverSilent(t *testing.T) {
	m := closedLog(t)
	names, err := m.List(testDir)
	require.NoError(t, err)
	require.Greater(t, len(names), 2)
	for _, name := range names {
		name = testDir + "/" + name
		info, err := m.Stat(name)
		require.NoError(t, err)
		for off := int64(0); off < info.Size; off += 67 {
			if off == 67 {
				off = dataStart
			}
			bad := m.Crash(0, 100)
			flip(t, bad, name, off, 0x40)
			l, err := Open(Options{FS: bad, Dir: testDir, FileBytes: 16 << 10})
			var version *binfmt.VersionError
			if err != nil {
				require.ErrorAs(t, err, &version, "%s at %d", name, off)
				continue
			}
			if damage := l.Damage(); damage != nil {
				require.Equal(t, name, damage.File)
				require.LessOrEqual(t, damage.Offset, off)
				require.ErrorIs(t, l.Append(Record{Seq: 100}), ErrReadOnly)
				require.ErrorIs(t, l.TruncateSuffix(1), ErrReadOnly)
				require.ErrorIs(t, l.SetStart(1), ErrReadOnly)
				if l.Last() > 0 {
					requireRecords(t, l, 1, l.Last())
				}
				rep, err := Check(bad, testDir)
				require.NoError(t, err)
				require.Len(t, rep.Problems, 1)
			} else {
				require.EqualValues(t, 36, l.Last(), "%s at %d", name, off)
				requireRecords(t, l, 1, 36)
			}
			require.NoError(t, l.Close())
		}
	}
}

func TestMissingFileInTheMiddleIsDamage(t *testing.T) {
	m := closedLog(t)
	names, err := m.List(testDir)
	require.NoError(t, err)
	require.NoError(t, m.Remove(testDir+"/"+names[1]))
	l := open(t, m)
	require.NotNil(t, l.Damage())
	requireRecords(t, l, 1, l.Last())
	require.Less(t, l.Last(), uint64(36))
}

func TestDamageAfterOpenIsReported(t *testing.T) {
	m := closedLog(t)
	l := open(t, m)
	flip(t, m, fileName(testDir, 1), dataStart+60, 1)
	var damage *binfmt.CorruptError
	require.ErrorAs(t, l.Replay(1, func(Record) error { return nil }), &damage)
	require.EqualValues(t, dataStart, damage.Offset)
}

func TestTornLastRecordIsDropped(t *testing.T) {
	m := vfs.NewMem()
	l := open(t, m)
	appendSynced(t, l, 4)
	appendSynced(t, l, 6)
	f := l.current()
	cut := m.Crash(0, 100)
	flip(t, cut, f.name, f.end-1-int64(paddedFrame(len(data(6)))-frameHeader-len(data(6))), 1)
	l = open(t, cut)
	require.Nil(t, l.Damage())
	require.EqualValues(t, 5, l.Last())
	appendSynced(t, l, 9)
	requireRecords(t, l, 1, 9)
}

// TestStaleFrameDoesNotRejoin loses the first record of a group; the second one stands where a new
// second record would end up, and must not come back.
func TestStaleFrameDoesNotRejoin(t *testing.T) {
	m := vfs.NewMem()
	l := open(t, m)
	require.NoError(t, l.Append(Record{Seq: 1, Data: []byte("a")}))
	_, err := l.Sync()
	require.NoError(t, err)
	end := l.current().end
	require.NoError(t, l.Append(Record{Seq: 2, Data: []byte("old")}))
	require.NoError(t, l.Append(Record{Seq: 3, Data: []byte("stale")}))
	_, err = l.Sync()
	require.NoError(t, err)
	f, err := m.Open(l.current().name)
	require.NoError(t, err)
	_, err = f.WriteAt(make([]byte, paddedFrame(3)), end)
	require.NoError(t, err)
	m = m.Crash(0, 100)

	l = open(t, m)
	require.EqualValues(t, 1, l.Last())
	require.NoError(t, l.Append(Record{Seq: 2, Data: []byte("new")}))
	_, err = l.Sync()
	require.NoError(t, err)
	l = open(t, m.Crash(0, 100))
	require.EqualValues(t, 2, l.Last())
}

func TestNewerVersionIsRefusedUntouched(t *testing.T) {
	m := closedLog(t)
	name := fileName(testDir, 1)
	b, err := vfs.ReadFile(m, name)
	require.NoError(t, err)
	h := binfmt.EncodeHeader(binfmt.Header{Magic: fileMagic, Version: 9, FileID: 1, Seq: 1})
	copy(b, h)
	require.NoError(t, vfs.WriteFile(m, name, b))
	_, err = Open(Options{FS: m, Dir: testDir, FileBytes: 16 << 10})
	var version *binfmt.VersionError
	require.ErrorAs(t, err, &version)
	after, err := vfs.ReadFile(m, name)
	require.NoError(t, err)
	require.Equal(t, b, after)
}

const goldenName = "testdata/v1/wal-0000000000000001.log"

// TestGolden opens a file written by version 1.
func TestGolden(t *testing.T) {
	if *update {
		dir := filepath.Dir(goldenName)
		require.NoError(t, os.RemoveAll(dir))
		l, err := Open(Options{Dir: dir, FileBytes: minFileSize})
		require.NoError(t, err)
		l.newEpoch = func() uint64 { return 0x1122334455667788 }
		require.NoError(t, l.SetStart(5))
		for seq := uint64(5); seq < 9; seq++ {
			require.NoError(t, l.Append(Record{Seq: seq, Term: 2, Kind: 3, Data: bytes.Repeat([]byte{byte(seq)}, int(seq))}))
			_, err = l.Sync()
			require.NoError(t, err)
		}
		require.NoError(t, l.Close())
	}
	b, err := os.ReadFile(goldenName)
	require.NoError(t, err)
	m := vfs.NewMem()
	require.NoError(t, m.MkdirAll(testDir))
	require.NoError(t, vfs.WriteFile(m, fileName(testDir, 1), b))
	l := open(t, m)
	require.Nil(t, l.Damage())
	next := uint64(5)
	require.NoError(t, l.Replay(0, func(r Record) error {
		require.Equal(t, Record{Seq: next, Term: 2, Kind: 3, Data: bytes.Repeat([]byte{byte(next)}, int(next))}, r)
		next++
		return nil
	}))
	require.EqualValues(t, 9, next)
	require.EqualValues(t, 8, l.Last())
}

// FuzzFrame: no panic, and what is accepted encodes to the same bytes.
func FuzzFrame(f *testing.F) {
	at := place{file: 1, off: dataStart, epoch: 0x1122334455667788}
	if b, err := os.ReadFile(goldenName); err == nil {
		f.Add(b[dataStart : dataStart+64])
		f.Add(b[dataStart:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, in := range [][]byte{b, sealed(b, at)} {
			fr, ok := decodeFrame(in, at)
			if !ok {
				continue
			}
			again := appendFrame(nil, fr)
			seal(again, at, fr.synced)
			require.Equal(t, in[:frameHeader+len(fr.payload)], again[:frameHeader+len(fr.payload)])
		}
	})
}

// sealed returns b with the checksum that its length field asks for, if it can have one.
func sealed(b []byte, at place) []byte {
	b = bytes.Clone(b)
	if n, ok := frameLength(b, at.epoch); ok && frameHeader+n <= len(b) {
		w := binfmt.Writer{}
		w.U32(frameChecksum(b[:frameHeader+n], at))
		copy(b[8:], w.Buf)
	}
	return b
}

// FuzzOpen opens a log whose only file has arbitrary bytes behind a good header: no panic, no record
// that does not follow.
func FuzzOpen(f *testing.F) {
	if b, err := os.ReadFile(goldenName); err == nil {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := vfs.NewMem()
		require.NoError(t, m.MkdirAll(testDir))
		require.NoError(t, vfs.WriteFile(m, fileName(testDir, 1), b))
		l, err := Open(Options{FS: m, Dir: testDir, FileBytes: 16 << 10})
		if err != nil {
			return
		}
		next := l.First()
		require.NoError(t, l.Replay(0, func(r Record) error {
			require.Equal(t, next, r.Seq)
			next++
			return nil
		}))
		require.NoError(t, l.Close())
	})
}
