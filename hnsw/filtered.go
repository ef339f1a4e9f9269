package hnsw

import (
	"math/bits"
	"sync/atomic"
)

const (
	hopsBeforeCount = 64 // a filtered walk this long counts the matches, so that it can stop when it has them all
	seedMatches     = 16 // matching nodes, spread over the ords, where a two-hop walk starts besides the entry point
)

// matcher is the filter of a search.
type matcher struct {
	bits []uint64
	fn   func(ord uint32) bool
}

func (f *matcher) ok(ord uint32) bool {
	if f.bits == nil {
		return f.fn(ord)
	}
	w := int(ord >> 6)
	return w < len(f.bits) && f.bits[w]>>(ord&63)&1 != 0
}

// count returns how many nodes may match at most.
func (f *matcher) count(limit uint32) int {
	if f.bits == nil {
		return int(limit)
	}
	n := 0
	for _, w := range f.bits {
		n += bits.OnesCount64(w)
	}
	return n
}

// filtered is the state of a filtered walk. The queue holds what may be expanded, pool the ef nearest of all seen,
// results the ef nearest accepted.
type filtered struct {
	g        *links
	q        Scorer
	s        *Scratch
	match    matcher
	ef, want int
	limit    int // visits
	visits   int
	pooled   int
	accepted int
	bound    uint64 // keys from here on are of no use
}

func (g *links) searchFiltered(q Scorer, near uint64, o SearchOptions, s *Scratch) []Candidate {
	if cap(s.results) < o.Ef+1 {
		s.results = make([]uint64, 0, o.Ef+1)
	}
	w := filtered{g: g, q: q, s: s, match: matcher{o.Bits, o.Accept}, ef: o.Ef, want: o.Ef, limit: int(^uint(0) >> 1)}
	if o.Want > 0 {
		w.want = min(o.Want, o.Ef)
	}
	if o.MaxVisits > 0 {
		w.limit = o.MaxVisits
	}
	if o.TwoHop {
		s.fit(g, o.Ef, 3*g.m0)
		w.begin(near)
		w.seedMatching()
		w.run(true)
		if w.accepted >= w.want || s.Stats.Exhausted || w.accepted >= w.match.count(g.limit) {
			return s.take(s.results[:w.accepted])
		}
		s.Stats.Fallback = true
	}
	w.begin(near)
	w.run(false)
	return s.take(s.results[:w.accepted])
}

// begin empties the state and puts the first node into it.
func (w *filtered) begin(near uint64) {
	s := w.s
	s.queue = s.queue[:0]
	w.pooled, w.accepted, w.bound = 0, 0, worstKey
	s.begin(keyOrd(near))
	w.visits++
	s.queue = push(s.queue, near)
	w.note(near)
}

// note counts a key among the seen ones and, if its node matches, among the results, and moves the bound.
func (w *filtered) note(k uint64) {
	s := w.s
	pool, results := s.pool[:w.ef+1], s.results[:w.ef+1]
	if w.pooled < w.ef || k < pool[w.ef-1] {
		_, w.pooled = insertKey(pool, w.pooled, w.ef, k)
	}
	if (w.accepted < w.ef || k < results[w.ef-1]) && w.match.ok(keyOrd(k)) {
		_, w.accepted = insertKey(results, w.accepted, w.ef, k)
	}
	if w.pooled == w.ef && w.accepted >= w.want {
		w.bound = pool[w.ef-1]
		if w.want > 0 {
			w.bound = max(w.bound, results[w.want-1])
		}
	}
}

// seedMatching scores matching nodes spread over the ords, so that islands of the matching nodes are met.
func (w *filtered) seedMatching() {
	s, b := w.s, w.match.bits
	n := 0
	for i := range seedMatches {
		lo, hi := i*len(b)/seedMatches, (i+1)*len(b)/seedMatches
		for j := lo; j < hi; j++ {
			if b[j] == 0 {
				continue
			}
			ord := uint32(j*64 + bits.TrailingZeros64(b[j]))
			if ord < w.g.limit && atomic.LoadUint32(&w.g.at[ord]) != 0 && s.mark(ord) {
				s.ids[n] = ord
				n++
			}
			break
		}
	}
	w.visits += n
	w.score(n)
}

