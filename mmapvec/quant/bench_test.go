package quant

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/mmapvec/distance"
)

const (
	gatherBytes = 512 << 20
	gatherHop   = 24 // rows of one call, as in a hop of a graph walk
)

// gatherCodes fills 512 MB with the codes of a few thousand rows, again and again, and returns random ids for many hops.
// Memory is as in the product: of huge pages, where there are any.
func gatherCodes(b *testing.B, z Quantizer, rows [][]float32) (codes []byte, hops [][]uint32) {
	b.Helper()
	memory, err := mmap.Alloc(gatherBytes)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(memory.Free)
	memory.HugePages(gatherBytes)
	some := encodeAll(z, rows)
	codes = memory.Bytes()[:gatherBytes/z.Stride()*z.Stride()]
	for rest := codes; len(rest) > 0; {
		rest = rest[copy(rest, some):]
	}
	rng := rand.New(rand.NewPCG(4, 4))
	for range 1 << 16 {
		hop := make([]uint32, gatherHop)
		for i := range hop {
			hop[i] = uint32(rng.IntN(len(codes) / z.Stride()))
		}
		hops = append(hops, hop)
	}
	return codes, hops
}

// BenchmarkGather scores random rows that are in no cache: whole, and in two passes with a bound that some of the rows
// survive. All ways take turns, a few hops each, and the lower quartile of their times is reported, so that ratios hold
// on a busy machine.
func BenchmarkGather(b *testing.B) {
	for _, dim := range []int{100, 128, 256, 384, 768, 1536} {
		b.Run(fmt.Sprint("dim=", dim), func(b *testing.B) {
			const turn = 16 // hops
			ways := gatherWays(b, dim)
			for turns := 0; b.Loop(); turns++ {
				for n, w := range ways {
					first := turns*turn + n*len(w.hops)/len(ways) // rows that no other way has just read
					start := time.Now()
					for i := range turn {
						w.score(w.hops[(first+i)%len(w.hops)])
					}
					w.times = append(w.times, time.Since(start))
				}
			}
			b.ReportMetric(0, "ns/op")
			for _, w := range ways {
				slices.Sort(w.times)
				b.ReportMetric(float64(w.times[len(w.times)/4].Nanoseconds())/turn/gatherHop, w.name)
			}
		})
	}
}

type gatherWay struct {
	name  string
	hops  [][]uint32
	score func(ids []uint32)
	times []time.Duration
}

func gatherWays(b *testing.B, dim int) (ways []*gatherWay) {
	b.Helper()
	rng := rand.New(rand.NewPCG(uint64(dim), 1))
	rows := make([][]float32, 4000)
	for i := range rows {
		rows[i] = gaussian(rng, dim)
	}
	out := make([]float32, gatherHop)
	for _, bits := range []int{8, 4, 2, 1} {
		z := New(Params{Dim: dim, Metric: distance.L2, Seed: 7, Bits: bits})
		codes, hops := gatherCodes(b, z, rows)
		add := func(name string, q Query, bound float32) {
			ways = append(ways, &gatherWay{name: fmt.Sprintf("%dbit%s", bits, name), hops: hops, score: func(ids []uint32) {
				q.Distances(codes, ids, out, bound)
			}})
		}
		q := z.NewQuery()
		q.Reset(rows[0])
		add("", q, inf)
		if bits != 4 && bits != 2 {
			continue
		}
		z.(*planeCodes).twoPasses = true
		p := z.NewQuery().(*planeQuery)
		p.Reset(rows[0])
		least := make([]float32, len(rows))
		distance.FirstPlaneBounds(p.firsts, codes, z.Stride(), upTo(len(rows)), &p.bound, least)
		slices.Sort(least)
		for _, percent := range []int{10, 30, 100} {
			bound := 2 * least[len(least)-1]
			if percent < 100 {
				bound = least[len(least)*percent/100]
			}
			add(fmt.Sprintf("/%d%%", percent), p, bound)
		}
	}
	return ways
}

func BenchmarkCodes(b *testing.B) {
	for _, dim := range []int{100, 768, 1536} {
		for _, bits := range []int{8, 4, 2, 1} {
			z := New(Params{Dim: dim, Metric: distance.L2, Seed: 7, Bits: bits, Centre: make([]float32, dim)})
			row := gaussian(rand.New(rand.NewPCG(1, 1)), dim)
			code, q := encodeAll(z, [][]float32{row}), z.NewQuery()
			run := func(name string, f func()) {
				b.Run(fmt.Sprintf("%s/dim=%d/bits=%d", name, dim, bits), func(b *testing.B) {
					for b.Loop() {
						f()
					}
				})
			}
			run("Encode", func() { z.Encode(code, row) })
			run("Reset", func() { q.Reset(row) })
			run("ResetCode", func() { q.ResetCode(code) })
			run("Distance", func() { q.Distance(code) })
		}
	}
}
