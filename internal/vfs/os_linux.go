package vfs

import (
	"errors"
	"math"
	"math/bits"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// datasync flushes data and whatever metadata is needed to read it back, the size among it.
func datasync(f *os.File) error {
	return onDescriptor(f, func(fd int) error { return unix.Fdatasync(fd) })
}

// Room returns how many bytes of the file system that holds a directory are free for this
// process, and how many it has. It fails where the file system does not tell.
func Room(dir string) (free, total int64, err error) {
	var st unix.Statfs_t
	if err = unix.Statfs(dir, &st); err == nil && st.Blocks == 0 {
		err = errors.ErrUnsupported // as /proc and what is mounted through FUSE without a statfs
	}
	if err != nil {
		return 0, 0, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	block := uint64(st.Frsize) // Bsize is what is good to read at once, and may be a multiple of it
	if block == 0 {
		block = uint64(st.Bsize)
	}
	return bytesOf(uint64(st.Bavail), block), bytesOf(uint64(st.Blocks), block), nil
}

// bytesOf returns the size of so many blocks; file systems without a bound claim more than fits.
func bytesOf(blocks, block uint64) int64 {
	if high, low := bits.Mul64(blocks, block); high == 0 && low <= math.MaxInt64 {
		return int64(low)
	}
	return math.MaxInt64
}

func allocated(st os.FileInfo) int64 {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return sys.Blocks * 512
	}
	return st.Size()
}

func allocate(f *os.File, off, n int64) error {
	return onDescriptor(f, func(fd int) error { return unix.Fallocate(fd, 0, off, n) })
}

// onDescriptor runs call on the file's descriptor, which cannot be closed meanwhile.
func onDescriptor(f *os.File, call func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var callErr error
	err = conn.Control(func(fd uintptr) {
		for {
			if callErr = call(int(fd)); callErr != unix.EINTR {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	return callErr
}
