package hnsw

// Insert adds node ord, whose code pr can read, and links it both ways. Different ords may be inserted at once,
// each with its own probe and scratch.
func (g *Graph) Insert(ord uint32, pr Probe, s *Scratch) error { return nil }
