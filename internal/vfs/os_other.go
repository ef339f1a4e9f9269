//go:build !linux

package vfs

import (
	"errors"
	"os"
)

func datasync(f *os.File) error { return f.Sync() }

func allocate(f *os.File, off, n int64) error { return errors.ErrUnsupported }
