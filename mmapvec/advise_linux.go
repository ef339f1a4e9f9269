package mmapvec

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

var pageSize = uintptr(os.Getpagesize())

// inMemory says whether reading mapped bytes would not wait for a disk. A row is at most 256 KiB
// long; only its first, middle and last page are looked at. Bytes that are not of a mapping (vfs.Mem)
// count as in memory.
func inMemory(b []byte) bool {
	start := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	first, last := start/pageSize*pageSize, (start+uintptr(len(b))-1)/pageSize*pageSize
	if last-first <= pageSize {
		return pagesInMemory(first, int((last-first)/pageSize)+1)
	}
	return pagesInMemory(first, 1) && pagesInMemory(last, 1) && pagesInMemory(first+(last-first)/pageSize/2*pageSize, 1)
}

func pagesInMemory(addr uintptr, n int) bool {
	var vec [2]byte
	_, _, errno := unix.RawSyscall(unix.SYS_MINCORE, addr, uintptr(n)*pageSize, uintptr(unsafe.Pointer(&vec[0])))
	return errno != 0 || vec[0]&1 == 1 && (n == 1 || vec[1]&1 == 1)
}
