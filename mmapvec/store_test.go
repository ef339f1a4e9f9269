package mmapvec

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/internal/vfs"
)

func openStore(t testing.TB, fsys vfs.FS, dir string, dim int) *Store {
	t.Helper()
	s, err := Open(Options{FS: fsys, Dir: dir, Dim: dim})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// rowOf makes the row that version v of a slot has in tests.
func rowOf(dim int, slot uint32, v int) []float32 {
	r := rand.New(rand.NewPCG(uint64(slot), uint64(v)))
	row := make([]float32, dim)
	for i := range row {
		row[i] = r.Float32()
	}
	return row
}

func write(t testing.TB, s *Store, version int, slots ...uint32) {
	t.Helper()
	require.NoError(t, s.Write(slots, rowsOf(s.Dim(), version, slots...)))
}

func rowsOf(dim, version int, slots ...uint32) (rows [][]float32) {
	for _, slot := range slots {
		rows = append(rows, rowOf(dim, slot, version))
	}
	return rows
}

func requireRows(t testing.TB, s *Store, version int, slots ...uint32) {
	t.Helper()
	v := s.View()
	defer v.Release()
	for _, slot := range slots {
		row, err := v.Row(slot)
		require.NoError(t, err)
		require.Equal(t, rowOf(s.Dim(), slot, version), row)
		span := v.Span(slot)
		require.Positive(t, span.Count)
		require.Equal(t, row, asFloats(span.Base, s.Dim()))
	}
	seen := map[int]bool{}
	_, err := v.Fetch(slots, func(i int, row []float32) error {
		require.Equal(t, rowOf(s.Dim(), slots[i], version), row)
		seen[i] = true
		return nil
	})
	require.NoError(t, err)
	require.Len(t, seen, len(slots))
}

func always([]byte) bool { return true }
func never([]byte) bool  { return false }

// probes say where rows are.
var probes = map[string]func([]byte) bool{"asked": mmap.Resident, "mapped": always, "read": never}

// fetchNothing reads rows and does nothing with them.
func fetchNothing(v *View, slots ...uint32) error {
	_, err := v.Fetch(slots, func(int, []float32) error { return nil })
	return err
}

func requireCorrupt(t testing.TB, err error) {
	t.Helper()
	var c *binfmt.CorruptError
	require.ErrorAs(t, err, &c)
}

func TestLayoutCoversEverySlotOnce(t *testing.T) {
	for _, dim := range []int{1, 3, 15, 16, 100, 128, 768, 1536, 4096, MaxDim} {
		l := newLayout(dim, Float32)
		require.Zero(t, l.stride%64)
		require.GreaterOrEqual(t, l.stride, 4*dim+4)
		require.Less(t, l.stride, 4*dim+4+64)
		next := uint64(0)
		for k := 0; k < l.chunks(); k++ {
			if k == 200 && l.chunks() > 400 { // the middle is all alike
				k = l.chunks() - 3
				next, _ = l.span(k)
			}
			start, rows := l.span(k)
			require.Equal(t, next, start)
			next += uint64(rows)
			for _, slot := range []uint64{start, start + uint64(rows) - 1} {
				chunk, row := l.chunkOf(uint32(slot))
				require.Equal(t, k, chunk)
				require.Equal(t, int(slot-start), row)
			}
			if dim <= 8000 {
				require.LessOrEqual(t, l.fileBytes(k), int64(lastChunkBytes+rowsOffset))
			}
			got, number, err := decodeHeader(l.header(k))
			require.NoError(t, err)
			require.Equal(t, l, got)
			require.Equal(t, k, number)
		}
		require.Equal(t, uint64(1)<<32, next)
	}
	require.LessOrEqual(t, newLayout(768, Float32).fileBytes(0), int64(36<<10))
	require.Equal(t, 448, newLayout(100, Float32).stride)
	require.Equal(t, binfmt.Checksum([]byte{4, 3, 2, 1}, []byte("floats")), rowSum(0x01020304, []byte("floats")))
}

func TestWriteReadReopen(t *testing.T) {
	for name, fsys := range map[string]vfs.FS{"os": vfs.OS, "mem": vfs.NewMem()} {
		for where, probe := range probes {
			t.Run(name+" "+where, func(t *testing.T) {
				dir := t.TempDir() + "/rows"
				s := openStore(t, fsys, dir, 100)
				s.residency.probe = probe
				_, err := fsys.Stat(dir)
				require.ErrorIs(t, err, os.ErrNotExist, "nothing on disk before the first write")
				require.Zero(t, s.Bytes())
				require.NoError(t, s.Sync())

				slots := []uint32{0, 1, 2, 63, 64, 65, 130, 5000, 4999, 7, 8, 9}
				write(t, s, 1, slots...)
				requireRows(t, s, 1, slots...)
				write(t, s, 2, 7, 5000)
				requireRows(t, s, 2, 7, 5000)
				write(t, s, 1, 7, 5000)
				require.NoError(t, s.Sync())
				require.NoError(t, s.Close())

				require.NoError(t, fsys.MkdirAll(dir))
				f, err := fsys.Create(dir + "/000001.rows.tmp")
				require.NoError(t, err)
				require.NoError(t, f.Close())
				s2 := openStore(t, fsys, dir, 100)
				s2.residency.probe = probe
				requireRows(t, s2, 1, slots...)
				require.Equal(t, s.Bytes(), s2.Bytes())
				require.Equal(t, s.Slots(), s2.Slots())
				require.Positive(t, s.Slots())
				_, err = fsys.Stat(dir + "/000001.rows.tmp")
				require.ErrorIs(t, err, os.ErrNotExist)
				written := map[uint32]bool{}
				for _, slot := range slots {
					written[slot] = true
				}
				require.NoError(t, Check(fsys, dir, func(slot uint32) bool { return written[slot] }))
				require.NoError(t, Check(fsys, dir, nil))
				requireCorrupt(t, Check(fsys, dir, func(slot uint32) bool { return slot == 3 }))
				require.Error(t, Check(fsys, dir, func(slot uint32) bool { return true }))

				_, err = Open(Options{FS: fsys, Dir: dir, Dim: 99})
				requireCorrupt(t, err)
			})
		}
	}
}

func TestWrongInput(t *testing.T) {
	for _, dim := range []int{0, -1, MaxDim + 1} {
		_, err := Open(Options{FS: vfs.NewMem(), Dir: "d", Dim: dim})
		require.ErrorIs(t, err, ErrDim)
	}
	s := openStore(t, vfs.NewMem(), "d", 4)
	require.ErrorIs(t, s.Write([]uint32{1}, [][]float32{{1}}), ErrDim)
	require.Error(t, s.Write([]uint32{1, 2}, [][]float32{{1, 2, 3, 4}}))
	require.NoError(t, s.Write(nil, nil))
	v := s.View()
	defer v.Release()
	_, err := v.Row(0)
	requireCorrupt(t, err)
	require.Zero(t, v.Span(0).Count)
	requireCorrupt(t, fetchNothing(v, 0))
	write(t, s, 1, 0)
	w := s.View()
	defer w.Release()
	_, err = w.Row(1) // never written
	requireCorrupt(t, err)
	boom := errors.New("boom")
	_, err = w.Fetch([]uint32{0}, func(int, []float32) error { return boom })
	require.ErrorIs(t, err, boom)
	nan := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Copysign(0, -1)), math.SmallestNonzeroFloat32}
	require.NoError(t, s.Write([]uint32{9}, [][]float32{nan}))
	row, err := w.Row(9)
	require.NoError(t, err)
	require.Equal(t, floatBytes(nan), floatBytes(row))
}

func TestDamageAndFaults(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, vfs.OS, dir, 100)
	write(t, s, 1, 0, 1, 2, 3)
	require.NoError(t, s.Sync())
	name := filepath.Join(dir, "000000.rows")
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.WriteAt([]byte{0xff, 0x7}, rowsOffset+448+20)
	require.NoError(t, err)
	v := s.View()
	defer v.Release()
	for _, probe := range []func([]byte) bool{always, never} {
		s.residency.probe = probe
		_, err = v.Row(1)
		requireCorrupt(t, err)
		requireCorrupt(t, fetchNothing(v, 0, 1, 2))
		_, err = v.Row(2)
		require.NoError(t, err)
	}
	requireCorrupt(t, Check(vfs.OS, dir, func(slot uint32) bool { return slot < 4 }))

	// A copy of one row in the place of another is noticed too.
	row := make([]byte, 448)
	_, err = f.ReadAt(row, rowsOffset)
	require.NoError(t, err)
	_, err = f.WriteAt(row, rowsOffset+448)
	require.NoError(t, err)
	_, err = v.Row(1)
	requireCorrupt(t, err)

	require.NoError(t, f.Truncate(rowsOffset))
	s.residency.probe = always
	var fault *mmap.FaultError
	_, err = v.Row(0)
	if err != nil && errors.As(err, &fault) {
		require.ErrorAs(t, fetchNothing(v, 0), &fault)
	} else {
		requireCorrupt(t, err) // the page was still there, as zeros
	}
	s.residency.probe = never
	requireCorrupt(t, fetchNothing(v, 20))
	_, err = Open(Options{FS: vfs.OS, Dir: dir, Dim: 100})
	requireCorrupt(t, err)
	requireCorrupt(t, Check(vfs.OS, dir, nil))
}