// run expands the nearest node of the queue until nothing nearer than the bound is left.
func (w *filtered) run(twoHop bool) {
	s := w.s
	hops := 0
	for len(s.queue) > 0 {
		var k uint64
		if k, s.queue = pop(s.queue); k >= w.bound && hops > 0 {
			break
		}
		if hops++; hops == hopsBeforeCount && w.accepted < w.want {
			w.want = min(w.want, w.match.count(w.g.limit))
		}
		n := s.gather(w.g.row(keyOrd(k), 0), w.g.limit)
		w.visits += n
		if twoHop {
			n = w.gatherMatching(n)
		}
		w.score(n)
		if w.visits >= w.limit {
			s.Stats.Exhausted = true
			break
		}
	}
	s.forget()
	s.Stats.Hops += hops
	s.Stats.Visited += w.visits
	w.limit, w.visits = w.limit-w.visits, 0
}

// gatherMatching keeps the matching ones of n ids and, until there are M0 of them, adds matching neighbours of the
// others.
func (w *filtered) gatherMatching(n int) int {
	g, s := w.g, w.s
	through := s.ids[2*g.m0 : 3*g.m0]
	m, t := 0, 0
	for _, v := range s.ids[:n] {
		if w.match.ok(v) {
			s.ids[m] = v
			m++
		} else {
			through[t] = v
			t++
		}
	}
	for _, u := range through[:t] {
		g.touch(u)
	}
	for _, u := range through[:t] {
		if m >= g.m0 {
			break
		}
		before := m
		if row := g.row(u, 0); w.match.bits != nil {
			m = s.gatherBits(row, g.limit, w.match.bits, m)
		} else {
			m = s.gatherFunc(row, g.limit, w.match.fn, m)
		}
		w.visits += m - before
	}
	return m
}

// gatherBits appends the unseen neighbours whose bits are set to the first n ids and returns the new number. Few are.
func (s *Scratch) gatherBits(row []uint32, limit uint32, set []uint64, n int) int {
	limit = uint32(min(uint64(limit), uint64(len(set))*64))
	for i := range row {
		v := atomic.LoadUint32(&row[i])&linkMask - 1
		if v < limit && set[v>>6]>>(v&63)&1 != 0 && s.mark(v) {
			s.ids[n] = v
			n++
		}
	}
	return n
}

func (s *Scratch) gatherFunc(row []uint32, limit uint32, accept func(uint32) bool, n int) int {
	for i := range row {
		v := atomic.LoadUint32(&row[i])&linkMask - 1
		if v < limit && accept(v) && s.mark(v) {
			s.ids[n] = v
			n++
		}
	}
	return n
}

// score asks for the distances of the first n ids and queues what is near enough.
func (w *filtered) score(n int) {
	if n == 0 {
		return
	}
	s := w.s
	if len(s.queue) > 0 {
		w.g.touch(keyOrd(s.queue[0]))
	}
	w.q.Distances(s.ids[:n], s.out[:n])
	s.Stats.Distances += n
	for i, v := range s.ids[:n] {
		k := key(s.out[i], v)
		if k >= w.bound {
			continue
		}
		s.queue = push(s.queue, k)
		w.note(k)
	}
}

// push adds k to a binary heap with the least key on top.
func push(h []uint64, k uint64) []uint64 {
	h = append(h, k)
	i := len(h) - 1
	for i > 0 {
		p := (i - 1) / 2
		if h[p] <= k {
			break
		}
		h[i] = h[p]
		i = p
	}
	h[i] = k
	return h
}

// pop takes the least key of a heap that is not empty.
func pop(h []uint64) (uint64, []uint64) {
	least, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	if len(h) == 0 {
		return least, h
	}
	i := 0
	for {
		c := 2*i + 1
		if c >= len(h) {
			break
		}
		if c+1 < len(h) && h[c+1] < h[c] {
			c++
		}
		if h[c] >= last {
			break
		}
		h[i] = h[c]
		i = c
	}
	h[i] = last
	return least, h
}
