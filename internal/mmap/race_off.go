//go:build !race

package mmap

import "unsafe"

func heapBelow(int) bool { return alwaysHeap }

func addressOf(b []byte) int { return int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }
