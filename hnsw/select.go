package hnsw

import (
	"slices"
	"sync/atomic"
)

// selection is the scratch of neighbour selection.
type selection struct {
	keys []uint64 // candidates, sorted; low bit: the link is marked
	ids  []uint32
	dist []float32 // of ids to the node that gets the links
	mark []uint32  // linkMark or 0
	out  []float32
	kept []uint32 // link words chosen
}

// choose picks at most limit of the sorted keys as neighbours of one node and leaves their link words in kept.
// self is the distance of the node to itself.
//
// It is Algorithm 4 of Malkov & Yashunin without extension and without keeping pruned ones, turned around for batches: a chosen
// neighbour rejects, in one call, all later candidates that are nearer to it than to the node. Comparisons are the same ones.
// Marked candidates are never rejected. Twins of the node reject each other at equal distance.
func (c *selection) choose(pr Probe, keys []uint64, self float32, limit int, s *Scratch) {
	c.load(keys)
	ids, dist, mark := c.ids, c.dist, c.mark
	c.kept = c.kept[:0]
	reserved := 0
	for _, m := range mark {
		reserved += int(m >> 31)
	}
	for len(ids) > 0 && len(c.kept) < limit {
		ord, m := ids[0], mark[0]
		ids, dist, mark = ids[1:], dist[1:], mark[1:]
		if m == 0 && len(c.kept)+reserved >= limit {
			continue
		}
		reserved -= int(m >> 31)
		c.kept = append(c.kept, ord+1|m)
		if len(ids) == 0 || len(c.kept) == limit {
			break
		}
		pr.Aim(ord)
		out := c.out[:len(ids)]
		pr.Distances(ids, out)
		s.Stats.Distances += len(ids)
		n := 0
		for i, d := range out {
			near := dist[i]
			if mark[i] == 0 && (d < near || d == near && near <= self) {
				continue
			}
			ids[n], dist[n], mark[n] = ids[i], near, mark[i]
			n++
		}
		ids, dist, mark = ids[:n], dist[:n], mark[:n]
	}
}

// load splits keys into the working arrays.
func (c *selection) load(keys []uint64) {
	n := len(keys)
	if cap(c.ids) < n {
		c.ids, c.mark = make([]uint32, n), make([]uint32, n)
		c.dist, c.out = make([]float32, n), make([]float32, n)
	}
	c.ids, c.dist, c.mark, c.out = c.ids[:n], c.dist[:n], c.mark[:n], c.out[:n]
	for i, k := range keys {
		c.ids[i], c.dist[i], c.mark[i] = keyOrd(k), keyDistance(k), uint32(k)<<31
	}
}

// prune replaces a full row of node ord by what choose keeps of it and of the link word extra. The caller holds the lock.
func (g *Graph) pruneLocked(ord uint32, row []uint32, extra uint32, pr Probe, s *Scratch) {
	c := &s.sel
	n := len(row) + 2
	if cap(c.ids) < n {
		c.load(make([]uint64, n))
	}
	ids, out := c.ids[:n], c.out[:n]
	for i := range row {
		ids[i] = row[i]&linkMask - 1
	}
	ids[n-2], ids[n-1] = extra&linkMask-1, ord
	pr.Aim(ord)
	pr.Distances(ids, out)
	s.Stats.Distances += n
	c.keys = c.keys[:0]
	for i, w := range row {
		c.keys = append(c.keys, key(out[i], ids[i])|uint64(w>>31))
	}
	c.keys = append(c.keys, key(out[n-2], ids[n-2])|uint64(extra>>31))
	slices.Sort(c.keys)
	c.choose(pr, c.keys, out[n-1], len(row), s)
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
