package payload

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dgraph-io/badger/v4/options"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/isobath/isobath/internal/binfmt"
)

const latest = ^uint64(0)

func openStore(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(Options{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func set(seq uint64, key, value string) Op {
	return Op{Key: []byte(key), Value: []byte(value), Seq: seq}
}

func del(seq uint64, key string) Op { return Op{Key: []byte(key), Seq: seq, Delete: true} }

func get(t testing.TB, s *Store, seq uint64, key string) string {
	t.Helper()
	v, err := s.Get(seq, []byte(key), nil)
	if err != nil {
		require.ErrorIs(t, err, ErrNotFound)
		has, err := s.Has(seq, []byte(key))
		require.NoError(t, err)
		require.False(t, has)
		return "(none)"
	}
	has, err := s.Has(seq, []byte(key))
	require.NoError(t, err)
	require.True(t, has)
	return string(v)
}

// crash returns a copy of the directory as a killed process would leave it. Badger's background work
// goes on meanwhile; a copy during which files came or went is not the state of one moment.
func crash(t testing.TB, dir string) string {
	t.Helper()
	names := func() (out []string) {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, e := range entries {
			if info, err := e.Info(); err == nil {
				out = append(out, fmt.Sprint(e.Name(), info.Size()))
			}
		}
		return out
	}
	for range 100 {
		to := filepath.Join(t.TempDir(), "copy")
		before := names()
		if err := os.CopyFS(to, os.DirFS(dir)); err == nil && slices.Equal(before, names()) {
			return to
		}
	}
	t.Fatal("the store never came to rest")
	return ""
}

func TestOptionsAreWrittenOut(t *testing.T) {
	o := badgerOptions(Options{Dir: "d"}.withDefaults())
	require.False(t, o.SyncWrites)
	require.Equal(t, 1, o.NumVersionsToKeep)
	require.False(t, o.DetectConflicts)
	require.EqualValues(t, 6<<20, o.MemTableSize)
	require.Equal(t, 2, o.NumMemtables)
	require.Equal(t, options.None, o.Compression)
	require.Zero(t, o.BlockCacheSize)
	require.Zero(t, o.IndexCacheSize)
	require.Equal(t, 8, o.NumLevelZeroTables)
	require.Equal(t, 12, o.NumLevelZeroTablesStall)
	require.EqualValues(t, 2<<20, o.BaseTableSize)
	require.EqualValues(t, 64<<20, o.BaseLevelSize)
	require.Equal(t, 1, o.TableSizeMultiplier)
	require.Equal(t, 2, o.NumCompactors)
	require.EqualValues(t, 600<<10, o.ValueThreshold)
	require.EqualValues(t, 1<<20, o.ValueLogFileSize)
	require.Equal(t, options.NoVerification, o.ChecksumVerificationMode)
	require.False(t, o.BypassLockGuard)
	require.False(t, o.MetricsEnabled)
	require.False(t, o.CompactL0OnClose)
	// What is not a blob must fit a transaction and stay below the threshold.
	require.Less(t, int64(blobBytes+frameBytes+MaxKeyBytes+100), o.MemTableSize*15/100)
	require.Less(t, int64(blobBytes+frameBytes), o.ValueThreshold)
	large := badgerOptions(Options{MemoryBytes: 1 << 40}.withDefaults())
	require.Equal(t, int64(maxMemoryBytes/16), large.BaseTableSize)
	require.Equal(t, o.MemTableSize, large.MemTableSize, "a log must fit the memtable of any later start")
	_, err := Open(Options{})
	require.Error(t, err)
}

func TestOtherFormatsAreNoDamage(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	for version, text := range map[byte]string{1: "format version 1 is no longer read", 3: "format version 3, this release knows up to 2"} {
		name := filepath.Join(dir, "MANIFEST")
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		b[5] = version
		require.NoError(t, os.WriteFile(name, b, 0o600))
		_, err = Open(Options{Dir: dir})
		require.ErrorContains(t, err, text)
		var c *binfmt.CorruptError
		require.False(t, errors.As(err, &c))
		require.ErrorContains(t, Check(dir), text)
	}
}

// A log that was written with much memory is read with little: by Check, or after the limit was lowered.
func TestKilledStoreOpensWithLessMemory(t *testing.T) {
	s, err := Open(Options{Dir: t.TempDir(), MemoryBytes: maxMemoryBytes})
	require.NoError(t, err)
	defer s.Close()
	value := strings.Repeat("v", 1000)
	for seq := uint64(1); seq <= 5000; seq++ {
		require.NoError(t, s.Apply([]Op{set(seq, fmt.Sprint("key", seq), value)}))
	}
	dir := crash(t, s.o.Dir)
	require.NoError(t, Check(dir))
	require.Equal(t, value, get(t, openStore(t, dir), 5000, "key5000"))
}

// A kill between making a log and giving it its size must not keep the store from opening.
func TestEmptyLogsOfAKillAreRemoved(t *testing.T) {
	for _, name := range []string{"00900.mem", "000900.vlog"} {
		s := openStore(t, t.TempDir())
		require.NoError(t, s.Apply([]Op{set(1, "a", "b")}))
		require.NoError(t, s.Close())
		dir := crash(t, s.o.Dir)
		empty := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(empty, nil, 0o600))
		require.NoError(t, Check(dir), name)
		require.FileExists(t, empty, "a check changes nothing")
		require.Equal(t, "b", get(t, openStore(t, dir), 1, "a"), name)
		require.NoFileExists(t, empty)
	}
}

func TestGetAtSeq(t *testing.T) {
	s := openStore(t, t.TempDir())
	require.NoError(t, s.Apply([]Op{set(5, "a", "five"), set(5, "b", ""), set(7, "a", "seven"), del(9, "a"), set(9, "b", "x"), set(12, "a", "twelve")}))
	for seq, want := range map[uint64]string{4: "(none)", 5: "five", 6: "five", 7: "seven", 8: "seven", 9: "(none)", 11: "(none)", 12: "twelve", latest: "twelve"} {
		require.Equal(t, want, get(t, s, seq, "a"), seq)
	}
	require.Equal(t, "", get(t, s, 8, "b"))
	v, err := s.Get(9, []byte("b"), []byte("pre-"))
	require.NoError(t, err)
	require.Equal(t, "pre-x", string(v))
	require.NoError(t, s.Apply([]Op{del(13, "b"), set(13, "b", "again")}))
	require.Equal(t, "again", get(t, s, 13, "b"))

	require.NoError(t, s.Apply(nil))
	require.ErrorIs(t, s.Apply([]Op{set(0, "a", "")}), ErrSeq)
	require.ErrorIs(t, s.Apply([]Op{set(1, "", "")}), ErrKey)
	require.ErrorIs(t, s.Apply([]Op{{Key: make([]byte, MaxKeyBytes+1), Seq: 1}}), ErrKey)
	require.NoError(t, s.Apply([]Op{{Key: make([]byte, MaxKeyBytes), Seq: 14, Value: []byte("long key")}}))
	require.Equal(t, "long key", get(t, s, 14, string(make([]byte, MaxKeyBytes))))
}

func TestScan(t *testing.T) {
	s := openStore(t, t.TempDir())
	var ops []Op
	for i, k := range []string{"a", "aa", "ab", "ab\x00", "ab\xff", "ab\xff\xff", "ac", "b", "\xff", "\xff\xff"} {
		ops = append(ops, set(uint64(i+1), k, "v"+k))
	}
	ops = append(ops, set(20, "ab", "new"), del(21, "aa"))
	require.NoError(t, s.Apply(ops))
	scan := func(seq uint64, o ScanOptions) (out []string) {
		require.NoError(t, s.Scan(seq, o, func(k, v []byte) (bool, error) {
			if o.KeysOnly {
				require.Nil(t, v)
			} else {
				require.Equal(t, get(t, s, seq, string(k)), string(v)) // reads inside are allowed
			}
			out = append(out, string(k))
			return true, nil
		}))
		return out
	}
	for _, c := range []struct {
		seq  uint64
		o    ScanOptions
		want []string
	}{
		{latest, ScanOptions{}, []string{"a", "ab", "ab\x00", "ab\xff", "ab\xff\xff", "ac", "b", "\xff", "\xff\xff"}},
		{latest, ScanOptions{Reverse: true}, []string{"\xff\xff", "\xff", "b", "ac", "ab\xff\xff", "ab\xff", "ab\x00", "ab", "a"}},
		{20, ScanOptions{Prefix: []byte("a"), KeysOnly: true}, []string{"a", "aa", "ab", "ab\x00", "ab\xff", "ab\xff\xff", "ac"}},
		{latest, ScanOptions{Prefix: []byte("ab")}, []string{"ab", "ab\x00", "ab\xff", "ab\xff\xff"}},
		{latest, ScanOptions{Prefix: []byte("ab"), Reverse: true}, []string{"ab\xff\xff", "ab\xff", "ab\x00", "ab"}},
		{latest, ScanOptions{Prefix: []byte("ab\xff"), Reverse: true}, []string{"ab\xff\xff", "ab\xff"}},
		{latest, ScanOptions{Prefix: []byte("\xff"), Reverse: true}, []string{"\xff\xff", "\xff"}},
		{latest, ScanOptions{Prefix: []byte("ab"), From: []byte("ab\x00")}, []string{"ab\x00", "ab\xff", "ab\xff\xff"}},
		{latest, ScanOptions{Prefix: []byte("ab"), From: []byte("ab\x00"), Reverse: true}, []string{"ab\x00", "ab"}},
		{latest, ScanOptions{Prefix: []byte("ab"), From: []byte("ab\x01"), Reverse: true}, []string{"ab\x00", "ab"}},
		{latest, ScanOptions{Prefix: []byte("ab"), From: []byte("a")}, []string{"ab", "ab\x00", "ab\xff", "ab\xff\xff"}},
		{latest, ScanOptions{Prefix: []byte("ab"), From: []byte("z"), Reverse: true}, []string{"ab\xff\xff", "ab\xff", "ab\x00", "ab"}},
		{latest, ScanOptions{Prefix: []byte("ab"), From: []byte("z")}, nil},
		{latest, ScanOptions{Prefix: []byte("ab"), From: []byte("a"), Reverse: true}, nil},
		{latest, ScanOptions{Prefix: []byte("q")}, nil},
		{3, ScanOptions{}, []string{"a", "aa", "ab"}},
		{0, ScanOptions{}, nil},
	} {
		require.Equal(t, c.want, scan(c.seq, c.o), "%+v", c.o)
	}
	n := 0
	require.NoError(t, s.Scan(latest, ScanOptions{}, func(k, v []byte) (bool, error) { n++; return n < 3, nil }))
	require.Equal(t, 3, n)
	boom := fmt.Errorf("boom")
	require.ErrorIs(t, s.Scan(latest, ScanOptions{}, func(k, v []byte) (bool, error) { return true, boom }), boom)
	require.PanicsWithValue(t, "own", func() {
		_ = s.Scan(latest, ScanOptions{}, func(k, v []byte) (bool, error) { panic("own") })
	})
}

// history makes records in which keys are set, overwritten, deleted, and often are blobs.
func history(seed uint64, records int) (ops []Op) {
	r := rand.New(rand.NewPCG(seed, 1))
	for seq := uint64(1); seq <= uint64(records); seq++ {
		for range 1 + r.IntN(5) {
			key := fmt.Sprintf("key%02d", r.IntN(40))
			switch n := r.IntN(40); {
			case n < 8:
				ops = append(ops, del(seq, key))
			case n < 20:
				ops = append(ops, set(seq, key, strings.Repeat(string('a'+rune(seq%26)), blobBytes+r.IntN(2*blobBytes))))
			default:
				ops = append(ops, set(seq, key, fmt.Sprintf("%s@%d", key, seq)))
			}
		}
	}
	return ops
}

func requireState(t testing.TB, s *Store, ops []Op, seq uint64) {
	t.Helper()
	want := map[string]string{}
	for _, op := range ops {
		if op.Seq > seq {
			break
		}
		if op.Delete {
			delete(want, string(op.Key))
		} else {
			want[string(op.Key)] = string(op.Value)
		}
	}
	got := map[string]string{}
	require.NoError(t, s.Scan(seq, ScanOptions{}, func(k, v []byte) (bool, error) {
		got[string(k)] = string(v)
		return true, nil
	}))
	require.Equal(t, len(want), len(got), "seq %d", seq)
	for k, v := range want {
		require.True(t, got[k] == v, "seq %d key %s", seq, k)
		require.True(t, get(t, s, seq, k) == v)
	}
}

func TestReplayOfASuffixIsIdempotent(t *testing.T) {
	const records, checkpoint = 300, 150
	ops := history(7, records)
	split := 0
	for split < len(ops) && ops[split].Seq <= checkpoint {
		split++
	}
	dir := t.TempDir()
	s := openStore(t, dir)
	require.NoError(t, s.Apply(ops[:split]))
	require.NoError(t, s.Sync())
	s.SetDiscard(checkpoint)
	require.NoError(t, s.Apply(ops[split:]))
	for _, seq := range []uint64{checkpoint, 200, 250, records} {
		requireState(t, s, ops, seq)
	}
	// In place, with all newer versions there, then after a crash, in small steps and twice.
	require.NoError(t, s.Apply(ops[split:]))
	requireState(t, s, ops, records)
	dir2 := crash(t, dir)
	for range 2 {
		s2, err := Open(Options{Dir: dir2})
		require.NoError(t, err)
		for i := split; i < len(ops); i += 17 {
			require.NoError(t, s2.Apply(ops[i:min(i+17, len(ops))]))
		}
		for _, seq := range []uint64{checkpoint, 200, 250, records} {
			requireState(t, s2, ops, seq)
		}
		require.NoError(t, s2.Verify(latest))
		require.NoError(t, s2.Close())
		require.NoError(t, Check(dir2))
	}
	require.NoError(t, Check(crash(t, dir)))
}

func TestCompactionKeepsWhatReadersNeed(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 60 MB")
	}
	s := openStore(t, t.TempDir())
	r := rand.New(rand.NewPCG(3, 3))
	newest := map[string]uint64{}
	for seq := uint64(1); seq <= 400; seq++ {
		var ops []Op
		for range 500 {
			k := fmt.Sprintf("key%05d", r.IntN(20000))
			ops = append(ops, set(seq, k, fmt.Sprintf("%s@%d %0300d", k, seq, 0)))
			newest[k] = seq
		}
		require.NoError(t, s.Apply(ops))
		s.SetDiscard(seq - min(seq, 20))
	}
	require.Positive(t, s.Stats().Tables)
	for k, seq := range newest {
		require.True(t, strings.HasPrefix(get(t, s, latest, k), fmt.Sprintf("%s@%d ", k, seq)))
	}
	n := 0
	require.NoError(t, s.Scan(390, ScanOptions{}, func(k, v []byte) (bool, error) { n++; return true, nil }))
	require.NoError(t, s.Verify(latest))
	require.Positive(t, n)
}

func TestDamageIsNeverReturned(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir})
	require.NoError(t, err)
	var ops []Op
	for i := range 2000 {
		ops = append(ops, set(uint64(i+1), fmt.Sprintf("key%05d", i), fmt.Sprintf("value %d %s", i, strings.Repeat("y", 200))))
	}
	require.NoError(t, s.Apply(ops))
	require.NoError(t, s.Close())
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	require.NoError(t, err)
	require.NotEmpty(t, tables)
	r := rand.New(rand.NewPCG(11, 4))
	found := 0
	for range 60 {
		copied := crash(t, dir)
		name := filepath.Join(copied, filepath.Base(tables[r.IntN(len(tables))]))
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		for range 1 + r.IntN(3) {
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		}
		require.NoError(t, os.WriteFile(name, b, 0o600))
		require.Error(t, Check(copied))
		s, err := Open(Options{Dir: copied})
		if err != nil {
			var c *binfmt.CorruptError
			require.ErrorAs(t, err, &c)
			found++
			continue
		}
		damaged := false
		for i := range ops {
			v, err := s.Get(latest, ops[i].Key, nil)
			if err != nil {
				damaged = true
				continue
			}
			require.Equal(t, ops[i].Value, v)
		}
		if damaged {
			found++
		}
		require.NoError(t, s.Close())
	}
	t.Logf("%d of 60 flips were met by reads", found)
}

