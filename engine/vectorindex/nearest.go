package vectorindex

import (
	"cmp"
	"math"
	"slices"
)

// nearest keeps the limit nearest of the slots pushed, as a binary heap with the farthest on top.
type nearest struct {
	limit int
	heap  []Result
}

func (n *nearest) reset(limit int) { n.limit, n.heap = limit, n.heap[:0] }

// takes tells whether a candidate at distance d would be kept. NaN is as far as can be.
func (n *nearest) takes(d float32) bool {
	return len(n.heap) < n.limit || d < n.heap[0].Distance
}

func (n *nearest) push(slot uint32, d float32) {
	if d != d {
		d = float32(math.Inf(1))
	}
	if len(n.heap) < n.limit {
		n.heap = append(n.heap, Result{Slot: slot, Distance: d})
		for i := len(n.heap) - 1; i > 0; {
			up := (i - 1) / 2
			if n.heap[up].Distance >= n.heap[i].Distance {
				return
			}
			n.heap[up], n.heap[i] = n.heap[i], n.heap[up]
			i = up
		}
		return
	}
	if !(d < n.heap[0].Distance) {
		return
	}
	i := 0
	for {
		down := 2*i + 1
		if down >= len(n.heap) {
			break
		}
		if down+1 < len(n.heap) && n.heap[down+1].Distance > n.heap[down].Distance {
			down++
		}
		if n.heap[down].Distance <= d {
			break
		}
		n.heap[i] = n.heap[down]
		i = down
	}
	n.heap[i] = Result{Slot: slot, Distance: d}
}

// sorted returns what was kept, nearest first, ties by slot, and leaves n empty. Borrowed until the next use of n.
func (n *nearest) sorted() []Result {
	out := n.heap
	n.heap = n.heap[:0]
	sortResults(out)
	return out
}

func sortResults(rs []Result) {
	slices.SortFunc(rs, func(a, b Result) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Slot, b.Slot))
	})
}
