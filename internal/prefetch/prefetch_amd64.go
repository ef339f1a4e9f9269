//go:build !purego

package prefetch

import "unsafe"

//go:noescape
func lines(at unsafe.Pointer, n int)

//go:noescape
func rows(base unsafe.Pointer, stride, n int, ids []uint32)
