//go:build race

package mmap

import "unsafe"

// heapLimit bounds what race builds take from the Go heap: the detector's shadow of a heap object is
// touched whole, so a lazily backed gigabyte would cost several.
const heapLimit = 32 << 20

func heapBelow(n int) bool { return n <= heapLimit }

func addressOf(b []byte) int { return int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }
