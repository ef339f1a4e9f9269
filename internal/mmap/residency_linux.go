package mmap

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

var pageSize = uintptr(os.Getpagesize())

// Resident tells whether reading b would not wait for a disk: only its first, middle and last page are
// looked at. It costs a system call, some tenths of a microsecond. Bytes that are not of a mapping (a
// Region over vfs.Mem) are resident.
func Resident(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	first, n := pagesOf(b)
	if n <= 2*pageSize {
		return pagesInMemory(first, n)
	}
	return pagesInMemory(first, pageSize) && pagesInMemory(first+n-pageSize, pageSize) &&
		pagesInMemory(first+n/pageSize/2*pageSize, pageSize)
}

// pagesOf returns the address of the first page that holds some of b, and the bytes up to the end of
// the last.
func pagesOf(b []byte) (first, n uintptr) {
	start := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	first = start / pageSize * pageSize
	return first, (start + uintptr(len(b)) - first + pageSize - 1) / pageSize * pageSize
}

// pagesInMemory looks at one or two pages.
func pagesInMemory(addr, n uintptr) bool {
	var vec [2]byte
	_, _, errno := unix.RawSyscall(unix.SYS_MINCORE, addr, n, uintptr(unsafe.Pointer(&vec[0])))
	return errno != 0 || vec[0]&1 == 1 && (n == pageSize || vec[1]&1 == 1)
}

// Prefetch has the kernel begin to read the pages of b, bytes of a Region, without waiting: what was asked
// for before the first of it is needed comes from the disk together. It costs about ten microseconds where
// there is something to read. It is a hint.
func Prefetch(b []byte) {
	if len(b) > 0 {
		first, n := pagesOf(b)
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, first, n, unix.MADV_WILLNEED)
	}
}
