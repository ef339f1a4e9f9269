package hnsw

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// rows is a space of float32 vectors under squared distance.
type rows struct {
	dim  int
	data []float32
}

func (r *rows) len() int               { return len(r.data) / r.dim }
func (r *rows) row(i uint32) []float32 { return r.data[int(i)*r.dim:][:r.dim] }
func (r *rows) NewProbe() Probe        { return &probe{rows: r} }
func (r *rows) query(q []float32) *probe {
	return &probe{rows: r, q: q}
}

// probe counts its distances.
type probe struct {
	rows  *rows
	q     []float32
	calls int
	count int
}

func (p *probe) Aim(ord uint32) { p.q = p.rows.row(ord) }

func (p *probe) Distances(ids []uint32, out []float32, _ float32) {
	p.calls++
	p.count += len(ids)
	q := p.q
	for i, id := range ids {
		out[i] = squared(q, p.rows.row(id))
	}
}

func squared(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	for len(a) >= 4 && len(b) >= 4 {
		d0, d1, d2, d3 := a[0]-b[0], a[1]-b[1], a[2]-b[2], a[3]-b[3]
		s0, s1, s2, s3 = s0+d0*d0, s1+d1*d1, s2+d2*d2, s3+d3*d3
		a, b = a[4:], b[4:]
	}
	for i := range a {
		d := a[i] - b[i]
		s0 += d * d
	}
	return s0 + s1 + s2 + s3
}

// clustered draws n rows around centres of unit spread, rows spread by `spread`.
func clustered(seed uint64, n, dim, centres int, spread float32) *rows {
	rng := rand.New(rand.NewPCG(seed, 1))
	c := make([]float32, centres*dim)
	for i := range c {
		c[i] = float32(rng.NormFloat64())
	}
	r := &rows{dim: dim, data: make([]float32, n*dim)}
	for i := range n {
		at := rng.IntN(centres)
		for j := range dim {
			r.data[i*dim+j] = c[at*dim+j] + spread*float32(rng.NormFloat64())
		}
	}
	return r
}

// split takes the last n rows away as queries.
func (r *rows) split(n int) (base, queries *rows) {
	cut := len(r.data) - n*r.dim
	return &rows{r.dim, r.data[:cut:cut]}, &rows{r.dim, r.data[cut:]}
}

// nearest returns the distances of the k nearest accepted rows.
func (r *rows) nearest(q []float32, k int, accept func(uint32) bool) []float32 {
	var all []float32
	for i := range r.len() {
		if accept == nil || accept(uint32(i)) {
			all = append(all, squared(q, r.row(uint32(i))))
		}
	}
	slices.Sort(all)
	return all[:min(k, len(all))]
}

func build(tb testing.TB, sp *rows, p Params, workers int) *Graph {
	tb.Helper()
	g, err := New(sp.len(), p)
	require.NoError(tb, err)
	tb.Cleanup(g.Free)
	insertFrom(tb, g, sp, 0, workers)
	return g
}

// insertFrom inserts ords from lo to the end of the space.
func insertFrom(tb testing.TB, g *Graph, sp *rows, lo, workers int) {
	tb.Helper()
	var next atomic.Int64
	next.Store(int64(lo))
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		wg.Go(func() {
			pr, s := sp.NewProbe(), NewScratch()
			for {
				i := next.Add(1) - 1
				if i >= int64(sp.len()) {
					return
				}
				if err := g.Insert(uint32(i), pr, s); err != nil {
					errs[w] = err
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(tb, err)
	}
}

type figures struct {
	recall, distances, hops float64
	short                   int // queries with fewer than k results
}

// measure searches all queries and judges by distance: a result at the distance of the k-th nearest or less is a hit.
func measure(tb testing.TB, r Reader, sp, queries *rows, k int, o SearchOptions, accept func(uint32) bool) figures {
	tb.Helper()
	var f figures
	s := NewScratch()
	hits, want := 0, 0
	for i := range queries.len() {
		q := queries.row(uint32(i))
		truth := sp.nearest(q, k, accept)
		got := r.Search(sp.query(q), o, s)
		require.NoError(tb, s.Err)
		require.LessOrEqual(tb, len(got), o.Ef)
		seen := map[uint32]bool{}
		for j, c := range got {
			require.False(tb, seen[c.Ord], "twice in one answer")
			seen[c.Ord] = true
			require.True(tb, accept == nil || accept(c.Ord))
			require.Equal(tb, squared(q, sp.row(c.Ord)), c.Distance)
			require.True(tb, j == 0 || got[j-1].Distance <= c.Distance)
		}
		got = got[:min(len(got), k)]
		if len(got) < len(truth) {
			f.short++
		}
		for _, c := range got {
			if c.Distance <= truth[len(truth)-1] {
				hits++
			}
		}
		want += len(truth)
		f.distances += float64(s.Stats.Distances)
		f.hops += float64(s.Stats.Hops)
	}
	n := float64(queries.len())
	f.recall, f.distances, f.hops = float64(hits)/float64(want), f.distances/n, f.hops/n
	return f
}
