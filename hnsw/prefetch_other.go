//go:build !amd64 || purego

package hnsw

// prefetch does nothing: a load would wait.
func prefetch(*uint32) {}
