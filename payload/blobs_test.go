package payload

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/vfs"
)

// openWithBlobs opens a store whose blobs lie in files of 8 KiB on fsys and are collected only when the
// test asks.
func openWithBlobs(t testing.TB, dir string, fsys vfs.FS) *Store {
	t.Helper()
	if _, ok := fsys.(*vfs.Mem); ok {
		require.NoError(t, vfs.MkdirDurably(fsys, filepath.ToSlash(dir)))
	}
	s, err := Open(Options{Dir: dir, blobFS: fsys})
	require.NoError(t, err)
	s.blobs.least = 8 << 10
	s.collector.least = 1 << 60
	return s
}

func blob(n int) string { return strings.Repeat("b", n) }

func blobNames(t testing.TB, dir string) []string {
	names, err := filepath.Glob(filepath.Join(dir, blobsDir, "*"+blobSuffix))
	require.NoError(t, err)
	return names
}

func TestLongValuesAreBlobs(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	require.NoError(t, s.Apply([]Op{set(1, "k", blob(blobBytes)), set(1, "l", "short")}))
	require.Empty(t, blobNames(t, dir), "no blob, no file")
	require.NoError(t, s.Apply([]Op{set(2, "k", blob(blobBytes+1)), set(3, "k", "short"), set(3, "other", blob(5000)), set(4, "huge", blob(40<<20))}))
	check := func(s *Store) {
		t.Helper()
		require.Len(t, get(t, s, 1, "k"), blobBytes)
		require.Len(t, get(t, s, 2, "k"), blobBytes+1)
		require.Equal(t, "short", get(t, s, 3, "k"))
		require.Len(t, get(t, s, 4, "other"), 5000)
		require.Len(t, get(t, s, 4, "huge"), 40<<20)
		v, err := s.Get(4, []byte("other"), []byte("before-"))
		require.NoError(t, err)
		require.Equal(t, "before-"+blob(5000), string(v))
	}
	check(s)
	require.Equal(t, int64(binfmt.HeaderSize+blobBytes+1+5000+40<<20), s.Stats().BlobBytes)
	check(openStore(t, crash(t, dir)))
	require.NoError(t, Check(crash(t, dir)))
	require.NoError(t, s.Close())
	require.NoError(t, Check(dir))
	check(openStore(t, dir))
}

func TestAStartGoesOnInTheLastFile(t *testing.T) {
	dir := t.TempDir()
	for seq := uint64(1); seq <= 5; seq++ {
		s, err := Open(Options{Dir: dir})
		require.NoError(t, err)
		require.NoError(t, s.Apply([]Op{set(seq, fmt.Sprint(seq), blob(2000))}))
		require.NoError(t, s.Close())
	}
	names := blobNames(t, dir)
	require.Len(t, names, 1)
	// A power cut may leave a file that nothing durable refers to without its header.
	require.NoError(t, os.WriteFile(filepath.Join(dir, blobsDir, "00000002"+blobSuffix), make([]byte, 3000), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, blobsDir, "2"+blobSuffix), nil, 0o600)) // not ours
	s := openStore(t, dir)
	require.NoError(t, s.Apply([]Op{set(6, "6", blob(2000))}))
	for seq := 1; seq <= 6; seq++ {
		require.Len(t, get(t, s, latest, fmt.Sprint(seq)), 2000)
	}
	require.FileExists(t, filepath.Join(dir, blobsDir, "00000003"+blobSuffix))
}

