//go:build !linux

package vfs

import (
	"errors"
	"os"
)

func datasync(f *os.File) error { return f.Sync() }

// Room is known on Linux only.
func Room(string) (free, total int64, err error) { return 0, 0, errors.ErrUnsupported }

func allocated(st os.FileInfo) int64 { return st.Size() }

func allocate(f *os.File, off, n int64) error { return errors.ErrUnsupported }
