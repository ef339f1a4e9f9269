// Package vfs is the only way to files.
//
// OS is the real file system. Mem keeps files in memory, remembers what was synced and what was not,
// and can produce a disk as it may look after a power cut. Failing wraps another FS and makes chosen
// calls fail. Names are slash paths.
//
//	fs := vfs.NewMem()
//	err := vfs.WriteFile(fs, "dir/name", data) // temp file, sync, rename, sync of the directory
//	after := fs.Crash(seed, 50)                // a possible disk after a power cut
//
// What is durable: the bytes and the size of a file after File.Sync; a name (created, renamed,
// removed, also of a directory) after SyncDir of the directory that holds it. Nothing else.
//
// Every FS and File is safe for concurrent use.
package vfs