func TestDamagedBlobIsNeverReturned(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir})
	require.NoError(t, err)
	for i := range 20 {
		require.NoError(t, s.Apply([]Op{set(uint64(i+1), fmt.Sprint("key", i), strings.Repeat(fmt.Sprint(i%10), 1500+i))}))
	}
	require.NoError(t, s.Close())
	whole, err := os.ReadFile(blobNames(t, dir)[0])
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 30 {
		copied := crash(t, dir)
		name := blobNames(t, copied)[0]
		damaged := append([]byte(nil), whole...)
		switch {
		case round == 0:
			damaged = damaged[:len(damaged)-1]
		case round == 1:
			damaged = nil
		case round == 2:
			damaged[3] ^= 1 // of the header
		default:
			damaged[binfmt.HeaderSize+r.IntN(len(damaged)-binfmt.HeaderSize)] ^= 1 << r.IntN(8)
		}
		require.NoError(t, os.WriteFile(name, damaged, 0o600))
		var c *binfmt.CorruptError
		require.ErrorAs(t, Check(copied), &c, "round %d", round)
		require.True(t, strings.HasSuffix(c.File, blobSuffix))
		s := openStore(t, copied)
		lost := 0
		for i := range 20 {
			v, err := s.Get(latest, []byte(fmt.Sprint("key", i)), nil)
			if err != nil {
				require.ErrorAs(t, err, &c)
				lost++
			} else {
				require.Equal(t, strings.Repeat(fmt.Sprint(i%10), 1500+i), string(v))
			}
		}
		require.Positive(t, lost)
		require.ErrorAs(t, s.Verify(latest), &c)
	}
	copied := crash(t, dir)
	require.NoError(t, os.Remove(blobNames(t, copied)[0]))
	var c *binfmt.CorruptError
	require.ErrorAs(t, Check(copied), &c)
	_, err = openStore(t, copied).Get(latest, []byte("key1"), nil)
	require.ErrorAs(t, err, &c)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestFailuresOfBlobFiles(t *testing.T) {
	for _, op := range []vfs.Op{vfs.OpCreate, vfs.OpWrite} {
		failing := vfs.NewFailing(vfs.OS)
		s := openWithBlobs(t, t.TempDir(), failing)
		require.NoError(t, s.Apply([]Op{set(1, "a", blob(9<<10))})) // the next one needs another file
		failing.Inject(vfs.Fault{Op: op, Nth: 1})
		require.ErrorIs(t, s.Apply([]Op{set(2, "a", "short"), set(2, "b", blob(2000))}), vfs.ErrInjected)
		require.Len(t, get(t, s, 2, "a"), 9<<10, "nothing of a call that could not write its blobs")
		require.NoError(t, s.Apply([]Op{set(2, "a", "short"), set(2, "b", blob(2000))}))
		require.Len(t, get(t, s, 2, "b"), 2000)
		require.NoError(t, s.Verify(latest))
		require.NoError(t, s.Close())
	}
	for _, op := range []vfs.Op{vfs.OpSync, vfs.OpSyncDir} {
		failing := vfs.NewFailing(vfs.OS)
		s := openWithBlobs(t, t.TempDir(), failing)
		require.NoError(t, s.Apply([]Op{set(1, "a", blob(2000))}))
		failing.Inject(vfs.Fault{Op: op, Nth: 1})
		require.ErrorIs(t, s.Sync(), vfs.ErrInjected)
		require.ErrorIs(t, s.Sync(), ErrFailed)
		require.ErrorIs(t, s.Apply([]Op{set(2, "b", "")}), ErrFailed)
		require.Len(t, get(t, s, 1, "a"), 2000)
		require.ErrorIs(t, s.Close(), ErrFailed)
	}
}

// churn applies records that replace and delete blobs, some at a time, and tells what must be there.
type churn struct {
	r    *rand.Rand
	seq  uint64
	ops  []Op
	keys int
}

func (c *churn) apply(t testing.TB, s *Store, records int) {
	applied := len(c.ops)
	for left := records - 1; left >= 0; left-- {
		c.seq++
		key := fmt.Sprintf("key%03d", c.r.IntN(c.keys))
		op := set(c.seq, key, fmt.Sprintf("%s@%d %s", key, c.seq, blob(c.r.IntN(3000))))
		if c.r.IntN(5) == 0 {
			op = del(c.seq, key)
		}
		c.ops = append(c.ops, op)
		if left == 0 || c.r.IntN(8) == 0 {
			require.NoError(t, s.Apply(c.ops[applied:]))
			applied = len(c.ops)
		}
	}
}

