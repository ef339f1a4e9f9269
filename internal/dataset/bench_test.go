package dataset

import "testing"

// BenchmarkSyntheticRow is what a load pays for each row before it is sent.
func BenchmarkSyntheticRow(b *testing.B) {
	s, err := Open(Options{Name: "synthetic", Rows: 1 << 20, Dim: 768, Queries: 1})
	if err != nil {
		b.Fatal(err)
	}
	rows := &Rows{Dim: 768, Data: make([]float32, 768)}
	b.SetBytes(4 * 768)
	for i := 0; b.Loop(); i++ {
		if err := s.source.read(i%s.Rows, rows); err != nil {
			b.Fatal(err)
		}
	}
}
