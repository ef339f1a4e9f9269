package hnsw

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/isobath/isobath/internal/binfmt"
)

// reseal makes all checksums of an encoded graph right, as far as its header can be read.
func reseal(b []byte) {
	if len(b) < headBytes {
		return
	}
	binary.LittleEndian.PutUint32(b[60:], binfmt.Checksum(b[:60]))
	end := tableAt + tableBytes
	binary.LittleEndian.PutUint32(b[end:], binfmt.Checksum(b[:end]))
	c, err := decodeHead(b)
	if err != nil {
		return
	}
	s := c.sections()[3]
	sums := b[s.off : s.off+s.n]
	body := b[headBytes:s.off]
	for i := 0; i*blockBytes < len(body); i++ {
		lo := i * blockBytes
		binary.LittleEndian.PutUint32(sums[i*4:], binfmt.Checksum(body[lo:min(lo+blockBytes, len(body))]))
	}
	binary.LittleEndian.PutUint32(sums[len(sums)-4:], binfmt.Checksum(sums[:len(sums)-4]))
}

// Check verifies a graph of either form.
func Check(r Reader) error {
	if m, ok := r.(*Mapped); ok {
		return m.Verify()
	}
	return r.source().check()
}

// Reachable counts the nodes that level 0 leads to from the entry point. No insert may run meanwhile.
func Reachable(r Reader) int {
	g := r.source()
	entry, _ := g.start()
	if entry >= g.limit {
		return 0
	}
	seen := make([]bool, g.limit)
	seen[entry] = true
	queue := []uint32{entry}
	for head := 0; head < len(queue); head++ {
		row := g.row(queue[head], 0)
		for i := range row {
			v := atomic.LoadUint32(&row[i])&linkMask - 1
			if v >= g.limit {
				break
			}
			if !seen[v] {
				seen[v] = true
				queue = append(queue, v)
			}
		}
	}
	return len(queue)
}
