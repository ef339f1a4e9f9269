package engine

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEveryComponentIsFinite: wherever the one that is not stands, and however large the others are.
func TestEveryComponentIsFinite(t *testing.T) {
	for _, fill := range []float32{0, 1, math.MaxFloat32} {
		for _, dim := range []int{1, 3, 64, 100} {
			s := Schema{Vectors: map[string]VectorParams{"": {Size: dim}}}
			v := make([]float32, dim)
			for i := range v {
				v[i] = fill
			}
			require.NoError(t, s.checkVector("", v))
			for i := range v {
				for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
					v[i] = bad
					var input *InputError
					require.ErrorAs(t, s.checkVector("", v), &input)
					require.Equal(t, i, firstNotFinite(v))
				}
				v[i] = fill
			}
		}
	}
}
