package hnsw

import (
	"math/bits"
	"sync/atomic"
)

const (
	twoHopSeeds = 16 // matching nodes, spread over the ords, that a two-hop walk starts from beside the entry
	// enough of a row's links match when two in three do: what lies behind the others is not looked at.
	enoughOf, enough = 3, 2
)

// searchTwoHop walks over matching nodes only. Where a neighbour does not match, its own neighbours stand for it. It is
// ACORN-1 of arXiv:2403.04871 with these departures: the links of a refused node are read once a walk, rows where most
// links match are not looked beyond, and matching nodes from all over the graph are entry points too, so that islands
// of matches are met.
//
// Where the matches lie far from the query it gets stuck and would miss most of them. So the two-hop neighbourhood of the
// node nearest to the query is looked at first: if it holds less than half of the matches that their share of all
// nodes lets expect, the walk ends there, exhausted.
func (g *links) searchTwoHop(q Scorer, near uint64, o SearchOptions, s *Scratch) []Candidate {
	w := twoHop{links: g, s: s, match: matcher{bits: o.Bits}, most: 2 * g.m0}
	limit := int(^uint(0) >> 1)
	if o.MaxVisits > 0 {
		limit = o.MaxVisits
	}
	s.fit(g, o.Ef)
	s.begin(keyOrd(near))
	s.passed = s.passed[:0]
	ahead, _ := q.(Prefetcher)
	pool := s.pool[:o.Ef+1]
	n, at, hops, worst := 0, 0, 0, worstKey
	if w.match.ok(keyOrd(near)) {
		pool[0], n = near|1, 1
	}
	lo, hi := 1, w.seeds(1)
	if !w.worthwhile(keyOrd(near)) {
		s.Stats.Exhausted = true
		s.forget(hi)
		return nil
	}
	for chosen := near; ; {
		end := hi
		if chosen != worstKey {
			hops++
			end = w.gather(keyOrd(chosen), hi)
			if ahead != nil {
				ahead.Prefetch(s.log[hi:end])
			}
		}
		chosen = worstKey
		for ; at < n; at++ {
			if k := pool[at]; k&1 == 0 {
				chosen, pool[at] = k, k|1
				g.touch(keyOrd(k))
				break
			}
		}
		if chosen == worstKey && lo == end {
			break
		}
		for lo < hi {
			most := min(hi, lo+len(s.out))
			for _, k := range s.score(q, s.log[lo:most], boundOf(worst), worst) {
				if k >= worst {
					continue
				}
				var p int
				p, n = insertKey(pool, n, o.Ef, k)
				at = min(at, p)
				if n == o.Ef {
					worst = pool[o.Ef-1]
				}
			}
			lo = most
		}
		if end+len(s.passed) >= limit {
			s.Stats.Exhausted = true
			hi = end
			break
		}
		hi = end
	}
	s.forget(hi)
	for _, v := range s.passed {
		s.seen[v>>6] = 0
	}
	s.Stats.Hops += hops
	s.Stats.Distances += lo - 1
	s.Stats.Visited += hi + len(s.passed)
	return s.take(pool[:n])
}

// twoHop gathers the matching neighbourhood of nodes.
type twoHop struct {
	*links
	s     *Scratch
	match matcher
	most  int // matching nodes a hop
}

// worthwhile tells whether matches are about as frequent around a node as everywhere.
func (w *twoHop) worthwhile(ord uint32) bool {
	const leastShare = 0.5
	links, matches := 0, 0
	count := func(row []uint32) {
		for i := range row {
			v := atomic.LoadUint32(&row[i])&linkMask - 1
			if v >= w.limit {
				break
			}
			links++
			if w.match.ok(v) {
				matches++
			}
		}
	}
	row := w.row(ord, 0)
	count(row)
	for i := range row {
		v := atomic.LoadUint32(&row[i])&linkMask - 1
		if v >= w.limit {
			break
		}
		count(w.row(v, 0))
	}
	return float64(matches) >= leastShare*w.match.share()*float64(links)
}

// seeds appends matching nodes from all over the bitset to the n of the log and returns the new length.
func (w *twoHop) seeds(n int) int {
	s, words := w.s, len(w.match.bits)
	s.grow(n + twoHopSeeds)
	for i := range twoHopSeeds {
		for at, end := i*words/twoHopSeeds, (i+1)*words/twoHopSeeds; at < end; at++ {
			word := w.match.bits[at]
			if word == 0 {
				continue
			}
			v := uint32(at*64 + bits.TrailingZeros64(word))
			if v < w.limit && s.seen[v>>6]>>(v&63)&1 == 0 {
				s.seen[v>>6] |= 1 << (v & 63)
				s.log[n] = v
				n++
			}
			break
		}
	}
	return n
}

// gather appends the unseen matching nodes that one or two links lead to from ord to the n of the log, at most w.most
// and a row, marks them and returns the new length.
func (w *twoHop) gather(ord uint32, n int) int {
	s, row := w.s, w.row(ord, 0)
	s.grow(n + w.most + 2*w.m0)
	from, first, links, matches := n, len(s.passed), 0, 0
	for i := range row {
		v := atomic.LoadUint32(&row[i])&linkMask - 1
		if v >= w.limit {
			break
		}
		links++
		match := w.match.ok(v)
		if match {
			matches++
		}
		switch word := &s.seen[v>>6]; {
		case *word>>(v&63)&1 != 0:
		case match:
			*word |= 1 << (v & 63)
			s.log[n] = v
			n++
		default:
			s.passed = append(s.passed, v)
		}
	}
	if enoughOf*matches >= enough*links {
		s.passed = s.passed[:first]
		return n
	}
	const early = 4 // rows asked for ahead of time
	for _, v := range s.passed[first:min(first+early, len(s.passed))] {
		w.touch(v)
	}
	read := first
	for ; read < len(s.passed) && n-from < w.most; read++ {
		v := s.passed[read]
		if read+early < len(s.passed) {
			w.touch(s.passed[read+early])
		}
		s.seen[v>>6] |= 1 << (v & 63)
		n = w.through(v, n)
	}
	s.passed = s.passed[:read]
	return n
}

// through appends the unseen matching neighbours of a refused node.
func (w *twoHop) through(ord uint32, n int) int {
	seen, match := w.s.seen, w.match.bits
	row := w.row(ord, 0)
	log := w.s.log[n:][:len(row)+1]
	c := 0
	for i := range row {
		v := atomic.LoadUint32(&row[i])&linkMask - 1
		if v >= w.limit {
			break
		}
		word, at := uint64(0), int(v>>6)
		if at < len(match) {
			word = match[at]
		}
		fresh := (word &^ seen[at]) >> (v & 63) & 1 // no branch: see Scratch.gather
		log[c] = v
		c += int(fresh)
		seen[at] |= fresh << (v & 63)
	}
	return n + c
}
