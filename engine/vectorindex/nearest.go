package vectorindex

import (
	"cmp"
	"math"
	"slices"
)

// nearest keeps the limit nearest of the slots pushed: in the order of the pushes while there are fewer, which is that
// of a walk's answer, and as a binary heap with the farthest on top from then on. Which of equally distant ones are kept
// does not depend on the order in which they are pushed.
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

// compare is the order of the results: negative where a comes before b.
func (n *nearest) compare(a, b Result) int {
	switch {
	case a.Distance < b.Distance:
		return -1
	case a.Distance > b.Distance:
		return 1
	case n.before == nil:
		return cmp.Compare(a.Slot, b.Slot)
	case n.before(a.Slot, b.Slot):
		return -1
	case n.before(b.Slot, a.Slot):
		return 1
	}
	return 0
}

func (n *nearest) less(a, b Result) bool { return n.compare(a, b) < 0 }

func (n *nearest) push(r Result) {
	if r.Distance != r.Distance {
		r.Distance = float32(math.Inf(1))
	}
	if len(n.heap) < n.limit {
		n.heap = append(n.heap, r)
		if len(n.heap) == n.limit {
			for i := n.limit/2 - 1; i >= 0; i-- {
				n.sink(i, n.heap[i])
			}
		}
		return
	}
	if n.less(r, n.heap[0]) {
		n.sink(0, r)
	}
}

// sink puts r into the heap at i, above which all are farther, or below it.
func (n *nearest) sink(i int, r Result) {
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

func (n *nearest) sort(rs []Result) { slices.SortFunc(rs, n.compare) }
