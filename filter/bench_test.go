package filter

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/vfs"
)

// benchState has n slots with six fields, added in groups.
func benchState(b testing.TB, n, group int) *State {
	s := NewState()
	e := s.Edit()
	for _, d := range benchFields {
		e.AddField(d)
	}
	s = e.Commit()
	r := rand.New(rand.NewPCG(1, 1))
	for slot := 0; slot < n; {
		e := s.Edit()
		for range min(group, n-slot) {
			benchPut(r, e, uint32(slot), slot)
			slot++
		}
		s = e.Commit()
	}
	return s
}

var benchFields = []FieldDef{
	{Name: "tag", Kind: Keyword}, {Name: "key", Kind: Keyword}, {Name: "year", Kind: Integer},
	{Name: "price", Kind: Float}, {Name: "sold", Kind: Bool}, {Name: "rank", Kind: Integer},
}

func benchPut(r *rand.Rand, e *Editor, slot uint32, n int) {
	e.Add(slot)
	e.SetVector("", slot, true)
	e.Put("tag", slot, Values{Keywords: []string{fmt.Sprintf("tag-%d", r.IntN(50))}})
	e.Put("key", slot, Values{Keywords: []string{fmt.Sprintf("key-%09d", n)}})
	e.Put("year", slot, Values{Ints: []int64{1950 + r.Int64N(75)}})
	e.Put("price", slot, Values{Floats: []float64{r.Float64() * 1000}})
	e.Put("rank", slot, Values{Ints: []int64{r.Int64N(1000)}})
	e.Put("sold", slot, Values{Bools: []bool{r.IntN(2) == 0}})
}

func bigBlocks(b testing.TB) {
	old := blockTarget
	blockTarget = 4 << 10
	b.Cleanup(func() { blockTarget = old })
}

// BenchmarkCommitOne commits one new or changed point with six fields over deltas of several sizes.
func BenchmarkCommitOne(b *testing.B) {
	for _, n := range []int{0, 10_000, 100_000} {
		s := benchState(b, n, 1000)
		for _, mode := range []string{"new", "changed"} {
			b.Run(fmt.Sprintf("%s/delta=%d", mode, n), func(b *testing.B) {
				s, slot, r := s, n, rand.New(rand.NewPCG(1, 2))
				b.ReportAllocs()
				for b.Loop() {
					e := s.Edit()
					at := slot
					if mode == "changed" && n > 0 {
						at = r.IntN(n)
					}
					benchPut(r, e, uint32(at), slot)
					slot++
					s = e.Commit()
				}
				b.ReportMetric(float64(len(s.tables)), "tables")
			})
		}
	}
}

func BenchmarkCommitBulk(b *testing.B) {
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		s := benchState(b, 20_000, 2000)
		n += 20_000
		b.ReportMetric(float64(s.Memory())/20_000, "B/point")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/point")
}

func BenchmarkResolve(b *testing.B) {
	bigBlocks(b)
	const n = 200_000
	mem := benchState(b, n, 5000)
	file := 0
	dir := b.TempDir()
	sv := mem.BeginSave()
	saved, err := sv.Run(vfs.OS, dir, func() string { file++; return fmt.Sprint(file) })
	require.NoError(b, err)
	base, err := Load(vfs.OS, dir, saved)
	require.NoError(b, err)
	b.Logf("file bytes per point: %.1f", float64(base.tables[0].bytes())/n)
	over := base
	r := rand.New(rand.NewPCG(5, 5))
	for i := range 2000 {
		e := over.Edit()
		benchPut(r, e, uint32(r.IntN(n)), n+i)
		over = e.Commit()
	}
	lo, hi := 100.0, 900.0
	near := 101.0
	for name, e := range map[string]Expr{
		"match tag":   Match{Field: "tag", Value: StringValue("tag-7")},
		"match key":   Match{Field: "key", Value: StringValue("key-000012345")},
		"half range":  Range{Field: "rank", Gte: &[]float64{500}[0]},
		"wide range":  Range{Field: "price", Gte: &lo, Lt: &hi},
		"small range": Range{Field: "price", Gte: &lo, Lt: &near},
		"year range":  Range{Field: "year", Gte: &[]float64{1990}[0]},
		"prefix":      Prefix{Field: "key", Prefix: "key-0000"},
		"and not":     And{Exprs: []Expr{Match{Field: "sold", Value: BoolValue(true)}, Not{Expr: Match{Field: "tag", Value: StringValue("tag-7")}}}},
	} {
		for on, s := range map[string]*State{"memory": mem, "file": base, "file+2000 commits": over} {
			b.Run(name+"/"+on, func(b *testing.B) {
				for b.Loop() {
					if _, err := s.Resolve(e, nil); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
