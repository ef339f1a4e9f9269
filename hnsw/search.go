package hnsw

import (
	"math/bits"
	"sync/atomic"
)

// SearchOptions say how wide a search is and which nodes it may return.
type SearchOptions struct {
	// Ef is the width of the walk and the most nodes returned. At least 1.
	Ef int
	// Accept filters results; nil accepts all. The walk passes through nodes that it refuses.
	Accept func(ord uint32) bool
	// Bits is the same as a dense bitset over ords (bit ord%64 of word ord/64), faster. It wins over Accept.
	Bits []uint64
	// Want is how many accepted nodes a filtered walk must find before it may stop: it goes on past Ef until the
	// Want-th accepted node is nearer than all that is left. 0 means Ef; a caller that needs k results passes a
	// little more than k.
	Want int
	// MaxVisits ends a filtered search after so many nodes were visited (Stats.Exhausted); 0 is no bound.
	MaxVisits int
}

// Search implements Reader.
func (g *Graph) Search(q Scorer, o SearchOptions, s *Scratch) []Candidate { return g.search(q, o, s) }

func (g *links) search(q Scorer, o SearchOptions, s *Scratch) []Candidate {
	o.Ef = max(o.Ef, 1)
	s.Stats, s.Err = Stats{}, nil
	s.fit(g, o.Ef)
	entry, top := g.start()
	if entry >= g.limit {
		return nil
	}
	near := g.descend(q, entry, top, 0, s)
	if o.Bits != nil || o.Accept != nil {
		return g.searchFiltered(q, near, o, s)
	}
	return s.take(g.walk(q, near, 0, o.Ef, s))
}

// descend walks greedily from the top level down to level bottom+1 and returns the key of the nearest node found.
func (g *links) descend(q Scorer, entry uint32, top, bottom int, s *Scratch) uint64 {
	s.ids[0] = entry
	q.Distances(s.ids[:1], s.out[:1], anyDistance)
	best := key(s.out[0], entry)
	s.Stats.Distances++
	for level := top; level > bottom; level-- {
		for {
			from := best
			row := g.row(keyOrd(best), level)
			n := 0
			for i := range row {
				v := atomic.LoadUint32(&row[i])&linkMask - 1
				if v >= g.limit {
					break
				}
				s.ids[n] = v
				n++
			}
			if n == 0 {
				break
			}
			q.Distances(s.ids[:n], s.out[:n], keyDistance(best))
			s.Stats.Distances += n
			s.Stats.Visited += n
			for i, v := range s.ids[:n] {
				best = min(best, key(s.out[i], v))
			}
			if best == from {
				break
			}
		}
	}
	return best
}

// walk is the search of one level: it expands the nearest node that is not expanded yet until the ef nearest nodes
// seen all are. It returns their keys, sorted. This loop is where a query spends its time.
func (g *links) walk(q Scorer, start uint64, level, ef int, s *Scratch) []uint64 {
	pool, ids, out, near := s.pool[:ef+1], s.ids, s.out, s.near
	pool[0] = start
	s.begin(keyOrd(start))
	n, hops, scored := 1, 0, 0
	worst := worstKey
	if n == ef {
		worst = pool[0]
	}
	for at := 0; at < n; {
		k := pool[at]
		if k&1 != 0 {
			at++
			continue
		}
		pool[at] = k | 1
		hops++
		m := s.gather(g.row(keyOrd(k), level), g.limit)
		next := at + 1
		if m > 0 {
			for next < n && pool[next]&1 != 0 {
				next++
			}
			if next < n && level == 0 {
				g.touch(keyOrd(pool[next])) // its links arrive while the distances are computed
			}
			q.Distances(ids[:m], out[:m], boundOf(worst))
			scored += m
			c := 0
			for i, d := range out[:m] {
				k := key(d, ids[i])
				near[c] = k
				_, nearer := bits.Sub64(k, worst, 0)
				c += int(nearer)
			}
			for _, k := range near[:c] {
				if k >= worst {
					continue
				}
				var p int
				p, n = insertKey(pool, n, ef, k)
				if p < next {
					next = p
					if level == 0 {
						g.touch(keyOrd(k))
					}
				}
				if n == ef {
					worst = pool[ef-1]
				}
			}
		}
		at = next
	}
	s.forget()
	s.pooled = n
	s.Stats.Hops += hops
	s.Stats.Distances += scored
	s.Stats.Visited += scored + 1
	return pool[:n]
}

// touch loads the row of a node without using it.
func (g *links) touch(ord uint32) {
	prefetch(&g.level0[int(ord)*g.stride])
}
