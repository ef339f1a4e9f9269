package prefetch

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// What is asked for need not be there.
func TestNothingIsRead(t *testing.T) {
	base := make([]byte, 640)
	require.NotPanics(t, func() {
		Row(unsafe.Pointer(&base[0]), 0)
		Row(unsafe.Pointer(&base[600]), 1000)
		Row(nil, 3)
		Rows(base, 64, 2, []uint32{0, 9, 1 << 20, ^uint32(0)})
		Rows(base, 64, 0, []uint32{3})
		Rows(nil, 64, 1, []uint32{3})
		Rows(base, 64, 2, nil)
	})
	require.Equal(t, make([]byte, 640), base)
}

func BenchmarkRows(b *testing.B) {
	base := make([]byte, 64<<20)
	ids := make([]uint32, 20)
	for i := range b.N {
		for j := range ids {
			ids[j] = uint32(i*7919+j*104729) % uint32(len(base)/128)
		}
		Rows(base, 128, 2, ids)
	}
}
