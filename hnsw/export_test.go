package hnsw

import (
	"encoding/binary"

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
