package mmap

import (
	"fmt"
	"os"

	mmapgo "github.com/edsrzf/mmap-go"
)

// Spill reserves n bytes, zeroed and page aligned, in a file without a name in dir: memory that the kernel may write out
// and read again when it is short of it. Reading and writing it belongs into a Guard. The space on disk is allocated here,
// so that no later write finds the disk full.
func Spill(dir string, n int) (*Memory, error) {
	if n <= 0 {
		return Alloc(n)
	}
	b, err := spill(dir, n)
	if err != nil {
		return nil, fmt.Errorf("mmap: spill %d bytes: %w", n, err)
	}
	live.add(b)
	return &Memory{bytes: b, n: n, file: b}, nil
}

func spill(dir string, n int) (mmapgo.MMap, error) {
	f, err := nameless(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close() // a mapping does not need it
	if err := allocate(f, int64(n)); err != nil {
		return nil, err
	}
	return mmapgo.MapRegion(f, n, mmapgo.RDWR, 0, 0)
}

// named creates a file and removes its name.
func named(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "spill-*.tmp")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// freeSpill unmaps; the file goes with its last mapping.
func (m *Memory) freeSpill() {
	live.remove(m.file)
	_ = m.file.Unmap() // unmapping memory that was mapped does not fail
	m.bytes, m.file, m.n = nil, nil, 0
}
