package hnsw

import (
	"math"
	"math/bits"
	"sync/atomic"
)

// Candidate is a node that a search found.
type Candidate struct {
	Ord      uint32
	Distance float32
}

// Stats counts the work of one search.
type Stats struct {
	Visited   int  // nodes whose lists or distances were looked at, upper levels included
	Hops      int  // nodes whose neighbours were scored
	Distances int  // distances asked of the scorer, nodes that were sifted out included
	Sifted    int  // nodes of these that a Sifter dropped by a part of their data
	Exhausted bool // MaxVisits ended the search
}

// Scratch is the memory of a search. It grows to what searches need and is then reused without allocation.
// One goroutine at a time.
type Scratch struct {
	// Stats are the counters of the last search or insert.
	Stats Stats
	// Err is damage met by the last search of a mapped graph; the answer then lacks what lies behind it.
	Err error

	pool    []uint64 // sorted packed candidates; see key
	pooled  int      // how many the last walk left there
	at      int      // nothing before pool[at] is left to expand
	seen    []uint64 // bit by ord
	log     []uint32 // nodes seen by the walk, in order
	logged  int      // how many they are, 0 while the walk goes on
	passed  []uint32 // refused nodes whose links a two-hop walk has read
	busy    bool     // a walk is under way or paused, or was ended by a panic
	ids     []uint32 // unseen neighbours of one hop
	kept    []uint32 // of one hop, those that were not sifted out
	out     []float32
	scored  []uint64 // keys of a hop's nodes that may enter the pool
	queue   []uint64 // heap of a filtered walk
	results []uint64 // sorted accepted nodes of a filtered walk
	found   []Candidate

	filtered filtered // the walk that results belong to
	near     []uint64 // nearest nodes that the last search saw
	accepted []uint64 // those of them that it returned
	left     uint64   // the nearest node that a paused search would expand next, else worstKey

	sel  selection
	plan []levelPlan
}

// NewScratch makes an empty scratch.
func NewScratch() *Scratch { return &Scratch{} }

// fit makes room for a search of g with pools of ef.
func (s *Scratch) fit(g *links, ef int) {
	if n := (int(g.limit) + 63) / 64; len(s.seen) < n {
		s.seen = make([]uint64, n)
	}
	if cap(s.pool) < ef+1 {
		s.pool = make([]uint64, 0, ef+1)
	}
	if len(s.log) == 0 {
		s.log = make([]uint32, 1<<12)
	}
	if n := g.m0 + 8; len(s.ids) < n {
		s.ids = make([]uint32, n)
		s.kept = make([]uint32, n)
		s.out = make([]float32, n)
		s.scored = make([]uint64, n)
	}
}

// A key packs a candidate into one word: ordered distance, ord, a bit that says whether the node was expanded.
// Keys ascend with the distance, equal distances with the ord; NaN comes last.
func key(d float32, ord uint32) uint64 {
	return uint64(ordered(d))<<32 | uint64(ord)<<1
}

const (
	negInf   = 0x007fffff // ^bits(-Inf): shifting by it sends NaN of either sign to the end
	worstKey = ^uint64(0)
)

func ordered(d float32) uint32 {
	b := math.Float32bits(d)
	return (b ^ (uint32(int32(b)>>31) | 1<<31)) - negInf
}

func keyDistance(k uint64) float32 {
	b := uint32(k>>32) + negInf
	return math.Float32frombits(b ^ (^uint32(int32(b)>>31) | 1<<31))
}

// anyDistance is the bound of who wants every distance.
var anyDistance = float32(math.Inf(1))

// boundOf is the distance that a key must be below to be of use.
func boundOf(k uint64) float32 {
	if k == worstKey {
		return anyDistance
	}
	return keyDistance(k)
}

func keyOrd(k uint64) uint32 { return uint32(k) >> 1 }

// insertKey puts k into the sorted pool, dropping the last of a full one, and returns its position and the new length.
// The caller has compared k with the last key of a full pool. cap(pool) > limit.
//
//go:noinline
func insertKey(pool []uint64, n, limit int, k uint64) (pos, length int) {
	lo := place(pool, n, k)
	if n < limit {
		n++
	}
	copy(pool[lo+1:n], pool[lo:n-1])
	pool[lo] = k
	return lo, n
}

// mostMerged is how many keys insertKeys takes at once.
const mostMerged = 16