func TestCloseWaitsAndRefuses(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent(), goleak.IgnoreAnyFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, s.Apply([]Op{set(1, "a", "x")}))
	_, err = Open(Options{Dir: dir})
	require.Error(t, err, "the directory is locked")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				v, err := s.Get(1, []byte("a"), nil)
				if err != nil {
					require.ErrorIs(t, err, ErrClosed)
					return
				}
				if !bytes.Equal(v, []byte("x")) {
					panic("wrong value")
				}
			}
		})
	}
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	wg.Wait()
	require.ErrorIs(t, s.Apply([]Op{set(2, "a", "y")}), ErrClosed)
	require.ErrorIs(t, s.Sync(), ErrClosed)
	require.ErrorIs(t, s.Scan(1, ScanOptions{}, nil), ErrClosed)
	require.Error(t, Check(filepath.Join(dir, "none")))
}

func TestFailedSyncIsNotRepeated(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, s.Apply([]Op{set(1, "a", "1")}))
	stray := filepath.Join(dir, "stray")
	require.NoError(t, os.Symlink(os.DevNull, stray)) // which cannot be synced
	require.Error(t, s.Sync())
	require.NoError(t, os.Remove(stray))
	require.ErrorIs(t, s.Sync(), ErrFailed, "a second try would succeed whatever the first one lost")
	require.ErrorIs(t, s.Apply([]Op{set(2, "b", "2")}), ErrFailed)
	require.Equal(t, "1", get(t, s, 1, "a"), "reads go on")
	require.ErrorIs(t, s.Close(), ErrFailed)

	s = openStore(t, dir)
	require.Equal(t, "1", get(t, s, 1, "a"))
	require.NoError(t, s.Sync())
}

