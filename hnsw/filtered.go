package hnsw

import (
	"math"
	"math/bits"
)

const (
	firstCheck      = 256  // nodes seen when a filtered walk looks for the first time how many of them match
	hopsBeforeCount = 64   // a filtered walk this long counts the matches, so that it can stop when it has them all
	mostPooled      = 1024 // widest pool of a filtered walk: a wider one takes longer to sort into than a heap
)

// matcher is the filter of a search.
type matcher struct {
	bits  []uint64
	slots []uint32 // bits are over slots[ord]
	fn    func(ord uint32) bool
}

func (f *matcher) ok(ord uint32) bool {
	if f.bits == nil {
		return f.fn(ord)
	}
	if f.slots != nil {
		if int(ord) >= len(f.slots) {
			return false
		}
		ord = f.slots[ord]
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

// share estimates from some words of the bitset how many nodes match, 1 if it cannot tell.
func (f *matcher) share() float64 {
	const samples = 64
	if len(f.bits) == 0 {
		return 1
	}
	n, step := 0, (len(f.bits)+samples-1)/samples
	seen := 0
	for i := 0; i < len(f.bits); i += step {
		n += bits.OnesCount64(f.bits[i])
		seen += 64
	}
	return max(float64(n), 1) / float64(seen)
}

// filtered is the state of a filtered walk. The pool holds the nearest of all seen, as in an unfiltered walk, but may be
// wider than ef; the queue what the pool has no room for; results the ef nearest accepted.
type filtered struct {
	g        *links
	q        Scorer
	s        *Scratch
	match    matcher
	ef, want int
	suffice  int  // wanted from after visits on
	after    int  // 0: never
	part     bool // the walk pauses when partEf and partWant are met and nothing nearer than until is left
	partEf   int
	partWant int
	until    uint64
	width    int // of the pool
	limit    int // visits
	least    float64
	check    int // visits when the share of matches is looked at again
	counted  int // of the nodes seen, how many were looked at
	matches  int // of these
	pooled   int
	at       int // nothing before pool[at] is left to expand
	accepted int
	hops     int
	bound    uint64 // keys from here on are of no use
	pause    uint64 // keys from here on are not expanded before Resume
}

func (g *links) searchFiltered(q Scorer, near uint64, o SearchOptions, s *Scratch) []Candidate {
	w := &s.filtered
	*w = filtered{g: g, q: q, s: s, match: matcher{bits: o.Bits, slots: o.Slots, fn: o.Accept}, ef: o.Ef, want: o.Ef, limit: int(^uint(0) >> 1)}
	if o.Want > 0 {
		w.want = min(o.Want, o.Ef)
	}
	if o.MaxVisits > 0 {
		w.limit = o.MaxVisits
	}
	w.suffice, w.after = o.Suffice, o.SufficeAfter
	w.least, w.check = o.LeastShare, firstCheck
	w.partEf, w.partWant = w.ef, w.want
	if o.Pause > 0 {
		w.partEf, w.partWant = min(o.Pause, w.ef), min(max(o.PauseWant, 0), w.want)
	}
	w.part = w.partEf < w.ef || w.partWant < w.want
	w.width = max(o.Ef, int(min(1.25*float64(w.want)/w.match.share(), mostPooled)))
	s.fit(g, w.width)
	if cap(s.results) < o.Ef+1 {
		s.results = make([]uint64, 0, o.Ef+1)
	}
	s.queue = s.queue[:0]
	w.bound, w.pause = worstKey, worstKey
	s.begin(keyOrd(near))
	s.logged = 1
	s.Stats.Visited++
	w.note(near)
	return w.run()
}

// run expands the nearest node that is not expanded yet until nothing nearer than the bound is left, or pauses. It works
// on three nodes at a time, see expand.
func (w *filtered) run() []Candidate {
	s := w.s
	ahead, _ := w.q.(Prefetcher)
	sifter, _ := w.q.(Sifter)
	lo, hi := s.logged, s.logged
	first, hops := lo, w.hops
	s.logged = 0
	for chosen := w.choose(); ; {
		batch, bound := s.sift(sifter, lo, hi, w.bound)
		end := hi
		if chosen != worstKey {
			if w.hops++; w.hops == hopsBeforeCount && w.accepted < w.want {
				w.wantAtMost(w.match.count(w.g.limit))
			}
			end = s.gather(w.g.row(keyOrd(chosen), 0), hi, w.g.limit)
			if ahead != nil {
				ahead.Prefetch(s.log[hi:end])
			}
		}
		chosen = w.choose()
		if chosen == worstKey && lo == end {
			break
		}
		if len(batch) > 0 {
			for _, k := range s.score(w.q, batch, bound, w.bound) {
				if k < w.bound {
					w.note(k)
				}
			}
		}
		if w.after > 0 && hi >= w.after {
			w.after = 0
			w.wantAtMost(w.suffice)
		}
		s.Stats.Exhausted = hi >= w.limit || w.hopeless(hi)
		lo, hi = hi, end
		if s.Stats.Exhausted { // what was gathered is not scored any more
			break
		}
	}
	s.Stats.Hops += w.hops - hops
	s.Stats.Distances += lo - first
	s.Stats.Visited += hi - first
	s.logged = hi
	s.near, s.accepted, s.left = s.pool[:w.pooled], s.results[:w.accepted], worstKey
	if w.part && !s.Stats.Exhausted {
		if k := w.next(); k < w.bound {
			s.left = k
		}
	}
	if s.left == worstKey {
		s.forget(hi)
	}
	w.g, w.q, w.match = nil, nil, matcher{}
	return s.take(s.accepted)
}

// wantAtMost has the walk end when so many matches are nearer than all that is left, if it wanted more.
func (w *filtered) wantAtMost(n int) {
	w.want = min(w.want, n)
	w.partWant = min(w.partWant, n)
	w.tighten()
}

// hopeless tells whether fewer of the n nodes seen match than make the walk worth it, at two standard deviations. It looks
// again each time n has doubled, until twice as many as needed match.
func (w *filtered) hopeless(n int) bool {
	if n < w.check || w.least <= 0 {
		return false
	}
	for _, v := range w.s.log[w.counted:n] {
		if w.match.ok(v) {
			w.matches++
		}
	}
	w.counted, w.check = n, 2*n
	matches, needed := float64(w.matches), w.least*float64(n)
	deviation := 2 * math.Sqrt(matches+1)
	if matches-deviation > 2*needed {
		w.least = 0
	}
	return matches+deviation+1 < needed
}

// next returns the nearest node that is not expanded yet, worstKey if there is none.
func (w *filtered) next() uint64 {
	pool := w.s.pool[:w.width+1]
	for ; w.at < w.pooled; w.at++ {
		if k := pool[w.at]; k&1 == 0 {
			return k
		}
	}
	if len(w.s.queue) > 0 {
		return w.s.queue[0]
	}
	return worstKey
}

// choose takes the nearest node to expand, worstKey if there is none.
func (w *filtered) choose() uint64 {
	k := w.next()
	if k >= w.pause && w.hops > 0 {
		return worstKey
	}
	if w.at < w.pooled {
		w.s.pool[:w.width+1][w.at] |= 1
	} else if k != worstKey {
		_, w.s.queue = pop(w.s.queue)
	}
	if k != worstKey {
		w.g.touch(keyOrd(k))
	}
	return k
}

// note counts a key among the seen ones and, if its node matches, among the results, and moves the bound.
func (w *filtered) note(k uint64) {
	s := w.s
	pool := s.pool[:w.width+1]
	switch full := w.pooled == w.width; {
	case full && k >= pool[w.width-1]:
		s.queue = push(s.queue, k)
	default:
		if last := pool[w.width-1]; full && last&1 == 0 && last < w.bound {
			s.queue = push(s.queue, last)
		}
		var p int
		p, w.pooled = insertKey(pool, w.pooled, w.width, k)
		w.at = min(w.at, p)
	}
	results := s.results[:w.ef+1]
	if (w.accepted < w.ef || k < results[w.ef-1]) && w.match.ok(keyOrd(k)) {
		_, w.accepted = insertKey(results, w.accepted, w.ef, k)
	}
	w.tighten()
}

// tighten moves the bound to where both the pool of ef and the wanted results are nearer, and the pause likewise.
func (w *filtered) tighten() {
	w.bound = w.reached(w.ef, w.want)
	w.pause = w.bound
	if w.part {
		w.pause = min(max(w.reached(w.partEf, w.partWant), w.until), w.bound)
	}
}

// reached returns the key up to which a walk of that ef and want goes.
func (w *filtered) reached(ef, want int) uint64 {
	if w.pooled < ef || w.accepted < want {
		return worstKey
	}
	k := w.s.pool[:ef][ef-1] &^ 1
	if want > 0 {
		k = max(k, w.s.results[:want][want-1])
	}
	return k | 1 // the last one itself may be expanded
}
