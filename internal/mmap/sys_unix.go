//go:build unix

package mmap

import "golang.org/x/sys/unix"

const alwaysHeap = false

// reserve is the one place that maps writable memory, and it is anonymous.
func reserve(n int) ([]byte, error) {
	return unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
}

func release(b []byte) { _ = unix.Munmap(b) }