func TestCloseWaitsForViews(t *testing.T) {
	s, err := Open(Options{FS: vfs.OS, Dir: t.TempDir(), Dim: 8})
	require.NoError(t, err)
	write(t, s, 1, 0, 1000)
	v := s.View()
	row, err := v.Row(1000)
	require.NoError(t, err)
	done := make(chan error)
	go func() { done <- s.Close() }()
	for s.View() != nil {
		s.unpin() // taken before Close began
	}
	select {
	case <-done:
		t.Fatal("closed under a view")
	default:
	}
	require.Equal(t, rowOf(8, 1000, 1), row)
	v.Release()
	v.Release()
	require.NoError(t, <-done)
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Write(nil, nil), ErrClosed)
	require.ErrorIs(t, s.Sync(), ErrClosed)
}

func TestConcurrentReadersAndWriter(t *testing.T) {
	s := openStore(t, vfs.OS, t.TempDir(), 20)
	write(t, s, 1, 0)
	var written sync.Map
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 0))
			for {
				select {
				case <-stop:
					return
				default:
				}
				slot := r.Uint32N(3000)
				if _, ok := written.Load(slot); ok {
					requireRows(t, s, 1, slot)
				}
			}
		})
	}
	for slot := range uint32(3000) {
		write(t, s, 1, slot)
		written.Store(slot, true)
		if slot%500 == 0 {
			require.NoError(t, s.Sync())
		}
	}
	close(stop)
	wg.Wait()
}

