//go:build !amd64 || purego

package mmapvec

func rowSum(slot uint32, values []byte) uint32 { return rowSumGeneric(slot, values) }
