package quant

import (
	"math"
	"math/bits"
)

// A rotation is a random orthogonal map that keeps the dimension: Kac-style rounds, each of random signs and a Hadamard
// transform of the first or (in odd rounds) the last 2^k coordinates, 2^k ≤ dim; after half of the rounds comes a
// butterfly of the two halves of the vector, without which 127 dimensions would hardly mix. It is a pure function of dim
// and seed: only additions, subtractions and products of float32, each rounded once, in an order that every
// implementation keeps. So all of them give the same bits.
type rotation struct {
	dim    int
	size   int         // coordinates of the Hadamard transform, a power of two; 0: the rotation is the identity
	half   int         // coordinates of each half in the butterfly, 0: no butterfly
	scales [][]float32 // per round: random signs times what keeps the length, padded to paddedDim
}

const (
	minRotatedDim = 8 // below, too few coordinates to mix
	rounds        = 4
)

// paddedDim is the length of buffers for rotate: dim rounded up to whole groups of 8, beyond dim zeros.
func paddedDim(dim int) int { return (dim + 7) &^ 7 }

func newRotation(dim int, seed uint64) *rotation {
	ro := &rotation{dim: dim}
	if dim < minRotatedDim {
		return ro
	}
	ro.size = 1 << (bits.Len(uint(dim)) - 1)
	count := rounds / 2 // a whole transform mixes everything at once
	if ro.size != dim {
		ro.half = dim / 2
		count = rounds
	}
	state := seed
	for r := range count {
		ro.scales = append(ro.scales, make([]float32, paddedDim(dim)))
		from := ro.offset(r)
		var word uint64
		for i := range dim {
			if i%64 == 0 {
				word = splitMix64(&state)
			}
			scale := 1.0
			if i >= from && i < from+ro.size {
				scale = 1 / math.Sqrt(float64(ro.size))
			}
			if ro.mixesHalves(r-1) && i < 2*ro.half { // what the butterfly before left out
				scale *= math.Sqrt2 / 2
			}
			if word>>(i%64)&1 != 0 {
				scale = -scale
			}
			ro.scales[r][i] = float32(scale)
		}
	}
	return ro
}

// offset is the first coordinate of the Hadamard transform of round r.
func (ro *rotation) offset(r int) int {
	if r%2 == 0 {
		return 0
	}
	return ro.dim - ro.size
}

// mixesHalves tells whether the butterfly follows round r: once both ends of the vector were transformed. Earlier, it
// would carry a lone large coordinate around the transforms, which then stays large.
func (ro *rotation) mixesHalves(r int) bool { return ro.half > 0 && r == rounds/2-1 }

// rotate rotates x in place. len(x) is paddedDim(dim), zero from dim on.
func (ro *rotation) rotate(x []float32) {
	if ro.size == 0 {
		return
	}
	for r, by := range ro.scales {
		scale(x, by)
		from := ro.offset(r)
		hadamard(x[from : from+ro.size])
		if ro.mixesHalves(r) {
			butterfly(x[:ro.half], x[ro.half:2*ro.half])
		}
	}
}

// splitMix64 is the generator of Steele, Lea and Flood (2014): tiny, and easy to say again in any language.
func splitMix64(state *uint64) uint64 {
	*state += 0x9e3779b97f4a7c15
	z := *state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
