package mmapvec

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRowSum: the kernel gives what the plain one does, for every length around its blocks, wherever the values lie.
func TestRowSum(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 4200)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	check := func(slot uint32, values []byte) {
		t.Helper()
		before := string(values)
		require.Equal(t, rowSumGeneric(slot, values), rowSum(slot, values), "%d bytes", len(values))
		require.Equal(t, before, string(values))
	}
	for n := range 1100 {
		check(rng.Uint32(), b[n%67:][:n])
	}
	for _, n := range []int{1536, 2048, 3072, 3136, 4100} {
		for from := range 65 {
			check(rng.Uint32(), b[from:][:n])
		}
	}
	check(0, make([]byte, 512))
	check(0, nil)
}

// TestRowSumNoticesEveryBit: none of the folds leaves a bit out.
func TestRowSumNoticesEveryBit(t *testing.T) {
	b := make([]byte, 1536+64+15)
	want := rowSum(5, b)
	for i := range 8 * len(b) {
		b[i/8] ^= 1 << (i % 8)
		require.NotEqual(t, want, rowSum(5, b), "bit %d", i)
		b[i/8] ^= 1 << (i % 8)
	}
	require.NotEqual(t, want, rowSum(4, b))
}

func BenchmarkRowSum(b *testing.B) {
	for name, sum := range map[string]func(uint32, []byte) uint32{"used": rowSum, "generic": rowSumGeneric} {
		for _, n := range []int{400, 1536, 3072} {
			b.Run(name+"/"+strconv.Itoa(n), func(b *testing.B) {
				values := make([]byte, n)
				b.SetBytes(int64(n))
				for b.Loop() {
					sum(7, values)
				}
			})
		}
	}
}
