package mmapvec

import "github.com/isobath/isobath/internal/mmap"

// Warm has the kernel begin to read the n bytes of row files that follow position at, 0 at first, and returns the
// position to go on from, -1 when all was asked for. It does not wait, and memory that is short goes elsewhere: it is a
// hint that rows will be needed.
func (s *Store) Warm(at, n int64) int64 {
	if !s.pin() {
		return -1
	}
	defer s.unpin()
	var start int64
	for _, c := range *s.chunks.Load() {
		if c == nil {
			continue
		}
		size := int64(len(c.data))
		if at < start+size {
			from := max(at-start, 0)
			to := min(from+n, size)
			mmap.Prefetch(c.data[from:to])
			return start + to
		}
		start += size
	}
	return -1
}
