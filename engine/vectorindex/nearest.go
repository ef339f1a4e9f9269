package vectorindex

import (
	"math"
	"slices"
)

// nearest keeps the limit nearest of the slots pushed, as a binary heap with the farthest on top.
// Which of equally distant ones are kept does not depend on the order in which they are pushed.
type nearest struct {
	limit  int
	before func(a, b uint32) bool // order of slots at one distance; nil: ascending
	heap   []Result
}

func (n *nearest) reset(limit int) { n.limit, n.heap = limit, n.heap[:0] }

// takes tells whether a candidate at distance d may be kept. NaN is as far as can be.
func (n *nearest) takes(d float32) bool {
	return len(n.heap) < n.limit || d <= n.heap[0].Distance
}

// bound is the distance beyond which no candidate is kept.
func (n *nearest) bound() float32 {
	if len(n.heap) < n.limit || n.limit == 0 {
		return float32(math.Inf(1))
	}
	return math.Nextafter32(n.heap[0].Distance, float32(math.Inf(1)))
}

// less tells whether a comes before b in the results.
func (n *nearest) less(a, b Result) bool {
	switch {
	case a.Distance != b.Distance:
		return a.Distance < b.Distance
	case n.before != nil:
		return n.before(a.Slot, b.Slot)
	}
	return a.Slot < b.Slot
}

func (n *nearest) push(r Result) {
	if r.Distance != r.Distance {
		r.Distance = float32(math.Inf(1))
	}
	if len(n.heap) < n.limit {
		n.heap = append(n.heap, r)
		for i := len(n.heap) - 1; i > 0; {
			up := (i - 1) / 2
			if !n.less(n.heap[up], n.heap[i]) {
				return
			}
			n.heap[up], n.heap[i] = n.heap[i], n.heap[up]
			i = up
		}
		return
	}
	if !n.less(r, n.heap[0]) {
		return
	}
	i := 0
	for {
		down := 2*i + 1
		if down >= len(n.heap) {
			break
		}
		if down+1 < len(n.heap) && n.less(n.heap[down], n.heap[down+1]) {
			down++
		}
		if !n.less(r, n.heap[down]) {
			break
		}
		n.heap[i] = n.heap[down]
		i = down
	}
	n.heap[i] = r
}

// sorted returns what was kept, nearest first, and leaves n empty. Borrowed until the next use of n.
func (n *nearest) sorted() []Result {
	out := n.heap
	n.heap = n.heap[:0]
	n.sort(out)
	return out
}

func (n *nearest) sort(rs []Result) {
	slices.SortFunc(rs, func(a, b Result) int {
		switch {
		case n.less(a, b):
			return -1
		case n.less(b, a):
			return 1
		}
		return 0
	})
}