func TestCollectionGivesSpaceBack(t *testing.T) {
	dir := t.TempDir()
	s := openWithBlobs(t, dir, vfs.OS)
	c := churn{r: rand.New(rand.NewPCG(1, 1)), keys: 100}
	most := int64(0)
	for range 40 {
		c.apply(t, s, 200)
		require.NoError(t, s.collect())
		for _, seq := range []uint64{c.seq - 199, c.seq - 100, c.seq} {
			requireState(t, s, c.ops, seq) // at which somebody may still read
		}
		require.NoError(t, s.Sync())
		s.SetDiscard(c.seq)
		requireState(t, s, c.ops, c.seq)
		most = max(most, s.Stats().BlobBytes)
	}
	require.Less(t, most, int64(2<<20), "of 13 MB written, 130 kB needed")
	require.NoError(t, s.Verify(latest))
	// All is deleted: all but the files that are written to can go.
	for i := range c.keys {
		c.seq++
		c.ops = append(c.ops, del(c.seq, fmt.Sprintf("key%03d", i)))
		require.NoError(t, s.Apply(c.ops[len(c.ops)-1:]))
	}
	require.NoError(t, s.collect())
	require.NoError(t, s.Sync())
	s.SetDiscard(c.seq)
	require.LessOrEqual(t, len(blobNames(t, dir)), 2)
	requireState(t, s, c.ops, c.seq)
	require.NoError(t, s.Close())
	require.NoError(t, Check(dir))
}

func TestCollectedFileStaysForThoseWhoReadIt(t *testing.T) {
	dir := t.TempDir()
	s := openWithBlobs(t, dir, vfs.OS)
	defer s.Close()
	apply := func(ops ...Op) { require.NoError(t, s.Apply(ops)) }
	apply(set(1, "old", blob(4001)), set(1, "kept", blob(2000)), set(1, "x", blob(4000)))
	apply(set(2, "next file", blob(9000)))
	apply(set(3, "old", blob(4003)), set(3, "x", blob(1<<10)))
	first := blobNames(t, dir)[0]
	require.NoError(t, s.collect())
	require.NoError(t, s.Sync())
	s.SetDiscard(2) // somebody reads at 2
	require.FileExists(t, first)
	require.Len(t, get(t, s, 2, "old"), 4001)
	// An iterator that is older than the collection finds what was moved, and no longer what is not needed.
	n := 0
	require.NoError(t, s.Scan(latest, ScanOptions{}, func(key, value []byte) (bool, error) {
		if n++; n == 1 {
			require.Equal(t, "kept", string(key))
			require.NoError(t, s.Sync())
			s.SetDiscard(3)
			require.NoFileExists(t, first)
			require.NoError(t, s.Apply([]Op{del(4, "x")}))
		}
		return true, nil
	}))
	require.Equal(t, 3, n, "all but what was deleted meanwhile")
	require.Len(t, get(t, s, 3, "kept"), 2000)
	require.Len(t, get(t, s, 3, "old"), 4003)
	require.NoError(t, s.Verify(latest))
}

func TestReferencesOfKeysThatWereWrittenMeanwhileStay(t *testing.T) {
	s := openWithBlobs(t, t.TempDir(), vfs.OS)
	defer s.Close()
	require.NoError(t, s.Apply([]Op{set(1, "deleted", blob(2000)), set(1, "replaced", blob(2000)), set(1, "kept", blob(2000))}))
	var chunk []moving
	require.NoError(t, s.eachBlob(func(key []byte, version uint64, ref blobRef) error {
		chunk = append(chunk, moving{key: bytes.Clone(key), version: version, from: ref, to: blobRef{file: 99}})
		return nil
	}))
	require.Len(t, chunk, 3)
	require.NoError(t, s.Apply([]Op{del(2, "deleted"), set(2, "replaced", "short")}))
	require.NoError(t, s.refer(chunk))
	require.Len(t, get(t, s, 1, "deleted"), 2000, "a new entry at 1 could outlive the delete")
	require.Len(t, get(t, s, 1, "replaced"), 2000)
	require.Equal(t, "(none)", get(t, s, 2, "deleted"))
	_, err := s.Get(1, []byte("kept"), nil)
	require.ErrorIs(t, err, fs.ErrNotExist, "this one was changed")
}

func TestReadersAndWritersBesideCollections(t *testing.T) {
	s := openWithBlobs(t, t.TempDir(), vfs.OS)
	defer s.Close()
	c := churn{r: rand.New(rand.NewPCG(5, 1)), keys: 50}
	c.apply(t, s, 200)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for reader := range 3 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(9, uint64(reader)))
			for {
				select {
				case <-stop:
					return
				default:
				}
				key := fmt.Sprintf("key%03d", r.IntN(c.keys))
				v, err := s.Get(latest, []byte(key), nil)
				if err == nil && !strings.HasPrefix(string(v), key+"@") {
					err = errors.New("another key's value")
				}
				if err == nil && reader == 0 {
					err = s.Scan(latest, ScanOptions{}, func(k, v []byte) (bool, error) {
						if !strings.HasPrefix(string(v), string(k)+"@") {
							return false, errors.New("another key's value")
						}
						return true, nil
					})
				}
				if err != nil && !errors.Is(err, ErrNotFound) {
					t.Error(err)
					return
				}
			}
		})
	}
	collected := make(chan error, 1)
	wg.Go(func() {
		var err error
		for err == nil {
			select {
			case <-stop:
				collected <- nil
				return
			default:
				err = s.collect()
			}
		}
		collected <- err
	})
	for range 12 {
		c.apply(t, s, 100)
		require.NoError(t, s.Sync())
		s.SetDiscard(c.seq)
	}
	close(stop)
	wg.Wait()
	require.NoError(t, <-collected)
	requireState(t, s, c.ops, c.seq)
	require.Less(t, s.Stats().BlobBytes, int64(3<<20))
}

// After a power cut badger may have anything beyond its last sync, or nothing, and so may the files of
// blobs; the two need not agree. Records after the last checkpoint are replayed.
func TestPowerCutsAroundCollections(t *testing.T) {
	for seed := range uint64(8) {
		dir := t.TempDir()
		mem := vfs.NewMem()
		s := openWithBlobs(t, dir, mem)
		c := churn{r: rand.New(rand.NewPCG(seed, 1)), keys: 40}
		checkpoint, atCheckpoint := uint64(0), crash(t, dir)
		for round := range 14 {
			c.apply(t, s, 20+c.r.IntN(60))
			if round%2 == 1 {
				require.NoError(t, s.collect())
			}
			var states []string
			if c.r.IntN(3) == 0 {
				states = append(states, crash(t, dir), atCheckpoint) // badger kept all, badger kept what it had to
			}
			for i, state := range states {
				disk := mem.Crash(int64(seed)*100+int64(round), []int{0, 50, 100}[c.r.IntN(3)])
				copied := filepath.Join(t.TempDir(), "copy")
				require.NoError(t, os.CopyFS(copied, os.DirFS(state)))
				requireRecovery(t, copied, disk, filepath.ToSlash(dir), c, checkpoint, fmt.Sprint("seed ", seed, " round ", round, " state ", i))
			}
			if c.r.IntN(2) == 0 {
				require.NoError(t, s.Sync())
				checkpoint, atCheckpoint = c.seq, crash(t, dir)
				if c.r.IntN(2) == 0 {
					require.NoError(t, s.collect())
				}
				s.SetDiscard(c.seq)
			}
		}
		require.NoError(t, s.Close())
	}
}

// requireRecovery opens what a power cut left of a store that was in blobDir of disk, replays, and goes on.
func requireRecovery(t *testing.T, dir string, disk *vfs.Mem, was string, c churn, checkpoint uint64, what string) {
	now := filepath.ToSlash(dir)
	require.NoError(t, disk.MkdirAll(now))
	if _, err := disk.Stat(was + "/" + blobsDir); err == nil {
		require.NoError(t, disk.Rename(was+"/"+blobsDir, now+"/"+blobsDir))
	}
	s := openWithBlobs(t, dir, disk)
	require.Nil(t, s.Damage())
	for i, op := range c.ops {
		if op.Seq > checkpoint {
			require.NoError(t, s.Apply(c.ops[i:]))
			break
		}
	}
	require.NoError(t, s.Verify(latest), what)
	requireState(t, s, c.ops, max(checkpoint, 1))
	requireState(t, s, c.ops, c.seq)
	require.NoError(t, s.Sync())
	s.SetDiscard(c.seq)
	for range 2 {
		require.NoError(t, s.collect())
		requireState(t, s, c.ops, c.seq)
		require.NoError(t, s.Sync())
		s.SetDiscard(c.seq)
	}
	requireState(t, s, c.ops, c.seq)
	require.NoError(t, s.Close())
	requireOneContentEach(t, dir)
}