// TestPowerCut stops the disk at every operation of a workload and looks at what may be left.
func TestPowerCut(t *testing.T) {
	const dim = 30
	// synced says which version of which slot must be readable, late which one may be instead.
	run := func(fsys vfs.FS) (synced, late map[uint32]int) {
		synced, late = map[uint32]int{}, map[uint32]int{}
		s, err := Open(Options{FS: fsys, Dir: "db/rows", Dim: dim})
		if err != nil {
			return
		}
		defer s.Close()
		r := rand.New(rand.NewPCG(5, 5))
		for version := 1; version <= 12; version++ {
			var slots []uint32
			for range 8 {
				slot := r.Uint32N(2000)
				if _, taken := late[slot]; !taken && synced[slot] == 0 { // slots are not reused before a checkpoint
					slots = append(slots, slot)
					late[slot] = version
				}
			}
			if s.Write(slots, rowsOf(dim, version, slots...)) != nil {
				return
			}
			if version%3 == 0 {
				if s.Sync() != nil {
					return
				}
				for slot, version := range late {
					synced[slot] = version
				}
				clear(late)
			}
		}
		return
	}
	whole := vfs.NewMem()
	require.NoError(t, whole.MkdirAll("db"))
	require.NoError(t, whole.SyncDir("."))
	before := whole.Ops()
	synced, _ := run(whole)
	require.NotEmpty(t, synced)
	total := whole.Ops()
	torn, kept := 0, 0
	for stop := before + 1; stop <= total; stop++ {
		m := vfs.NewMem()
		require.NoError(t, m.MkdirAll("db"))
		require.NoError(t, m.SyncDir("."))
		m.StopAt(stop)
		synced, late := run(m)
		for seed := range int64(4) {
			disk := m.Crash(seed, []int{0, 40, 70, 100}[seed])
			s, err := Open(Options{FS: disk, Dir: "db/rows", Dim: dim})
			require.NoError(t, err, "stop %d seed %d", stop, seed)
			v := s.View()
			for slot, version := range synced {
				row, err := v.Row(slot)
				require.NoError(t, err, "stop %d seed %d slot %d", stop, seed, slot)
				require.Equal(t, rowOf(dim, slot, version), row)
			}
			for slot, version := range late {
				row, err := v.Row(slot)
				if err != nil {
					requireCorrupt(t, err)
					torn++
					continue
				}
				kept++
				require.Equal(t, rowOf(dim, slot, version), row)
			}
			v.Release()
			require.NoError(t, Check(disk, "db/rows", func(slot uint32) bool { _, ok := synced[slot]; return ok }))
			// Recovery writes the late rows again.
			for slot, version := range late {
				require.NoError(t, s.Write([]uint32{slot}, rowsOf(dim, version, slot)))
				requireRows(t, s, version, slot)
			}
			require.NoError(t, s.Sync())
			require.NoError(t, s.Close())
		}
	}
	require.Positive(t, torn)
	require.Positive(t, kept)
	t.Logf("%d operations, %d late rows torn, %d kept", total-before, torn, kept)
}

func TestEveryFailingCallIsReported(t *testing.T) {
	for _, op := range []vfs.Op{vfs.OpCreate, vfs.OpAllocate, vfs.OpWrite, vfs.OpSync, vfs.OpRename, vfs.OpSyncDir, vfs.OpOpen, vfs.OpRead} {
		for nth := 1; nth < 30; nth++ {
			boom := errors.New("boom")
			m := vfs.NewMem()
			f := vfs.NewFailing(m, vfs.Fault{Op: op, Nth: nth, Err: boom})
			s, err := Open(Options{FS: f, Dir: "rows", Dim: 16})
			require.NoError(t, err)
			var failed error
			for slot := uint32(0); slot < 6 && failed == nil; slot++ {
				if failed = s.Write([]uint32{slot * 700}, rowsOf(16, 1, slot*700)); failed == nil {
					failed = s.Sync()
					if failed != nil {
						require.ErrorIs(t, s.Sync(), ErrFailed)
						require.ErrorIs(t, s.Write(nil, nil), ErrFailed)
					}
				}
			}
			if f.Fired() > 0 {
				require.Error(t, failed, "%v %d", op, nth)
			} else {
				require.NoError(t, failed)
			}
			require.NoError(t, s.Close())
			s, err = Open(Options{FS: m, Dir: "rows", Dim: 16})
			require.NoError(t, err)
			require.NoError(t, s.Write([]uint32{3500}, rowsOf(16, 2, 3500)))
			requireRows(t, s, 2, 3500)
			require.NoError(t, s.Close())
		}
	}
}

func TestOneRowIsCheapOnDisk(t *testing.T) {
	for _, dim := range []int{4, 100, 768, 1536} {
		dir := t.TempDir()
		s := openStore(t, vfs.OS, dir, dim)
		write(t, s, 1, 0)
		info, err := os.Stat(filepath.Join(dir, "000000.rows"))
		require.NoError(t, err)
		require.LessOrEqual(t, info.Sys().(*syscall.Stat_t).Blocks*512, int64(64<<10))
	}
}

