//go:build !linux

package mmap

import "os"

// nameless creates a file that goes with its last user.
func nameless(dir string) (*os.File, error) { return named(dir) }

// allocate makes f n bytes long.
func allocate(f *os.File, n int64) error { return f.Truncate(n) }
