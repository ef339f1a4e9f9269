//go:build amd64 && !purego

package mmapvec

import (
	"golang.org/x/sys/cpu"

	"github.com/isobath/isobath/mmapvec/distance"
)

//go:generate go run -C ../tools ../mmapvec/gen/main.go -pkg mmapvec -out ../mmapvec/checksum_amd64.s -stubs ../mmapvec/stubs_amd64.go

// wideSums is whether rowSumAVX512 runs here. ISOBATH_SIMD, which chooses the kernels of distances, may forbid it.
var wideSums = distance.Level() == "avx512" && cpu.X86.HasAVX512VPCLMULQDQ && cpu.X86.HasSSE42

// rowSum is the CRC-32C of the slot, little-endian, followed by the values.
func rowSum(slot uint32, values []byte) uint32 {
	if wideSums {
		return rowSumAVX512(slot, values)
	}
	return rowSumGeneric(slot, values)
}