func TestDamagedBlockIsFoundAtOpen(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir})
	require.NoError(t, err)
	for seq := range uint64(1000) {
		require.NoError(t, s.Apply([]Op{set(seq+1, fmt.Sprint("key", seq), "value")}))
	}
	require.NoError(t, s.Close())
	tables, err := filepath.Glob(filepath.Join(dir, "*"+tableSuffix))
	require.NoError(t, err)
	require.Len(t, tables, 1)
	whole, err := os.ReadFile(tables[0])
	require.NoError(t, err)
	blocks := len(whole) * 2 / 3 // the index stands behind them
	for at := 0; at < blocks; at += 1 + blocks/100 {
		damaged := slices.Clone(whole)
		damaged[at] ^= 1 << (at % 8)
		require.NoError(t, os.WriteFile(tables[0], damaged, 0o600))
		_, err := Open(Options{Dir: dir})
		var damage *binfmt.CorruptError
		require.ErrorAs(t, err, &damage, "byte %d of %d", at, len(whole))
		require.Equal(t, tables[0], damage.File)
	}
	require.NoError(t, os.WriteFile(tables[0], whole, 0o600))
	openStore(t, dir)
}

func TestYoungestTablesAreVerifiedAtOpen(t *testing.T) {
	dir := t.TempDir()
	value := strings.Repeat("v", 1000)
	for _, rows := range []int{10, 1000} { // every close writes a table
		s, err := Open(Options{Dir: dir})
		require.NoError(t, err)
		for i := range rows {
			require.NoError(t, s.Apply([]Op{set(uint64(i+1), fmt.Sprint("key", rows, i), value)}))
		}
		require.NoError(t, s.Close())
	}
	tables, err := filepath.Glob(filepath.Join(dir, "*"+tableSuffix))
	require.NoError(t, err)
	require.Len(t, tables, 2)
	slices.Sort(tables)
	var sizes []int64
	for _, name := range tables {
		whole, err := os.ReadFile(name)
		require.NoError(t, err)
		whole[2] ^= 1
		require.NoError(t, os.WriteFile(name, whole, 0o600))
		sizes = append(sizes, int64(len(whole)))
	}
	o := Options{Dir: dir}.withDefaults()
	for range 20 { // alike at every start
		var damage *binfmt.CorruptError
		require.NoError(t, checkTables(o, sizes[0]-1), "none fits")
		require.ErrorAs(t, checkTables(o, sizes[1]), &damage)
		require.Equal(t, tables[1], damage.File)
		require.ErrorAs(t, checkTables(o, sizes[1]-1), &damage)
		require.Equal(t, tables[0], damage.File, "a table that is too large keeps no other one from being read")
	}
}
