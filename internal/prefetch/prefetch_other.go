//go:build !amd64 || purego

package prefetch

import "unsafe"

// A load would wait.

func lines(unsafe.Pointer, int) {}

func rows(unsafe.Pointer, int, int, []uint32) {}
