package mmap

import "golang.org/x/sys/unix"

func advise(b []byte, a Advice) error {
	switch a {
	case Random:
		return unix.Madvise(b, unix.MADV_RANDOM)
	case WillNeed:
		return unix.Madvise(b, unix.MADV_WILLNEED)
	case DontNeed:
		return unix.Madvise(b, unix.MADV_DONTNEED)
	case HugePage:
		return unix.Madvise(b, unix.MADV_HUGEPAGE)
	default:
		return unix.Madvise(b, unix.MADV_NORMAL)
	}
}
