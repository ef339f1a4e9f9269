package distance

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// The benchmarks gather random rows of 128 MB, as a graph walk does: 24 ids a call, different ones every time.
const (
	benchBytes = 128 << 20
	benchHop   = 24
)

var benchBase []byte

func benchRows(stride int) (base []byte, hops [][]uint32) {
	if benchBase == nil {
		benchBase = make([]byte, benchBytes)
		for i := range benchBase {
			benchBase[i] = byte(i * 7 >> 3) // written, so that every page is its own
		}
	}
	rng := rand.New(rand.NewPCG(4, 4))
	for range 1 << 14 {
		hops = append(hops, randomIDs(rng, benchHop, benchBytes/stride))
	}
	return benchBase, hops
}

func benchmarkGather(b *testing.B, stride int, score func(base []byte, ids []uint32)) {
	for _, level := range Levels() {
		b.Run(level, func(b *testing.B) {
			force(b, level)
			base, hops := benchRows(stride)
			i := 0
			for b.Loop() {
				score(base, hops[i%len(hops)])
				i++
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchHop, "ns/row")
		})
	}
}

func BenchmarkCodeDistances(b *testing.B) {
	for _, stride := range []int{128, 832} {
		b.Run(fmt.Sprint("stride=", stride), func(b *testing.B) {
			q, out := make([]int8, stride), make([]float32, benchHop)
			benchmarkGather(b, stride, func(base []byte, ids []uint32) {
				CodeDistances(q, base, stride, ids, &CodeFactors{Mul: 1}, out)
			})
		})
	}
}

func BenchmarkDotU8S8Rows(b *testing.B) {
	q, out := make([]int8, 128), make([]int32, benchHop)
	benchmarkGather(b, 128, func(base []byte, ids []uint32) { DotU8S8Rows(q, base, 128, ids, out) })
}

func BenchmarkCodeDistancesL1(b *testing.B) {
	q, out := make([]float32, 112), make([]float32, benchHop)
	benchmarkGather(b, 128, func(base []byte, ids []uint32) { CodeDistancesL1(q, 100, base, 128, ids, out) })
}

func BenchmarkRowsF32(b *testing.B) {
	for _, dim := range []int{100, 768} {
		b.Run(fmt.Sprint("dim=", dim), func(b *testing.B) {
			q, out := make([]float32, dim), make([]float32, benchHop)
			benchmarkGather(b, (dim*4+63)/64*64, func(base []byte, ids []uint32) {
				RowsF32(L2, q, base, (dim*4+63)/64*64, ids, out)
			})
		})
	}
}

func BenchmarkRowsF16(b *testing.B) {
	q, out := make([]float32, 768), make([]float32, benchHop)
	benchmarkGather(b, 768*2, func(base []byte, ids []uint32) { RowsF16(L2, q, base, 768*2, ids, out) })
}

func BenchmarkRowsU8(b *testing.B) {
	q, out := make([]uint8, 768), make([]float32, benchHop)
	for _, m := range metrics {
		b.Run(m.String(), func(b *testing.B) {
			benchmarkGather(b, 768, func(base []byte, ids []uint32) { RowsU8(m, q, base, 768, ids, out) })
		})
	}
}

// BenchmarkTypedPair scores vectors of each element type in the first cache level.
func BenchmarkTypedPair(b *testing.B) {
	const dim = 768
	x, y := floatsAt(dim, 0, rand.Float32), floatsAt(dim, 0, rand.Float32)
	halves, bytes := make([]uint16, dim), make([]uint8, dim)
	ToF16(halves, x)
	for _, level := range Levels() {
		run := func(name string, score func()) {
			b.Run(name+"/"+level, func(b *testing.B) {
				force(b, level)
				for b.Loop() {
					score()
				}
			})
		}
		for _, m := range metrics {
			run("float32/"+m.String(), func() { m.Distance(x, y) })
			run("float16/"+m.String(), func() { m.DistanceF16(x, halves) })
			run("uint8/"+m.String(), func() { m.DistanceU8(bytes, bytes) })
		}
		run("FromF16", func() { FromF16(y, halves) })
		run("ToF16", func() { ToF16(halves, x) })
		run("FromU8", func() { FromU8(y, bytes) })
	}
}

func BenchmarkPair(b *testing.B) {
	for _, dim := range []int{100, 768} {
		for _, level := range Levels() {
			b.Run(fmt.Sprintf("dim=%d/%s", dim, level), func(b *testing.B) {
				force(b, level)
				x, y := floatsAt(dim, 0, rand.Float32), floatsAt(dim, 0, rand.Float32)
				for b.Loop() {
					_ = L2F32(x, y)
				}
			})
		}
	}
}

// BenchmarkPlanes scores rows of planes that are in the first cache levels: what the arithmetic takes.
func BenchmarkPlanes(b *testing.B) {
	const rows = 256
	ids, out := make([]uint32, rows), make([]float32, rows)
	for i := range ids {
		ids[i] = uint32(i)
	}
	for _, dim := range []int{128, 768} {
		for _, level := range Levels() {
			run := func(name string, score func()) {
				b.Run(fmt.Sprintf("dim=%d/%s/%s", dim, name, level), func(b *testing.B) {
					force(b, level)
					for b.Loop() {
						score()
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
				})
			}
			base, f := make([]byte, rows*(dim+64)), &PlaneFactors{}
			first := NewFirstQuery(make([]byte, queryPlanes*FirstPlaneBytes(dim/8)), dim/8)
			run("groupFirst", first.Update)
			run("first", func() { FirstPlaneBounds(first, base, FirstPlaneBytes(dim/8), ids, f, out) })
			q := NewPlaneQuery(make([]int8, dim))
			run("group", q.Update)
			for _, bits := range []int{1, 2, 4} {
				stride := (PlaneRowBytes(bits, dim/8) + 63) &^ 63
				run(fmt.Sprintf("bits=%d", bits), func() { PlaneDistances(bits, q, base, stride, ids, f, out) })
			}
			long := make([]int8, dim+64)
			run("bits=8", func() { CodeDistances(long, base, dim+64, ids, &CodeFactors{}, out) })
		}
	}
}
