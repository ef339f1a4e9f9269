//go:build !unix

package server

// descriptorLimit is known on Unix only.
func descriptorLimit() (uint64, bool) { return 0, false }
