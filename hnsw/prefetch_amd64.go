//go:build !purego

package hnsw

// prefetch asks for the two cache lines from row on without waiting.
//
//go:noescape
func prefetch(row *uint32)
