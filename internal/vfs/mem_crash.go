package vfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// Crash returns a disk as it may be found after a power cut now: what was synced, and of the rest
// every sector of a write, every change of size and every change of names with a chance of percent
// in a hundred, each on its own. The same seed gives the same disk. m itself does not change.
func (m *Mem) Crash(seed int64, percent int) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	rng := rand.New(rand.NewPCG(uint64(seed), 0x15_0ba7))
	keep := func() bool { return rng.IntN(100) < percent }

	// Names first: the durable ones, then whichever pending operations survive.
	names := map[*memNode]map[string]*memNode{}
	entriesOf := func(dir *memNode) map[string]*memNode {
		if names[dir] == nil {
			names[dir] = maps.Clone(dir.durable)
		}
		return names[dir]
	}
	for _, op := range m.names {
		if keep() {
			for _, e := range op.edits {
				e.apply(entriesOf(e.dir))
			}
		}
	}

	copies := map[*memNode]*memNode{}
	var clone func(n *memNode) *memNode
	clone = func(n *memNode) *memNode {
		if c := copies[n]; c != nil {
			return c
		}
		if !n.dir {
			c := &memNode{file: n.file.crash(keep)}
			copies[n] = c
			return c
		}
		c := newDirNode()
		copies[n] = c
		entries := entriesOf(n)
		for _, name := range slices.Sorted(maps.Keys(entries)) {
			c.entries[name] = clone(entries[name])
		}
		c.durable = maps.Clone(c.entries)
		return c
	}
	return &Mem{root: clone(m.root)}
}

// crash returns the content that may be found after a power cut, as synced content.
func (d *memData) crash(keep func() bool) memData {
	if d.whole {
		return memData{bytes: copyUsed(d.bytes, d.used), used: d.used, whole: true}
	}
	image := copyUsed(d.synced, d.used)
	for _, op := range d.pending {
		image = op.redo(image, keep)
	}
	return memData{bytes: image, used: d.used, whole: true}
}
