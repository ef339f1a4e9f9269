package hnsw

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/internal/prefetch"
	"github.com/isobath/isobath/mmapvec/distance"
	"github.com/isobath/isobath/mmapvec/quant"
)

// codes is a space of rotated 8-bit codes, what the product walks on.
type codes struct {
	q    quant.Quantizer
	data []byte
}

type codeProbe struct {
	*codes
	quant.Query
}

func (c *codes) NewProbe() Probe { return &codeProbe{c, c.q.NewQuery()} }

func (p *codeProbe) Aim(ord uint32) {
	p.ResetCode(p.data[int(ord)*p.q.Stride():][:p.q.Stride()])
}

func (p *codeProbe) Distances(ids []uint32, out []float32, bound float32) {
	p.Query.Distances(p.data, ids, out, bound)
}

// skewed draws n unit rows whose coordinates lose weight, about as hard as word vectors.
func skewed(b *testing.B, n, dim int) (*codes, []float32) {
	b.Helper()
	rng := rand.New(rand.NewPCG(1, 1))
	q := quant.New(quant.Params{Dim: dim, Metric: distance.Dot, Seed: 1})
	mem, err := mmap.Alloc(n * q.Stride())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(mem.Free)
	mem.HugePages(n * q.Stride())
	c := &codes{q, mem.Bytes()}
	all := make([]float32, n*dim)
	for i := range n {
		row := all[i*dim:][:dim]
		for j := range row {
			row[j] = float32(rng.NormFloat64() * math.Pow(float64(j+1), -0.3))
		}
		distance.Normalize(row)
		q.Encode(c.data[i*q.Stride():][:q.Stride()], row)
	}
	return c, all
}

func (p *codeProbe) Prefetch(ids []uint32) { prefetch.Rows(p.data, p.q.Stride(), p.q.Stride()/64, ids) }

// tracer notes the ids of each call.
type tracer struct {
	Scorer
	ids  []uint32
	ends []int
}

func (t *tracer) Distances(ids []uint32, out []float32, bound float32) {
	t.ids = append(t.ids, ids...)
	t.ends = append(t.ends, len(t.ids))
	t.Scorer.Distances(ids, out, bound)
}

// BenchmarkReplay scores what searches score, in the same calls, without a graph: the limit that a search is measured by.
func BenchmarkReplay(b *testing.B) {
	const n, dim, ef, queries = 20000, 100, 160, 500
	c, all := skewed(b, n, dim)
	g, err := New(n, Params{EfConstruction: 100})
	if err != nil {
		b.Fatal(err)
	}
	defer g.Free()
	pr, s := c.NewProbe(), NewScratch()
	for i := range n {
		if err := g.Insert(uint32(i), pr, s); err != nil {
			b.Fatal(err)
		}
	}
	q := &codeProbe{c, c.q.NewQuery()}
	traces := make([]tracer, queries)
	for i := range traces {
		q.Reset(all[i*dim:][:dim])
		traces[i].Scorer = q
		g.Search(&traces[i], SearchOptions{Ef: ef}, s)
	}
	b.Run("search", func(b *testing.B) {
		for i := range b.N {
			q.Reset(all[i%queries*dim:][:dim])
			g.Search(q, SearchOptions{Ef: ef}, s)
		}
	})
	out := make([]float32, 2*MaxM)
	b.Run("replay", func(b *testing.B) {
		for i := range b.N {
			q.Reset(all[i%queries*dim:][:dim])
			t, lo := &traces[i%queries], 0
			for _, hi := range t.ends {
				q.Distances(t.ids[lo:hi], out[:hi-lo], anyDistance)
				lo = hi
			}
		}
	})
}

func BenchmarkInsert(b *testing.B) {
	const n, dim = 20000, 100
	c, _ := skewed(b, n, dim)
	pr, s := c.NewProbe(), NewScratch()
	distances, rounds := 0, 0
	b.ResetTimer()
	for done := 0; done < b.N; rounds++ {
		g, err := New(n, Params{EfConstruction: 200})
		if err != nil {
			b.Fatal(err)
		}
		for i := 0; i < n && done < b.N; i++ {
			if err := g.Insert(uint32(i), pr, s); err != nil {
				b.Fatal(err)
			}
			distances += s.Stats.Distances
			done++
		}
		g.Free()
	}
	b.ReportMetric(float64(distances)/float64(b.N), "distances/op")
}

func BenchmarkSearch(b *testing.B) {
	const n = 20000
	for name, o := range map[string]SearchOptions{
		"plain":    {Ef: 160},
		"filtered": {Ef: 160, Want: 50, Bits: some(1, n, 0.5)},
	} {
		b.Run(name, func(b *testing.B) { benchmarkSearch(b, n, o) })
	}
}

func benchmarkSearch(b *testing.B, n int, o SearchOptions) {
	const dim = 100
	c, all := skewed(b, n, dim)
	g, err := New(n, Params{EfConstruction: 100})
	if err != nil {
		b.Fatal(err)
	}
	defer g.Free()
	pr, s := c.NewProbe(), NewScratch()
	for i := range n {
		if err := g.Insert(uint32(i), pr, s); err != nil {
			b.Fatal(err)
		}
	}
	q := &codeProbe{c, c.q.NewQuery()}
	distances := 0
	b.ResetTimer()
	for i := range b.N {
		q.Reset(all[i%n*dim:][:dim])
		g.Search(q, o, s)
		distances += s.Stats.Distances
	}
	b.ReportMetric(float64(distances)/float64(b.N), "distances/op")
}
