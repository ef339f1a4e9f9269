//go:build linux

package main

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// eachFile calls fn with every file that is not empty.
func eachFile(dir string, fn func(name string, f *os.File, size int) error) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil || info.Size() == 0 {
			return err
		}
		return fn(name, f, int(info.Size()))
	})
}

// evict makes the page cache give up all files.
func evict(dir string) error {
	return eachFile(dir, func(_ string, f *os.File, _ int) error {
		if err := f.Sync(); err != nil {
			return err
		}
		return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	})
}

// cached returns the bytes of files that are in the page cache, by directory below dir.
func cached(dir string) (map[string]int, error) {
	in := map[string]int{}
	err := eachFile(dir, func(name string, f *os.File, size int) error {
		b, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			return err
		}
		defer func() { _ = unix.Munmap(b) }()
		page := os.Getpagesize()
		pages := make([]byte, (size+page-1)/page)
		if err := mincore(b, pages); err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, filepath.Dir(name))
		if err != nil {
			return err
		}
		for _, p := range pages {
			in[rel] += int(p&1) * page
		}
		return nil
	})
	return in, err
}

// diskBytes returns how many bytes this process had read from a disk.
func diskBytes() (int64, error) {
	f, err := os.Open("/proc/self/io")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if n, ok := strings.CutPrefix(lines.Text(), "read_bytes: "); ok {
			return strconv.ParseInt(n, 10, 64)
		}
	}
	return 0, lines.Err()
}

func mincore(b, pages []byte) error {
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(unsafe.Pointer(unsafe.SliceData(pages))))
	if errno != 0 {
		return errno
	}
	return nil
}
