package hnsw

import "math/bits"

// hopsBeforeCount: a filtered walk this long counts the matches, so that it can stop when it has them all.
const hopsBeforeCount = 64

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
	logged   int
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
	w.begin(near)
	w.run()
	return s.take(s.results[:w.accepted])
}

// begin empties the state and puts the first node into it.
func (w *filtered) begin(near uint64) {
	s := w.s
	s.queue = s.queue[:0]
	w.pooled, w.accepted, w.bound = 0, 0, worstKey
	s.begin(keyOrd(near))
	w.logged = 1
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

// run expands the nearest node of the queue until nothing nearer than the bound is left.
func (w *filtered) run() {
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
		end := s.gather(w.g.row(keyOrd(k), 0), w.logged, w.g.limit)
		n := copy(s.ids, s.log[w.logged:end])
		w.logged = end
		w.visits += n
		w.score(n)
		if w.visits >= w.limit {
			s.Stats.Exhausted = true
			break
		}
	}
	s.forget(w.logged)
	s.Stats.Hops += hops
	s.Stats.Visited += w.visits
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
	w.q.Distances(s.ids[:n], s.out[:n], boundOf(w.bound))
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
