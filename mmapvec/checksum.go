package mmapvec

import "hash/crc32"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// rowSumGeneric is the CRC-32C of the slot, little-endian, followed by the values. The slot goes through
// the table by hand: a buffer for it would be allocated at every row read.
func rowSumGeneric(slot uint32, values []byte) uint32 {
	sum := ^uint32(0)
	for range 4 {
		sum = castagnoli[byte(sum)^byte(slot)] ^ sum>>8
		slot >>= 8
	}
	return crc32.Update(^sum, castagnoli, values)
}
