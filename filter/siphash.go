package filter

import (
	"encoding/binary"
	"math/bits"

	"github.com/isobath/isobath/payload"
)

// inSlice tells whether an id belongs to a slice.
func inSlice(id payload.PointID, s Slice) bool {
	if s.Total == 0 {
		return false
	}
	var h uint64
	if id.IsUUID() {
		u := id.UUID()
		h = sipHash(u[:])
	} else {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], id.Num())
		h = sipHash(b[:])
	}
	return h%s.Total == s.Index
}

// sipHash is SipHash-2-4 of Aumasson and Bernstein with a zero key.
func sipHash(b []byte) uint64 {
	v := [4]uint64{0x736f6d6570736575, 0x646f72616e646f6d, 0x6c7967656e657261, 0x7465646279746573}
	last := uint64(len(b)) << 56
	for ; len(b) >= 8; b = b[8:] {
		sipWord(&v, binary.LittleEndian.Uint64(b))
	}
	for i, c := range b {
		last |= uint64(c) << (8 * i)
	}
	sipWord(&v, last)
	v[2] ^= 0xff
	for range 4 {
		sipRound(&v)
	}
	return v[0] ^ v[1] ^ v[2] ^ v[3]
}

func sipWord(v *[4]uint64, m uint64) {
	v[3] ^= m
	sipRound(v)
	sipRound(v)
	v[0] ^= m
}

func sipRound(v *[4]uint64) {
	v[0] += v[1]
	v[1] = bits.RotateLeft64(v[1], 13) ^ v[0]
	v[0] = bits.RotateLeft64(v[0], 32)
	v[2] += v[3]
	v[3] = bits.RotateLeft64(v[3], 16) ^ v[2]
	v[0] += v[3]
	v[3] = bits.RotateLeft64(v[3], 21) ^ v[0]
	v[2] += v[1]
	v[1] = bits.RotateLeft64(v[1], 17) ^ v[2]
	v[2] = bits.RotateLeft64(v[2], 32)
}