func FuzzHeader(f *testing.F) {
	f.Add(newLayout(100, Float32).header(3))
	f.Add(newLayout(1, Float32).header(0))
	f.Add([]byte("ISBrows\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, chunk, err := decodeHeader(b)
		if err == nil {
			require.Equal(t, b[:binfmt.HeaderSize], l.header(chunk))
		}
	})
}

func BenchmarkRow(b *testing.B) {
	s := openStore(b, vfs.OS, b.TempDir(), 768)
	const n = 4096
	slots := make([]uint32, n)
	for i := range slots {
		slots[i] = uint32(i)
	}
	rows := rowsOf(768, 1, slots...)
	b.Run("write", func(b *testing.B) {
		b.SetBytes(768 * 4 * 256)
		for i := 0; b.Loop(); i++ {
			at := i % (n / 256) * 256
			if err := s.Write(slots[at:at+256], rows[at:at+256]); err != nil {
				b.Fatal(err)
			}
		}
	})
	write(b, s, 1, slots...)
	v := s.View()
	defer v.Release()
	b.Run("row", func(b *testing.B) {
		b.ReportAllocs()
		for i := uint32(0); b.Loop(); i++ {
			if _, err := v.Row(i * 7 % n); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, probe := range probes {
		b.Run("fetch100/"+name, func(b *testing.B) {
			s.residency.probe = probe
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				at := i * 100 % (n - 100)
				if err := fetchNothing(v, slots[at:at+100]...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("view", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.View().Release()
		}
	})
}

func TestWarmAsksForEveryByteOnce(t *testing.T) {
	s, err := Open(Options{FS: vfs.NewMem(), Dir: "rows", Dim: 100})
	require.NoError(t, err)
	require.EqualValues(t, -1, s.Warm(0, 1000), "nothing there")
	row := make([]float32, 100)
	for slot := range uint32(300) {
		require.NoError(t, s.Write([]uint32{slot}, [][]float32{row}))
	}
	var at, total int64
	for step := 0; ; step++ {
		next := s.Warm(at, 10_000)
		if next < 0 {
			break
		}
		require.Greater(t, next, at)
		require.LessOrEqual(t, next-at, int64(10_000))
		total, at = total+next-at, next
	}
	require.GreaterOrEqual(t, total, int64(300*100*4))
	require.NoError(t, s.Close())
	require.EqualValues(t, -1, s.Warm(0, 1000))
}

func TestDiskSpaceIsReservedInSteps(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, vfs.OS, dir, 100)
	slots := make([]uint32, 40_000) // the last chunk has room for 65 536
	for i := range slots {
		slots[i] = uint32(i)
	}
	for from := 0; from < len(slots); from += 5000 {
		write(t, s, 1, slots[from:from+5000]...)
	}
	require.NoError(t, s.Sync())
	enough := int64(len(slots)) + 2*leastStepBytes/int64(s.layout.stride)
	require.Less(t, s.Slots(), enough)
	require.GreaterOrEqual(t, s.Slots(), int64(len(slots)))
	has, bytes := s.Slots(), s.Bytes()
	require.NoError(t, s.Close())
	s = openStore(t, vfs.OS, dir, 100)
	if runtime.GOOS == "linux" { // elsewhere a file is taken to have all its space
		const blocks = 64 << 10 // of the file system's own
		require.InDelta(t, bytes, s.Bytes(), blocks)
		require.InDelta(t, has, s.Slots(), blocks/float64(s.layout.stride))
	}
	write(t, s, 2, 39_999, 40_000, 65_535)
	requireRows(t, s, 2, 39_999, 40_000, 65_535)
	require.EqualValues(t, 65_536, s.Slots())
	requireRows(t, s, 1, 0, 39_998)
	require.NoError(t, s.Sync())
	require.NoError(t, s.Close())
}
