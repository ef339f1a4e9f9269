package payload

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// diskBytes returns the space that a directory really takes.
func diskBytes(t testing.TB, dir string) (total int64) {
	require.NoError(t, filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			total += st.Blocks * 512
		}
		return err
	}))
	return total
}

func TestEmptyStoreIsSmallOnDisk(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	require.NoError(t, s.Sync())
	open := diskBytes(t, dir)
	require.NoError(t, s.Apply([]Op{set(1, "a", "b")}))
	require.NoError(t, s.Close())
	closed := diskBytes(t, dir)
	t.Logf("empty: %d KiB open, %d KiB closed", open>>10, closed>>10)
	require.Less(t, open, int64(256<<10))
	require.Less(t, closed, int64(256<<10))
}

func rss(t testing.TB) string {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc")
	}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "RssAnon") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// BenchmarkBulk is one load as a collection makes it: groups of 256 records with an id key and a
// payload key each.
func BenchmarkBulk(b *testing.B) {
	for _, size := range []int{60, 300, 800} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.Logf("before: %s", rss(b))
			dir := b.TempDir()
			s := openStore(b, dir)
			time.Sleep(50 * time.Millisecond)
			b.Logf("open: %s", rss(b))
			value := make([]byte, size)
			r := rand.New(rand.NewPCG(1, 1))
			seq := uint64(0)
			ops := make([]Op, 0, 512)
			n := 0
			for b.Loop() {
				ops = ops[:0]
				for range 256 {
					seq++
					id := NumID(r.Uint64N(1 << 20))
					ops = append(ops, Op{Key: id.AppendKey([]byte{1, 2, 3, 4}), Value: value[:8], Seq: seq}, Op{Key: id.AppendKey([]byte{2, 2, 3, 4}), Value: value, Seq: seq})
				}
				require.NoError(b, s.Apply(ops))
				s.SetDiscard(seq - 256)
				n += len(ops)
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "keys/s")
			start := time.Now()
			require.NoError(b, s.Sync())
			b.Logf("loaded %d: %s, sync %v, disk %d MiB, %+v", n, rss(b), time.Since(start), diskBytes(b, dir)>>20, s.Stats())
			start = time.Now()
			var dst []byte
			for range 20000 {
				dst, _ = s.Get(latest, NumID(r.Uint64N(1<<20)).AppendKey([]byte{2, 2, 3, 4}), dst[:0])
			}
			b.Logf("get: %v", time.Since(start)/20000)
			start = time.Now()
			scanned := 0
			require.NoError(b, s.Scan(latest, ScanOptions{}, func(k, v []byte) (bool, error) { scanned++; return true, nil }))
			b.Logf("scan: %v a key", time.Since(start)/time.Duration(max(scanned, 1)))
		})
	}
}
