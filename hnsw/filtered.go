package hnsw

func (g *links) searchFiltered(q Scorer, near uint64, o SearchOptions, s *Scratch) []Candidate {
	return nil
}
