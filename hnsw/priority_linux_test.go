package hnsw

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/nice"
)

func TestHealersOfRebaseHaveALowerPriority(t *testing.T) {
	before, err := nice.Value()
	require.NoError(t, err)
	base := clustered(3, 300, 8, 20, 0.5)
	g := build(t, base, Params{Seed: 5}, 1)
	remap := make([]uint32, base.len())
	for i := range remap {
		remap[i] = uint32(i)
	}
	var mu sync.Mutex
	var values []int
	r, err := Rebase(g, base.len(), remap, base.len(), Params{Workers: 3}, func() Probe { // each worker makes its own, and who calls one for what is left
		value, err := nice.Value()
		assert.NoError(t, err)
		mu.Lock()
		values = append(values, value)
		mu.Unlock()
		return base.NewProbe()
	})
	require.NoError(t, err)
	defer r.Free()
	low := min(before+nice.Steps, 19)
	require.Equal(t, []int{low, low, low, before}, values)
}
