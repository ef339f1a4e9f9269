package hnsw

import (
	"slices"
	"sync/atomic"
)

// selection is the scratch of neighbour selection.
type selection struct {
	keys []uint64 // candidates, sorted; low bit: the link is marked
	kept []uint32 // link words chosen

	// Candidates not decided on yet: the tails of the arrays below.
	ids  []uint32
	dist []float32 // of ids to the node that gets the links
	mark []uint32  // linkMark or 0

	allIDs  []uint32
	allDist []float32
	allMark []uint32
	out     []float32
}

// relax is how much nearer to a chosen neighbour than to the node a candidate must be to be rejected. More links stay,
// so that walks take fewer steps. Against 1 with full rows, at M 16 and EfConstruction 200, distances a query change by
// -5, -3 and +1.5 % at recall 0.90, 0.95 and 0.98 on 331 479 x 100, by -9, -7 and -6 % at 0.95, 0.98 and 0.99 on clustered
// 100 000 x 768, and distances a row built by +1.4 and -12 %. Rows are pruned to four fifths of their words (spare): with
// full ones every link back prunes, and building takes twice the distances.
const relax = 1.1

// spare is how many words of a row of that width stay free when it is pruned.
func spare(width int) int { return width / 5 }

// choose picks at most limit of the sorted keys as neighbours of one node and leaves their link words in kept.
// self is the distance of the node to itself.
//
// It is Algorithm 4 of Malkov & Yashunin without extension and without keeping pruned ones, turned around for
// batches: a chosen neighbour rejects, in one call, later candidates that are nearer to it than to the node.
// Candidates are taken in windows, so that the far ones, which are seldom needed, cost nothing. The outcome is that
// of the paper's loop but for marked candidates, which are never rejected, and twins of the node, which reject each
// other at equal distance.
func (c *selection) choose(pr Probe, keys []uint64, self float32, limit int, s *Scratch) {
	c.kept = c.kept[:0]
	reserved := 0
	for _, k := range keys {
		reserved += int(k & 1)
	}
	for window := 2*limit + 2; len(keys) > 0 && len(c.kept) < limit; window *= 2 {
		n := min(window, len(keys))
		c.load(keys[:n])
		keys = keys[n:]
		for i := 0; i < len(c.kept) && len(c.ids) > 0; i++ {
			c.reject(pr, c.kept[i]&linkMask-1, self, s)
		}
		for len(c.ids) > 0 && len(c.kept) < limit {
			ord, m := c.ids[0], c.mark[0]
			c.ids, c.dist, c.mark = c.ids[1:], c.dist[1:], c.mark[1:]
			if m == 0 && len(c.kept)+reserved >= limit {
				continue
			}
			reserved -= int(m >> 31)
			c.kept = append(c.kept, ord+1|m)
			if len(c.ids) > 0 && len(c.kept) < limit {
				c.reject(pr, ord, self, s)
			}
		}
	}
}

// reject drops the candidates that are nearer to the chosen node than to the one that gets the links.
func (c *selection) reject(pr Probe, chosen uint32, self float32, s *Scratch) {
	ids, dist, mark := c.ids, c.dist, c.mark
	out := c.out[:len(ids)]
	pr.Aim(chosen)
	pr.Distances(ids, out, anyDistance)
	s.Stats.Distances += len(ids)
	n := 0
	for i, d := range out {
		near := dist[i]
		if d > self {
			d += (d - self) * (relax - 1) // self stands for zero: not all metrics have one
		}
		if mark[i] == 0 && (d < near || d == near && near <= self) {
			continue
		}
		ids[n], dist[n], mark[n] = ids[i], near, mark[i]
		n++
	}
	c.ids, c.dist, c.mark = ids[:n], dist[:n], mark[:n]
}

// load splits keys into the working arrays.
func (c *selection) load(keys []uint64) {
	n := len(keys)
	c.fit(n)
	c.ids, c.dist, c.mark = c.allIDs[:n], c.allDist[:n], c.allMark[:n]
	for i, k := range keys {
		c.ids[i], c.dist[i], c.mark[i] = keyOrd(k), keyDistance(k), uint32(k)<<31
	}
}

func (c *selection) fit(n int) {
	if len(c.out) < n {
		c.allIDs, c.allMark = make([]uint32, n), make([]uint32, n)
		c.allDist, c.out = make([]float32, n), make([]float32, n)
	}
}

// pruneLocked replaces a full row of node ord by what choose keeps of it and of the link word extra. The caller holds
// the lock. The distances of the links are computed anew: kept beside them, they would save 99 of the 4 743 distances of an
// insertion, a hundredth of its time (BenchmarkInsert), for as much memory again as the links.
func (g *Graph) pruneLocked(ord uint32, row []uint32, extra uint32, pr Probe, s *Scratch) {
	c := &s.sel
	n := len(row) + 2
	c.fit(n)
	ids, out := c.allIDs[:n], c.out[:n]
	for i := range row {
		ids[i] = row[i]&linkMask - 1
	}
	ids[n-2], ids[n-1] = extra&linkMask-1, ord
	pr.Aim(ord)
	pr.Distances(ids, out, anyDistance)
	s.Stats.Distances += n
	c.keys = c.keys[:0]
	for i, w := range row {
		c.keys = append(c.keys, key(out[i], ids[i])|uint64(w>>31))
	}
	c.keys = append(c.keys, key(out[n-2], ids[n-2])|uint64(extra>>31))
	slices.Sort(c.keys)
	c.choose(pr, c.keys, out[n-1], len(row)-spare(len(row)), s)
	store(row, c.kept)
}

// store writes the words of a row that change, never a zero before a link.
func store(row, kept []uint32) {
	for i, w := range kept {
		if row[i] != w {
			atomic.StoreUint32(&row[i], w)
		}
	}
	for i := len(row) - 1; i >= len(kept); i-- {
		if row[i] != 0 {
			atomic.StoreUint32(&row[i], 0)
		}
	}
}