// requireOneContentEach looks into badger's tables: of two entries with one key and timestamp badger may return
// either, so they are the same bytes.
func requireOneContentEach(t *testing.T, dir string) {
	names, err := filepath.Glob(filepath.Join(dir, "*"+tableSuffix))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	seen := map[string]string{}
	for _, name := range names {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		table, err := table.OpenInMemoryTable(data, 1, &table.Options{Compression: options.None})
		require.NoError(t, err)
		it := table.NewIterator(0)
		for it.Rewind(); it.Valid(); it.Next() {
			value := fmt.Sprintf("%d %q", it.Value().Meta&1, it.Value().Value) // bit 0 is a delete
			if was, ok := seen[string(it.Key())]; ok {
				require.Equal(t, was, value, "%q", it.Key())
			}
			seen[string(it.Key())] = value
		}
		require.NoError(t, it.Close())
	}
}

func TestReplayKeepsBlobsThatAreThere(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	var ops []Op
	for seq := uint64(1); seq <= 50; seq++ {
		ops = append(ops, set(seq, fmt.Sprint("key", seq%20), blob(2000+int(seq))), set(seq, fmt.Sprint("short", seq%20), "value"))
	}
	require.NoError(t, s.Apply(ops))
	size := s.Stats().BlobBytes
	for range 3 { // killed while it replays
		dir = crash(t, dir)
		s = openStore(t, dir)
		require.NoError(t, s.Apply(ops[:60]))
		require.Equal(t, size, s.Stats().BlobBytes)
	}
	name := blobNames(t, dir)[0]
	whole, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, whole[:len(whole)-30000], 0o600)) // a power cut
	for range 2 {
		s = openStore(t, crash(t, dir))
		require.NoError(t, s.Apply(ops[:60]))
		require.NoError(t, s.Apply(ops[60:]))
		for _, seq := range []uint64{20, 40, 50} {
			requireState(t, s, ops, seq)
		}
		require.InDelta(t, size, s.Stats().BlobBytes, 3000, "only what was lost")
		dir = s.o.Dir
	}
	require.NoError(t, s.Close())
	requireOneContentEach(t, dir)
}

func TestOneRecordWritesAKeyTwice(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	ops := []Op{
		set(1, "a", blob(2000)), set(1, "a", blob(3000)), set(1, "b", "short"),
		set(2, "a", "short"), set(2, "a", "again"),
		set(3, "c", blob(4000)), del(3, "c"), set(3, "d", "short"), set(3, "d", blob(2000)),
		set(4, "e", "e"),
		set(5, "f", "f"), del(5, "f"), del(5, "g"), set(5, "g", "g"), set(5, "h", "1"), set(5, "h", "2"),
	}
	for i := range 2 * fewOps {
		ops = append(ops, set(6, fmt.Sprint("long", i%(2*fewOps-3)), fmt.Sprint(i)))
	}
	require.NoError(t, s.Apply(ops))
	for seq := uint64(1); seq <= 6; seq++ {
		requireState(t, s, ops, seq)
	}
	require.Len(t, lastOfRecord(ops, map[string]int{}), 9+2*fewOps-3)
	require.Equal(t, int64(binfmt.HeaderSize+3000+2000), s.Stats().BlobBytes)
	require.NoError(t, s.Close())
	requireOneContentEach(t, dir)
}

