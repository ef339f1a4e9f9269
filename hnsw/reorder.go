package hnsw

import "sync/atomic"

// Order returns the ords of all nodes breadth-first from the entry point, so that neighbours are written near each
// other. No insert may run meanwhile.
func (g *Graph) Order() []uint32 { return g.order(int(g.count.Load())) }

// Order returns the ords of all nodes breadth-first from the entry point.
func (m *Mapped) Order() []uint32 { return m.order(m.n) }

func (g *links) order(n int) []uint32 {
	order := make([]uint32, 0, n)
	seen := make([]uint64, (int(g.limit)+63)/64)
	visit := func(v uint32) {
		if seen[v>>6]>>(v&63)&1 == 0 {
			seen[v>>6] |= 1 << (v & 63)
			order = append(order, v)
		}
	}
	head := 0
	flood := func() {
		for ; head < len(order); head++ {
			row := g.row(order[head], 0)
			for i := range row {
				v := atomic.LoadUint32(&row[i])&linkMask - 1
				if v >= g.limit {
					break
				}
				visit(v)
			}
		}
	}
	if entry, _ := g.start(); entry < g.limit {
		visit(entry)
		flood()
	}
	for v := range g.limit { // nodes out of reach, if there are any
		if len(order) >= n {
			break
		}
		if atomic.LoadUint32(&g.at[v]) != 0 {
			visit(v)
			flood()
		}
	}
	return order
}
