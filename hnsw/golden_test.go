package hnsw

import (
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden file of the current version")

// The golden graph is over points on a line: row i is i.
func TestGoldenGraphIsRead(t *testing.T) {
	const name = "testdata/v1.graph"
	sp := &rows{dim: 1}
	for i := range 80 {
		sp.data = append(sp.data, float32(i))
	}
	if *update {
		g := build(t, sp, Params{M: 2, EfConstruction: 10, Seed: 1}, 1)
		order := make([]uint32, sp.len())
		for i := range order {
			order[i] = uint32(i)
		}
		require.NoError(t, os.WriteFile(name, encode(t, g, order), 0o600))
	}
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	m, err := OpenMapped(b)
	require.NoError(t, err)
	require.NoError(t, m.Verify())
	require.Equal(t, 80, m.Len())
	require.Equal(t, 80, Reachable(m))
	got := m.Search(sp.query([]float32{41.2}), SearchOptions{Ef: 12}, NewScratch())
	require.Equal(t, []uint32{41, 42, 40, 43}, []uint32{got[0].Ord, got[1].Ord, got[2].Ord, got[3].Ord})
	same := m.Order()
	slices.Sort(same)
	require.Equal(t, b, encode(t, m, same), "a graph read and written again is the same")
}
