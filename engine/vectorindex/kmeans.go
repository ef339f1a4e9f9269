package vectorindex

import (
	"math"

	"github.com/isobath/isobath/mmapvec/distance"
)

// lloyd returns k centres of rows, one at least, and which of them each row is nearest to.
func (cl *clustering) lloyd(rows []float32, k int) (centres []float32, own []uint32) {
	dim, n := cl.dim, len(rows)/cl.dim
	k = min(max(k, 1), n)
	length := cl.length(rows)
	centres = make([]float32, 0, k*dim)
	ids := upTo(k)
	for i := range k {
		at := i * n / k
		centres = append(centres, rows[at*dim:(at+1)*dim]...)
		stretch(centres[i*dim:], length)
	}
	own = make([]uint32, n)
	out, counts := make([]float32, k), make([]int, k)
	for round := 0; ; round++ {
		for i := range n {
			distance.RowsF32(cl.ix.o.Metric, rows[i*dim:(i+1)*dim], bytesOf(centres), 4*dim, ids, out)
			own[i] = uint32(argmin(out))
		}
		if round == lloydRounds {
			return centres, own
		}
		clear(counts)
		sums := make([]float32, k*dim)
		for i, c := range own {
			counts[c]++
			for j, x := range rows[i*dim : (i+1)*dim] {
				sums[int(c)*dim+j] += x
			}
		}
		for c, count := range counts {
			if mean := sums[c*dim : (c+1)*dim]; count > 0 {
				for j := range mean {
					mean[j] /= float32(count)
				}
				stretch(mean, length)
				copy(centres[c*dim:], mean)
			}
		}
	}
}

// length is that of the centres of rows, 0 for any: where the metric goes by products all have the mean length of the rows, or
// long ones would attract every row.
func (cl *clustering) length(rows []float32) float64 {
	if cl.ix.o.Metric != distance.Dot {
		return 0
	}
	sum, n := 0.0, len(rows)/cl.dim
	for i := range n {
		row := rows[i*cl.dim : (i+1)*cl.dim]
		sum += math.Sqrt(float64(distance.DotF32(row, row)))
	}
	return sum / float64(n)
}

// stretch gives a vector that length, unless it has none or one of the two is infinite.
func stretch(v []float32, length float64) {
	by := length / math.Sqrt(float64(distance.DotF32(v, v)))
	if !(by > 0 && by <= math.MaxFloat32) {
		return
	}
	for i := range v {
		v[i] = float32(float64(v[i]) * by)
	}
}

// argmin returns the index of the least value.
func argmin(values []float32) (at int) {
	for i, v := range values {
		if v < values[at] {
			at = i
		}
	}
	return at
}
