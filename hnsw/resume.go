package hnsw

import "sort"

// A search of several graphs, each of a part of the rows, walks every one at first as far as its share lets expect
// (SearchOptions.Pause). Cutoff then tells how far one search of all of them as one graph would have gone, and Resume
// takes the walks there that stopped before.

// Resume implements Reader.
func (g *Graph) Resume(q Scorer, o SearchOptions, until float32, s *Scratch) []Candidate {
	return g.resume(q, o, until, s)
}

func (g *links) resume(q Scorer, o SearchOptions, until float32, s *Scratch) []Candidate {
	s.Stats, s.Err = Stats{}, nil
	if s.left == worstKey {
		return s.take(s.accepted)
	}
	end := uint64(ordered(until))<<32 | uint64(NoOrd)
	if o.Bits != nil || o.Accept != nil {
		w := &s.filtered
		w.g, w.q, w.match = g, q, matcher{bits: o.Bits, slots: o.Slots, fn: o.Accept}
		w.until = end
		w.tighten()
		return w.run()
	}
	g.expand(q, 0, reach{ef: max(o.Ef, 1), until: end}, s)
	return s.takePool(false)
}

// Left returns the distance of the node that a paused search would go on with, and whether there is one.
func (s *Scratch) Left() (distance float32, ok bool) {
	return keyDistance(s.left), s.left != worstKey
}

// Cutoff returns the distance up to which one search with that Ef and Want would expand the nodes of all the graphs
// that walks have searched: the Ef nearest seen, and further to the Want-th that is accepted (0: Ef decides).
func Cutoff(walks []*Scratch, ef, want int) float32 {
	far := nth(walks, ef, func(s *Scratch) []uint64 { return s.near })
	if want > 0 {
		far = max(far, nth(walks, want, func(s *Scratch) []uint64 { return s.accepted }))
	}
	return keyDistance(uint64(far) << 32)
}

// nth returns the n-th least ordered distance of the sorted keys of all walks, that of infinity where there are fewer.
func nth(walks []*Scratch, n int, keys func(*Scratch) []uint64) uint32 {
	lo, hi := uint32(0), ordered(anyDistance)
	for lo < hi {
		mid := lo + (hi-lo)/2
		count := 0
		for _, s := range walks {
			ks := keys(s)
			count += sort.Search(len(ks), func(i int) bool { return uint32(ks[i]>>32) > mid })
		}
		if count >= n {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}
