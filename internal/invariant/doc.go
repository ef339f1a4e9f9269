// Package invariant checks promises that our own code makes to itself.
//
// Assertions run under the build tag "invariants" and in race builds; elsewhere they compile away:
//
//	if invariant.Enabled {
//		invariant.Assertf(len(links) <= limit, "ord %d: %d links", ord, len(links))
//	}
//
// Bytes from disk or from the network are never a matter for this package: those are errors.
package invariant
