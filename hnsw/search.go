package hnsw

import (
	"sync/atomic"
	"unsafe"

	"github.com/isobath/isobath/internal/prefetch"
)

// SearchOptions say how wide a search is and which nodes it may return.
type SearchOptions struct {
	// Ef is the width of the walk and the most nodes returned. At least 1.
	Ef int
	// Descent is the width of the walk on level 1, at most Ef; 0 and 1 go down greedily, as on the levels above. Where distances are
	// estimates that err much, one wrong turn there ends in a far cluster.
	Descent int
	// Accept filters results; nil accepts all. The walk passes through nodes that it refuses.
	Accept func(ord uint32) bool
	// Bits is the same as a dense bitset over ords (bit ord%64 of word ord/64), faster. It wins over Accept.
	Bits []uint64
	// Slots, with Bits, has Bits range over Slots[ord] instead of ord: a bitset that several graphs share. Ords beyond do
	// not match.
	Slots []uint32
	// Want is how many accepted nodes a filtered walk must find before it may stop: it goes on past Ef until the
	// Want-th accepted node is nearer than all that is left. 0 means Ef; a caller that needs k results passes a
	// little more than k.
	Want int
	// SufficeAfter is how many nodes a filtered walk visits before Suffice accepted ones are enough instead of Want: one whose
	// matches turn out to lie far off takes what it has. 0: never.
	Suffice, SufficeAfter int
	// TwoHop asks for a walk over matching nodes that looks through refused ones at their neighbours. Ef is the number
	// of matching nodes it keeps, Want has no meaning. It needs Bits over ords and is ignored without.
	TwoHop bool
	// MaxVisits ends a filtered search after so many nodes were visited (Stats.Exhausted); 0 is no bound.
	MaxVisits int
	// LeastShare ends a filtered walk (Stats.Exhausted) as soon as clearly less than this share of the nodes it has seen
	// match; 0: never. See the function LeastShare.
	LeastShare float64
	// Pause lets a search of one of several graphs end early: when the Pause nearest nodes seen are expanded and, of a
	// filtered walk, PauseWant accepted ones are nearer than all that is left. Reader.Resume goes on with it. 0: no
	// pause. A two-hop walk does not pause.
	Pause, PauseWant int
}

// Search implements Reader.
func (g *Graph) Search(q Scorer, o SearchOptions, s *Scratch) []Candidate { return g.search(q, o, s) }

func (g *links) search(q Scorer, o SearchOptions, s *Scratch) []Candidate {
	o.Ef = max(o.Ef, 1)
	s.Stats, s.Err = Stats{}, nil
	s.near, s.accepted, s.left = nil, nil, worstKey
	s.fit(g, o.Ef)
	entry, top := g.start()
	if entry >= g.limit {
		return nil
	}
	near := g.approach(q, entry, top, min(o.Descent, o.Ef), s)
	if o.TwoHop && o.Bits != nil && o.Slots == nil {
		return g.searchTwoHop(q, near, o, s)
	}
	if o.Bits != nil || o.Accept != nil {
		return g.searchFiltered(q, near, o, s)
	}
	s.start(near)
	pause := o.Ef
	if o.Pause > 0 {
		pause = min(pause, o.Pause)
	}
	g.expand(q, 0, reach{ef: o.Ef, nodes: pause}, s)
	return s.takePool(pause == o.Ef)
}

// approach finds the node of level 0 where a search begins. Hops count those of level 0 only.
func (g *links) approach(q Scorer, entry uint32, top, width int, s *Scratch) uint64 {
	if width <= 1 || top == 0 {
		return g.descend(q, entry, top, 0, s)
	}
	near := g.walk(q, g.descend(q, entry, top, 1, s), 1, width, s)[0] &^ 1
	s.Stats.Hops = 0
	return near
}

// descend walks greedily from the top level down to level bottom+1 and returns the key of the nearest node found.
func (g *links) descend(q Scorer, entry uint32, top, bottom int, s *Scratch) uint64 {
	sifter, _ := q.(Sifter)
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
			s.Stats.Distances += n
			s.Stats.Visited += n
			ids, bound := s.ids[:n], keyDistance(best)
			if sifter != nil {
				ids, bound = s.kept[:sifter.Sift(ids, s.kept, bound)], anyDistance
				s.Stats.Sifted += n - len(ids)
			}
			if len(ids) == 0 {
				break
			}
			q.Distances(ids, s.out[:len(ids)], bound)
			for i, v := range ids {
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
// seen all are. It returns their keys, sorted.
func (g *links) walk(q Scorer, start uint64, level, ef int, s *Scratch) []uint64 {
	s.start(start)
	g.expand(q, level, reach{ef: ef, nodes: ef}, s)
	s.forget(s.logged)
	return s.pool[:s.pooled]
}

// reach says how far a walk goes: to the nodes nearest ones seen and to the keys below until, within the ef nearest.
type reach struct {
	ef, nodes int
	until     uint64
}

// expand goes on with the walk that s holds. This loop is where a query spends its time.
//
// Three nodes are under way at a time, so that nothing waits for memory: one is chosen and its links are asked for, one
// has its links read and the codes behind them asked for, the neighbours of the third are scored, after they were sifted. A node is chosen
// before the distances of the two before it are known: at equal Ef that costs up to 8 % more distances, at equal recall
// less than 1 %.
func (g *links) expand(q Scorer, level int, r reach, s *Scratch) {
	ef := r.ef
	pool := s.pool[:ef+1]
	ahead, _ := q.(Prefetcher)
	sifter, _ := q.(Sifter)
	n, at, hops := s.pooled, s.at, 0 // nothing before pool[at] is left to expand
	worst := worstKey
	if n == ef {
		worst = pool[ef-1]
	}
	lo, hi := s.logged, s.logged // log[lo:hi] waits to be scored
	first := lo
	s.logged = 0
	for chosen := worstKey; ; {
		batch, bound := s.sift(sifter, lo, hi, worst)
		end := hi
		if chosen != worstKey {
			hops++
			end = s.gather(g.row(keyOrd(chosen), level), hi, g.limit)
			if ahead != nil {
				ahead.Prefetch(s.log[hi:end])
			}
		}
		chosen = worstKey
		for ; at < n; at++ {
			if k := pool[at]; k&1 == 0 {
				if at >= r.nodes && k >= r.until {
					break
				}
				chosen, pool[at] = k, k|1
				if level == 0 {
					g.touch(keyOrd(k))
				}
				break
			}
		}
		if chosen == worstKey && lo == end {
			break
		}
		if len(batch) > 0 {
			for keys := s.score(q, batch, bound, worst); len(keys) > 0; {
				some := keys[:min(len(keys), mostMerged)]
				var p int
				p, n = insertKeys(pool, n, ef, some)
				at = min(at, p)
				keys = keys[len(some):]
			}
			if n == ef {
				worst = pool[ef-1]
			}
		}
		lo, hi = hi, end
	}
	s.pooled, s.at, s.logged = n, at, hi
	s.Stats.Hops += hops
	s.Stats.Distances += hi - first
	s.Stats.Visited += hi - first
}

// touch loads the row of a node without using it.
func (g *links) touch(ord uint32) {
	if g.blocks != nil {
		g.blocks.announce(ord)
	}
	prefetch.Row(unsafe.Pointer(&g.level0[int(ord)*g.stride]), 2)
}
