//go:build speed

package hnsw

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/mmapvec/distance"
	"github.com/isobath/isobath/mmapvec/quant"
)

type codes struct {
	q      quant.Quantizer
	stride int
	data   []byte
}

func (c *codes) NewProbe() Probe { return &codeProbe{c, c.q.NewQuery()} }

type codeProbe struct {
	c *codes
	quant.Query
}

func (p *codeProbe) Aim(o uint32) {
	p.ResetCode(p.c.data[int(o)*p.c.stride:][:p.c.stride])
}
func (p *codeProbe) Distances(ids []uint32, out []float32) { p.Query.Distances(p.c.data, ids, out) }

func env(n string, d float64) float64 {
	if v, err := strconv.ParseFloat(os.Getenv(n), 64); err == nil {
		return v
	}
	return d
}

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(1, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestSpeed(t *testing.T) {
	runtime.LockOSThread()

	n, dim, nq := int(env("N", 100000)), int(env("DIM", 100)), 1000
	pow := env("POW", 0.3)
	rng := rand.New(rand.NewPCG(1, 1))
	all := make([]float32, (n+nq)*dim)
	for i := range n + nq {
		r := all[i*dim:][:dim]
		for j := range r {
			r[j] = float32(rng.NormFloat64() * math.Pow(float64(j+1), -pow))
		}
		distance.Normalize(r)
	}
	q := quant.NewRotated8(quant.Params{Dim: dim, Metric: distance.Dot, Seed: 1})
	st := q.Stride()
	mem, _ := mmap.Alloc(n * st)
	mem.HugePages(n * st)
	c := &codes{q, st, mem.Bytes()}
	for i := range n {
		q.Encode(c.data[i*st:][:st], all[i*dim:][:dim])
	}
	// truth
	const k = 10
	truth := make([][]uint32, nq)
	for i := range nq {
		qv := all[(n+i)*dim:][:dim]
		var top []uint64
		top = make([]uint64, k+1)
		m := 0
		for j := range n {
			kk := key(distance.Dot.Distance(qv, all[j*dim:][:dim]), uint32(j))
			if m == k && kk >= top[k-1] {
				continue
			}
			_, m = insertKey(top, m, k, kk)
		}
		for _, kk := range top[:k] {
			truth[i] = append(truth[i], keyOrd(kk))
		}
	}
	g, _ := New(n, Params{M: 16, EfConstruction: int(env("EFC", 200)), Seed: 1})
	prof := os.Getenv("PROF")
	if prof != "" {
		f, _ := os.Create(prof + ".build")
		pprof.StartCPUProfile(f)
	}
	start := cpu()
	p, s := c.NewProbe(), NewScratch()
	ev, sel := 0, 0
	for i := range n {
		if err := g.Insert(uint32(i), p, s); err != nil {
			t.Fatal(err)
		}
		ev += s.Stats.Distances
		sel += s.Stats.Visited
	}
	took := (cpu() - start).Seconds()
	pprof.StopCPUProfile()
	deg := 0
	for o := range n {
		u, _ := used(g.row(uint32(o), 0))
		deg += u
	}
	fmt.Printf("build %.0f rows/s, %.0f evals/insert of which walk %.0f, %.1f ns/eval, degree %.1f\n", float64(n)/took, float64(ev)/float64(n), float64(sel)/float64(n), took*1e9/float64(ev), float64(deg)/float64(n))
	order := g.Order()
	mem2, _ := mmap.Alloc(n * st)
	mem2.HugePages(n * st)
	c2 := &codes{q, st, mem2.Bytes()}
	inv := make([]uint32, n)
	for i, o := range order {
		copy(c2.data[i*st:][:st], c.data[int(o)*st:][:st])
		inv[o] = uint32(i)
	}
	enc := encode(t, g, order)
	mem3, _ := mmap.Alloc(len(enc))
	mem3.HugePages(len(enc))
	copy(mem3.Bytes(), enc)
	mp, err := OpenMapped(mem3.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if prof != "" {
		f, _ := os.Create(prof)
		pprof.StartCPUProfile(f)
		defer pprof.StopCPUProfile()
	}
	for _, ef := range []int{20, 40, 80, 160, 240, 480} {
		qs := &codeProbe{c2, q.NewQuery()}
		best := time.Duration(1 << 62)
		var hits, ds, hops int
		for range 3 {
			hits, ds, hops = 0, 0, 0
			t0 := cpu()
			for i := range nq {
				qv := all[(n+i)*dim:][:dim]
				qs.Reset(qv)
				got := mp.Search(qs, SearchOptions{Ef: ef}, s)
				ds += s.Stats.Distances
				hops += s.Stats.Hops
				// rescore
				r := min(len(got), 30)
				for j := range got[:r] {
					got[j].Distance = distance.Dot.Distance(qv, all[int(order[got[j].Ord])*dim:][:dim])
				}
				slices.SortFunc(got[:r], func(a, b Candidate) int {
					if a.Distance < b.Distance {
						return -1
					}
					return 1
				})
				for _, x := range got[:k] {
					if slices.Contains(truth[i], order[x.Ord]) {
						hits++
					}
				}
			}
			best = min(best, cpu()-t0)
		}
		fmt.Printf("ef %d recall %.4f  %.0f q/s  evals %d hops %d  %.1f ns/eval\n", ef, float64(hits)/float64(nq*k), float64(nq)/best.Seconds(), ds/nq, hops/nq, float64(best.Nanoseconds())/float64(ds))
	}
}
