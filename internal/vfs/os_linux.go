package vfs

import (
	"os"

	"golang.org/x/sys/unix"
)

// datasync flushes data and whatever metadata is needed to read it back, the size among it.
func datasync(f *os.File) error {
	return onDescriptor(f, func(fd int) error { return unix.Fdatasync(fd) })
}

// Room returns how many bytes of the file system that holds a directory are free for this
// process, and how many it has.
func Room(dir string) (free, total int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return int64(st.Bavail) * st.Bsize, int64(st.Blocks) * st.Bsize, nil
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
