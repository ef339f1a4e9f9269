package binfmt

import (
	"encoding/binary"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum returns the CRC-32C of the parts one after the other.
func Checksum(parts ...[]byte) uint32 {
	var sum uint32
	for _, p := range parts {
		sum = crc32.Update(sum, castagnoli, p)
	}
	return sum
}

// HeaderSize is the number of bytes that EncodeHeader writes.
const HeaderSize = 64

// Header opens every file of ours:
//
//	 0  8  magic, names the kind of file
//	 8  4  version of the format
//	12  4  zero
//	16  8  file id: kind or number of this file, its meaning belongs to the kind
//	24  8  sequence number, its meaning belongs to the kind
//	32 28  extra, meaning belongs to the kind
//	60  4  CRC-32C of bytes 0..59
type Header struct {
	Magic   [8]byte
	Version uint32
	FileID  uint64
	Seq     uint64
	Extra   [28]byte
}

// Magic8 turns a text of exactly eight bytes into a magic.
func Magic8(s string) [8]byte {
	if len(s) != 8 {
		panic("binfmt: a magic has eight bytes: " + s)
	}
	return [8]byte([]byte(s))
}

// EncodeHeader returns the HeaderSize bytes of h.
func EncodeHeader(h Header) []byte {
	b := make([]byte, HeaderSize)
	copy(b, h.Magic[:])
	binary.LittleEndian.PutUint32(b[8:], h.Version)
	binary.LittleEndian.PutUint64(b[16:], h.FileID)
	binary.LittleEndian.PutUint64(b[24:], h.Seq)
	copy(b[32:60], h.Extra[:])
	binary.LittleEndian.PutUint32(b[60:], Checksum(b[:60]))
	return b
}

// DecodeHeader reads the header at the start of b. It returns ErrShort, ErrMagic when the file is
// not of the wanted kind, ErrChecksum when the header is damaged, or *VersionError when the file is
// of a version above known (or 0).
func DecodeHeader(b []byte, magic [8]byte, known uint32) (Header, error) {
	if len(b) < HeaderSize {
		return Header{}, ErrShort
	}
	if [8]byte(b[:8]) != magic {
		return Header{}, ErrMagic
	}
	if binary.LittleEndian.Uint32(b[60:]) != Checksum(b[:60]) || binary.LittleEndian.Uint32(b[12:]) != 0 {
		return Header{}, ErrChecksum
	}
	h := Header{
		Magic:   magic,
		Version: binary.LittleEndian.Uint32(b[8:]),
		FileID:  binary.LittleEndian.Uint64(b[16:]),
		Seq:     binary.LittleEndian.Uint64(b[24:]),
		Extra:   [28]byte(b[32:60]),
	}
	if h.Version == 0 || h.Version > known {
		return Header{}, &VersionError{Version: h.Version, Known: known}
	}
	return h, nil
}
