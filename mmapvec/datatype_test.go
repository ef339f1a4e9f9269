package mmapvec

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/internal/vfs"
	"github.com/isobath/isobath/mmapvec/distance"
)

// typedRow holds values that are not all of the datatype.
func typedRow(rng *rand.Rand, dim int) []float32 {
	row := make([]float32, dim)
	for i := range row {
		row[i] = 300*rng.Float32() - 20
	}
	return row
}

func TestRowsOfEachDatatype(t *testing.T) {
	for _, d := range []Datatype{Float32, Float16, Uint8} {
		for _, dim := range []int{1, 7, 64, 129, 300, 1000} {
			rng := rand.New(rand.NewPCG(uint64(dim), uint64(d)))
			fsys, o := vfs.NewMem(), Options{Dir: "rows", Dim: dim, Datatype: d}
			o.FS = fsys
			s, err := Open(o)
			require.NoError(t, err)
			slots, rows := make([]uint32, 50), make([][]float32, 50)
			for i := range slots {
				slots[i], rows[i] = uint32(i), typedRow(rng, dim)
			}
			require.NoError(t, s.Write(slots, rows))
			require.NoError(t, s.Sync())
			require.NoError(t, s.Close())
			for _, row := range rows {
				d.Round(row)
			}

			other := o
			other.Datatype = (d + 1) % 3
			_, err = Open(other)
			requireCorrupt(t, err)
			require.NoError(t, Check(fsys, "rows", func(slot uint32) bool { return slot < 50 }))

			s, err = Open(o)
			require.NoError(t, err)
			require.Equal(t, d, s.Datatype())
			require.Equal(t, (d.Size()*dim+4+63)/64*64, s.layout.stride)
			requireTypedRows(t, s, slots, rows, rng)
			require.NoError(t, s.Close())
		}
	}
	_, err := Open(Options{Dir: "x", Dim: 1, Datatype: 3})
	require.ErrorContains(t, err, "datatype(3)")
}

func requireTypedRows(t *testing.T, s *Store, slots []uint32, rows [][]float32, rng *rand.Rand) {
	t.Helper()
	v := s.View()
	defer v.Release()
	for i, slot := range slots {
		row, err := v.Row(slot)
		require.NoError(t, err)
		require.Equal(t, rows[i], row)
	}
	for _, cold := range []bool{false, true} {
		if cold {
			s.residency.probe = func([]byte) bool { return false }
		}
		seen := 0
		_, err := v.Fetch(slots, func(i int, row []float32) error {
			require.Equal(t, rows[i], row)
			seen++
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, len(slots), seen)
	}
	vector := typedRow(rng, s.Dim())
	s.Datatype().Round(vector)
	for _, m := range []distance.Metric{distance.Dot, distance.L2, distance.L1} {
		var q Query
		q.Reset(m, s.Datatype(), vector)
		span, out := v.Span(slots[0]), make([]float32, len(slots))
		n := min(span.Count, len(slots))
		q.Span(span, slots[:n], out)
		require.NoError(t, mmap.Guard("rows", func() error {
			for i, slot := range slots[:n] {
				var want float64
				for j, x := range vector {
					x, y := float64(x), float64(rows[i][j])
					switch m {
					case distance.Dot:
						want -= x * y
					case distance.L2:
						want += (x - y) * (x - y)
					case distance.L1:
						want += math.Abs(x - y)
					}
				}
				for _, got := range []float32{out[i], q.Stored(v.Peek(slot)), q.Row(rows[i])} {
					if s.Datatype() == Uint8 {
						require.Equal(t, float32(want), got)
					} else {
						require.InDelta(t, want, got, 1e-5*90000*float64(s.Dim()))
					}
				}
			}
			return nil
		}))
		require.InDelta(t, q.Row(make([]float32, s.Dim())), q.Stored(v.Peek(1<<31)), 1e-5*90000*float64(s.Dim()))
	}
}

func TestRound(t *testing.T) {
	v := []float32{-1, 0.5, 1.9, 255, 300, float32(math.NaN())}
	Uint8.Round(v)
	require.Equal(t, []float32{0, 0, 1, 255, 255, 0}, v)
	v = []float32{MaxFloat16, 1 + 0x1p-11, 1 + 3*0x1p-11, -0x1p-25}
	Float16.Round(v)
	require.Equal(t, []float32{65504, 1, 1 + 4*0x1p-11, float32(math.Copysign(0, -1))}, v)
	long := make([]float32, 1000)
	for i := range long {
		long[i] = float32(i%250) + 0.75
	}
	Uint8.Round(long)
	for i, x := range long {
		require.Equal(t, float32(i%250), x)
	}
}
