// Package binfmt reads and writes the little-endian bytes of our files.
//
// A Reader is a bounds-checked cursor with one sticky error, so that a decoder is a straight line:
//
//	r := binfmt.NewReader(b)
//	dim, count := r.U32(), r.U64()
//	if err := r.Err(); err != nil {
//		return fmt.Errorf("vector file header: %w", err)
//	}
//
// The package also holds the file header that every file of ours begins with (see Header), the one
// checksum table (CRC-32C) and CorruptError, the type in which every package reports damage.
//
// Readers and writers are for one goroutine. Slices returned by a Reader alias its input.
package binfmt
