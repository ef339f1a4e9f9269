//go:build !linux

package mmap

// Resident cannot tell here: everything is.
func Resident([]byte) bool { return true }

// Prefetch does nothing here.
func Prefetch([]byte) {}
