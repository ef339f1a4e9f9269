// Package prefetch asks the processor for memory that is read soon, without waiting for it. Elsewhere than on amd64, and
// with the build tag purego, it does nothing.
package prefetch

import "unsafe"

// Row asks for the n cache lines of 64 bytes from p on. It reads nothing: p and what follows may be any address.
func Row(p unsafe.Pointer, n int) { lines(p, n) }

// Rows asks for the first n cache lines, at least one, of the rows that start at base[id*stride] for each of ids. It
// reads nothing, so ids need not be in range.
func Rows(base []byte, stride, n int, ids []uint32) {
	if len(ids) > 0 {
		rows(unsafe.Pointer(unsafe.SliceData(base)), stride, n, ids)
	}
}