// What a power cut left of records behind the last sync is replayed, so it is no damage.
func TestCheckAfterAPowerCut(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	require.NoError(t, s.Apply([]Op{set(1, "a", blob(2000))}))
	require.NoError(t, s.Sync())
	require.NoError(t, s.Apply([]Op{set(2, "a", blob(3000)), set(2, "b", blob(3000))}))
	cut := crash(t, dir)
	require.NoError(t, os.Truncate(blobNames(t, cut)[0], binfmt.HeaderSize+2000))
	require.NoError(t, Check(cut))
	require.NoError(t, os.Truncate(blobNames(t, cut)[0], binfmt.HeaderSize+1999))
	require.Error(t, Check(cut))
}

func TestCollectionLeavesDamagedFilesAlone(t *testing.T) {
	s := openWithBlobs(t, t.TempDir(), vfs.OS)
	defer s.Close()
	for seq := uint64(1); seq <= 40; seq++ {
		require.NoError(t, s.Apply([]Op{set(seq, fmt.Sprint("key", seq), blob(3000))}))
	}
	for seq := uint64(1); seq <= 40; seq++ {
		if seq%3 > 0 {
			require.NoError(t, s.Apply([]Op{del(40+seq, fmt.Sprint("key", seq))}))
		}
	}
	damaged := blobNames(t, s.o.Dir)[1]
	f, err := os.OpenFile(damaged, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt(make([]byte, 8000), binfmt.HeaderSize)
	require.NoError(t, errors.Join(err, f.Close()))
	var c *binfmt.CorruptError
	require.ErrorAs(t, s.collect(), &c)
	require.NoError(t, s.collect())
	require.NoError(t, s.Sync())
	s.SetDiscard(80)
	require.FileExists(t, damaged)
	require.LessOrEqual(t, len(blobNames(t, s.o.Dir)), 8)
	require.Len(t, get(t, s, latest, "key33"), 3000)
}

// A damaged block of a table hides keys; their blobs must not be taken for not needed.
func TestNothingIsCollectedByDamagedTables(t *testing.T) {
	dir := t.TempDir()
	s := openWithBlobs(t, dir, vfs.OS)
	for seq := uint64(1); seq <= 500; seq++ {
		require.NoError(t, s.Apply([]Op{set(seq, fmt.Sprint("key", seq), blob(1500))}))
	}
	require.NoError(t, s.Close())
	files := len(blobNames(t, dir))
	s = openWithBlobs(t, dir, vfs.OS)
	defer s.Close()
	tables, err := filepath.Glob(filepath.Join(dir, "*"+tableSuffix))
	require.NoError(t, err)
	require.Len(t, tables, 1)
	info, err := os.Stat(tables[0])
	require.NoError(t, err)
	f, err := os.OpenFile(tables[0], os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = f.WriteAt(make([]byte, 64), info.Size()/2) // after the open, which verifies small stores
	require.NoError(t, errors.Join(err, f.Close()))
	var c *binfmt.CorruptError
	require.ErrorAs(t, s.collect(), &c)
	require.NoError(t, s.Sync())
	s.SetDiscard(500)
	require.Len(t, blobNames(t, dir), files)
}

// The collector itself: nothing is written after the deletes, no checkpoint follows, and the space comes back.
func TestCollectorWorksByItself(t *testing.T) {
	s := openWithBlobs(t, t.TempDir(), vfs.OS)
	defer s.Close()
	s.applyMu.Lock()
	s.collector.least = 2 * 100 * 3000 // all that is written and all that is deleted: due at the last delete, not before
	s.applyMu.Unlock()
	for seq := uint64(1); seq <= 100; seq++ {
		require.NoError(t, s.Apply([]Op{set(seq, fmt.Sprint("key", seq), blob(3000))}))
	}
	require.NoError(t, s.Sync())
	s.SetDiscard(100)
	for seq := uint64(1); seq <= 100; seq++ {
		require.NoError(t, s.Apply([]Op{del(100, fmt.Sprint("key", seq-1))})) // as the engine deletes what it dropped
	}
	require.Eventually(t, func() bool { return s.Stats().BlobBytes < 40<<10 }, 20*time.Second, 10*time.Millisecond)
}
