package mmap

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// nameless creates a file that goes with its last user.
func nameless(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600)
	if err != nil {
		return named(dir)
	}
	return f, nil
}

// allocate gives f n bytes of disk.
func allocate(f *os.File, n int64) error {
	if err := unix.Fallocate(int(f.Fd()), 0, 0, n); err != nil {
		return fmt.Errorf("allocate: %w", err)
	}
	return nil
}
