// Package mmapvec stores the rows of one named vector, by slot, in preallocated chunk files that are
// written with pwrite and read through maps.
//
//	s, err := mmapvec.Open(mmapvec.Options{FS: vfs.OS, Dir: dir, Dim: 100})
//	err = s.Write([]uint32{0, 1}, [][]float32{a, b})
//	err = s.Sync()                // durable now
//	v := s.View()                 // pins the maps
//	row, err := v.Row(1)          // borrowed until Release; its checksum was verified
//	reads, err := v.Fetch(slots, func(i int, row []float32) error { ... })
//	v.Release()
//
// A row carries a CRC-32C over its slot and bytes. After a power cut a row that was written but not
// synced may be torn: reading it gives a *binfmt.CorruptError, never wrong numbers. A slot that was
// never written reads the same way.
//
// Chunks double in size from about 32 KiB to 64 MiB, so that a single row is cheap on disk and growth
// never remaps: a chunk is mapped once, when it is made or opened, and unmapped at Close, which waits
// until the last view is released. FORMAT.md describes the files.
//
// One writer calls Write and Sync, which may overlap; everything else is safe for concurrent use.
// Locks: Store.mu guards the list of written chunks and is taken alone.
package mmapvec