// insertKeys is insertKey for several keys, all different: the keys that stay in the pool are the same. It moves what lies
// between two of them once, and looks for all their places at the same time, where one after the other waits.
func insertKeys(pool []uint64, n, limit int, keys []uint64) (pos, length int) {
	var sorted [mostMerged]uint64
	var places [mostMerged]int
	keys = keys[:min(len(keys), mostMerged)]
	for _, k := range keys {
		rank := 0
		for _, other := range keys {
			_, below := bits.Sub64(other, k, 0)
			rank += int(below)
		}
		sorted[rank&(mostMerged-1)] = k
	}
	for i, k := range sorted[:len(keys)] {
		places[i] = place(pool, n, k)
	}
	length = min(n+len(keys), limit)
	for i := len(keys) - 1; i >= 0; i-- {
		from := places[i]
		if to := from + i + 1; to < length {
			copy(pool[to:length], pool[from:n])
		}
		if from+i < length {
			pool[from+i] = sorted[i]
		}
		n = from
	}
	return n, length
}

// place returns how many of the first n keys of the sorted pool are below k.
func place(pool []uint64, n int, k uint64) int {
	lo := 0
	for span := n; span > 0; {
		half := (span + 1) >> 1
		_, below := bits.Sub64(pool[lo+half-1], k, 0) // no branch: it would be mispredicted half the time
		lo += half & -int(below)
		span -= half
	}
	return lo
}

// take copies sorted keys into the result slice.
func (s *Scratch) take(keys []uint64) []Candidate {
	s.found = s.found[:0]
	for _, k := range keys {
		s.found = append(s.found, Candidate{keyOrd(k), keyDistance(k)})
	}
	return s.found
}

// takePool gives the pool as the results of a search, which is over or paused.
func (s *Scratch) takePool(over bool) []Candidate {
	s.near = s.pool[:s.pooled]
	s.accepted = s.near
	s.left = worstKey
	if over {
		s.forget(s.logged)
	} else if s.at < s.pooled {
		s.left = s.near[s.at]
	}
	return s.take(s.near)
}

// start begins a walk of one level at a node.
func (s *Scratch) start(near uint64) {
	s.begin(keyOrd(near))
	s.pool = append(s.pool[:0], near)
	s.pooled, s.at, s.logged = 1, 0, 1
	s.Stats.Visited++
}

// begin marks the first node of a walk.
func (s *Scratch) begin(ord uint32) {
	switch {
	case s.busy && s.logged > 0:
		s.forget(s.logged)
	case s.busy:
		clear(s.seen)
	}
	s.busy = true
	s.log[0] = ord
	s.seen[ord>>6] |= 1 << (ord & 63)
}

// grow makes room for a log of more than n nodes, which later searches use again.
func (s *Scratch) grow(n int) {
	if n >= len(s.log) {
		s.log = append(s.log, make([]uint32, n)...)
	}
}

// gather appends the unseen neighbours of a row to the n of the log, marks them and returns the new length. No branch
// depends on what was seen.
func (s *Scratch) gather(row []uint32, n int, limit uint32) int {
	s.grow(n + len(row))
	seen := s.seen
	log := s.log[n:][:len(row)+1]
	c := 0
	for i := range row {
		v := atomic.LoadUint32(&row[i])&linkMask - 1
		if v >= limit {
			break
		}
		word := seen[v>>6]
		log[c] = v
		c += int(^(word >> (v & 63)) & 1)
		seen[v>>6] = word | 1<<(v&63)
	}
	return n + c
}

// sift returns the nodes of log[lo:hi] that are to be scored, with the bound to score them by. Valid until the next call.
func (s *Scratch) sift(sf Sifter, lo, hi int, worst uint64) (ids []uint32, bound float32) {
	ids, bound = s.log[lo:hi], boundOf(worst)
	if sf == nil || worst == worstKey || lo == hi {
		return ids, bound
	}
	n := sf.Sift(ids, s.kept, bound)
	s.Stats.Sifted += len(ids) - n
	return s.kept[:n], anyDistance
}

// score returns the keys of ids that are below worst. Valid until the next call.
func (s *Scratch) score(q Scorer, ids []uint32, bound float32, worst uint64) []uint64 {
	out, scored := s.out[:len(ids)], s.scored[:len(ids)]
	q.Distances(ids, out, bound)
	n := 0
	for i, d := range out {
		k := key(d, ids[i])
		scored[n] = k
		_, below := bits.Sub64(k, worst, 0) // no branch: most are not, but which ones nobody can tell
		n += int(below)
	}
	return scored[:n]
}

// forget clears the seen bits of the first n nodes of the log.
func (s *Scratch) forget(n int) {
	for _, v := range s.log[:n] {
		s.seen[v>>6] = 0
	}
	s.busy, s.logged = false, 0
}
