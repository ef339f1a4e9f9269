package mmapvec

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/internal/vfs"
)

// BenchmarkFetchCold reads rows that are not in memory: every hundred calls the page cache gives up the
// rows of all chunks.
func BenchmarkFetchCold(b *testing.B) {
	const n, dim = 100_000, 768
	s := openStore(b, vfs.OS, b.TempDir(), dim)
	slots := make([]uint32, 1000)
	for from := uint32(0); from < n; from += 1000 {
		for i := range slots {
			slots[i] = from + uint32(i)
		}
		write(b, s, 1, slots...)
	}
	require.NoError(b, s.Sync())
	v := s.View()
	defer v.Release()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, batch := range []int{1, 12, 20, 32, 100} {
		b.Run(strconv.Itoa(batch), func(b *testing.B) {
			before := s.Reads()
			for i := 0; b.Loop(); i++ {
				if i%100 == 0 {
					b.StopTimer()
					evict(b, s)
					b.StartTimer()
				}
				for k := range slots[:batch] {
					slots[k] = rng.Uint32N(n)
				}
				if err := fetchNothing(v, slots[:batch]...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(s.Reads().Read-before.Read)/float64(b.N), "cold/op")
		})
	}
}

// evict drops the rows of a synced store from the page cache.
func evict(tb testing.TB, s *Store) {
	for _, c := range *s.chunks.Load() {
		require.NoError(tb, c.region.Advise(mmap.DontNeed)) // pages that are mapped stay
		require.NoError(tb, unix.Fadvise(int(c.file.(interface{ OSFile() *os.File }).OSFile().Fd()), 0, 0, unix.FADV_DONTNEED))
	}
}
