// Package mmap maps files read-only and reserves memory off the Go heap.
//
// A Region is a read-only mapping of a part of a vfs.File: mmap-go over a real file, the file's own
// buffer on vfs.Mem. Reads of a mapping may fault (an I/O error, a file cut short by someone else);
// Guard turns such a fault into an error:
//
//	err := mmap.Guard(name, func() error { return sum(region.Bytes()) })
//
// Reading a mapping whose pages are not in memory holds a processor of the Go runtime while the disk
// works; Resident tells beforehand, and Prefetch has the disk begin.
//
// Memory is anonymous, zeroed, page aligned and backed only where it was touched.
//
// Region and Memory may be read by many goroutines. Nobody may use their bytes after Close or Free.
package mmap
