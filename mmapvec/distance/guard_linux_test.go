package distance

import (
	"os"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// beforeGuard returns n bytes that end where the next byte faults.
func beforeGuard(t *testing.T, n int) []byte {
	t.Helper()
	page := os.Getpagesize()
	size := (n + page - 1) / page * page
	b, err := unix.Mmap(-1, 0, size+page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Munmap(b)) })
	require.NoError(t, unix.Mprotect(b[size:], unix.PROT_NONE))
	return b[size-n : size]
}

func TestKernelsDoNotReadBeyondTheirInput(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for dim := 1; dim <= 70; dim++ {
			rows := beforeGuard(t, 5*4*dim)
			vector := beforeGuard(t, 4*dim)
			q := unsafe.Slice((*float32)(unsafe.Pointer(&vector[0])), dim)
			var out [6]float32
			for _, m := range metrics {
				RowsF32(m, q, rows, 4*dim, []uint32{4, 3, 2, 1, 0, 4}, out[:])
				m.Distance(q, rowF32(rows, 4*dim, 4, dim))
			}
		}
		for dim := 1; dim <= 140; dim++ {
			rows, vector, codes := beforeGuard(t, 5*2*dim), beforeGuard(t, 4*dim), beforeGuard(t, 5*dim)
			q := unsafe.Slice((*float32)(unsafe.Pointer(&vector[0])), dim)
			half := unsafe.Slice((*uint16)(unsafe.Pointer(&rows[4*2*dim])), dim)
			var out [6]float32
			for _, m := range metrics {
				RowsF16(m, q, rows, 2*dim, []uint32{4, 3, 2, 1, 0, 4}, out[:])
				m.DistanceF16(q, half)
				RowsU8(m, codes[4*dim:], codes, dim, []uint32{4, 3, 2, 1, 0, 4}, out[:])
				m.DistanceU8(codes[4*dim:], codes[4*dim:])
			}
			ToF16(half, q)
			FromF16(q, half)
			FromU8(q, codes[4*dim:])
		}
		for _, dim := range []int{1, 16, 17, 100, 112} {
			padded := (dim + CodeGroup - 1) &^ (CodeGroup - 1)
			rows, query := beforeGuard(t, 5*(padded+CodeFactorBytes)), beforeGuard(t, 4*padded)
			q := unsafe.Slice((*float32)(unsafe.Pointer(&query[0])), padded)
			var out [6]float32
			CodeDistancesL1(q, dim, rows, padded+CodeFactorBytes, []uint32{4, 3, 2, 1, 0, 4}, out[:])
		}
		for _, length := range []int{64, 128, 832} {
			rows, query := beforeGuard(t, 5*length), beforeGuard(t, length)
			q := unsafe.Slice((*int8)(unsafe.Pointer(&query[0])), length)
			var out [6]float32
			CodeDistances(q, rows, length, []uint32{4, 3, 2, 1, 0, 4}, &CodeFactors{}, out[:])
			DotU8S8Rows(q, rows, length, []uint32{4}, make([]int32, 1))
		}
		for _, length := range []int{64, 128, 192, 320, 448, 512, 768} {
			query := beforeGuard(t, length)
			q := unsafe.Slice((*int8)(unsafe.Pointer(&query[0])), length)
			var out [6]float32
			for _, bits := range []int{1, 2, 4} {
				stride := PlaneRowBytes(bits, length/8)
				PlaneDistances(bits, NewPlaneQuery(q), beforeGuard(t, 5*stride), stride, []uint32{4, 3, 2, 1, 0, 4}, &PlaneFactors{}, out[:])
			}
			stride := FirstPlaneBytes(length / 8)
			FirstPlaneBounds(NewFirstQuery(beforeGuard(t, 4*stride), length/8), beforeGuard(t, 5*stride), stride, []uint32{4, 3, 2, 1, 0, 4}, &PlaneFactors{}, out[:])
		}
	})
}
