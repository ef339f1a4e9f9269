package hnsw

import "io"

// Encode writes r as a mapped graph. order[i] is the old ord of the node that becomes ord i; links to nodes not in order are dropped.
func Encode(w io.Writer, r Reader, order []uint32) error { return nil }
