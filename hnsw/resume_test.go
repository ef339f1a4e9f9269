package hnsw

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// several is a Reader of many graphs that split the ords of a space: graph i holds those from first[i] on.
type several struct {
	Reader // the first one
	graphs []Reader
	first  []uint32
	pause  func(o *SearchOptions, share float64)
	paused *int // walks that did not go on
}

func (v several) Search(q Scorer, o SearchOptions, s *Scratch) []Candidate {
	total := 0
	for _, g := range v.graphs {
		total += g.Len()
	}
	var all Stats
	walks := make([]*Scratch, len(v.graphs))
	options := make([]SearchOptions, len(v.graphs))
	found := make([][]Candidate, len(v.graphs))
	add := func(i int) {
		all.Hops += walks[i].Stats.Hops
		all.Distances += walks[i].Stats.Distances
	}
	for i, g := range v.graphs {
		walks[i], options[i] = NewScratch(), o
		if o.Bits != nil {
			options[i].Bits = o.Bits[v.first[i]/64:]
		}
		v.pause(&options[i], float64(g.Len())/float64(total))
		found[i] = g.Search(moved{q, v.first[i]}, options[i], walks[i])
		add(i)
	}
	for i, g := range v.graphs {
		left, ok := walks[i].Left()
		if until := Cutoff(walks, o.Ef, o.Want); ok && left <= until {
			found[i] = g.Resume(moved{q, v.first[i]}, options[i], until, walks[i])
			add(i)
		} else if ok {
			*v.paused++
		}
	}
	var union []Candidate
	for i, cs := range found {
		for _, c := range cs {
			union = append(union, Candidate{c.Ord + v.first[i], c.Distance})
		}
	}
	slices.SortFunc(union, func(a, b Candidate) int {
		if a.Distance < b.Distance {
			return -1
		}
		return 1
	})
	s.Stats, s.Err = all, nil
	return union[:min(len(union), o.Ef)]
}

// moved is a scorer of the rows from first on.
type moved struct {
	Scorer
	first uint32
}

func (m moved) Distances(ords []uint32, out []float32, bound float32) {
	there := make([]uint32, len(ords))
	for i, ord := range ords {
		there[i] = ord + m.first
	}
	m.Scorer.Distances(there, out, bound)
}

func (r *rows) slice(from, to int) *rows { return &rows{r.dim, r.data[from*r.dim : to*r.dim]} }

// Graphs of parts of the rows, each walked for its share at first, find what one graph finds, with little more work; also
// where one of them holds all the neighbours.
func TestWalksOfSharesFindWhatOneGraphFinds(t *testing.T) {
	mixed, queries := clustered(14, 6460, 16, 6400, 1).split(60)
	byFirst := make([][]float32, mixed.len())
	for i := range byFirst {
		byFirst[i] = mixed.row(uint32(i))
	}
	slices.SortFunc(byFirst, func(a, b []float32) int {
		if a[0] < b[0] {
			return -1
		}
		return 1
	})
	sorted := &rows{dim: mixed.dim, data: slices.Concat(byFirst...)}
	share := func(o *SearchOptions, share float64) {
		part := func(n int) int {
			return int(math.Ceil(float64(n)*share + 2.5*math.Sqrt(float64(n)*share*(1-share))))
		}
		o.Pause, o.PauseWant = part(o.Ef), part(o.Want)
	}
	whole := func(*SearchOptions, float64) {}
	for name, base := range map[string]*rows{"mixed": mixed, "sorted": sorted} {
		one := build(t, base, Params{EfConstruction: 80, Seed: 5}, 1)
		for _, cuts := range [][]int{{3200}, {5760}, {1280, 2560, 3840, 5120}} {
			v := several{paused: new(int)}
			for at, i := 0, 0; i <= len(cuts); i++ {
				to := base.len()
				if i < len(cuts) {
					to = cuts[i]
				}
				v.graphs = append(v.graphs, build(t, base.slice(at, to), Params{EfConstruction: 80, Seed: 5}, 1))
				v.first = append(v.first, uint32(at))
				at = to
			}
			v.Reader = v.graphs[0]
			for _, o := range []SearchOptions{{Ef: 40}, {Ef: 40, Want: 30, Bits: some(1, base.len(), 0.2)}} {
				t.Run(fmt.Sprintf("%s %d %v", name, len(v.graphs), o.Bits != nil), func(t *testing.T) {
					var accept func(uint32) bool
					if o.Bits != nil {
						accept = func(ord uint32) bool { return o.Bits[ord>>6]>>(ord&63)&1 != 0 }
					}
					want := measure(t, one, base, queries, 10, o, accept)
					v.pause, *v.paused = whole, 0
					all := measure(t, v, base, queries, 10, o, accept)
					require.Zero(t, *v.paused)
					v.pause = share
					got := measure(t, v, base, queries, 10, o, accept)
					t.Logf("one %+v, each %+v, shares %+v, %d stayed paused", want, all, got, *v.paused)
					require.Zero(t, got.short)
					require.GreaterOrEqual(t, got.recall, want.recall-0.005)
					require.Less(t, got.distances, 0.95*all.distances)
					require.Positive(t, *v.paused)
				})
			}
		}
	}
}

func TestAPausedSearchGoesOnToTheSameEnd(t *testing.T) {
	base, queries := clustered(14, 8040, 16, 8000, 1).split(40)
	g := build(t, base, Params{EfConstruction: 80, Seed: 5}, 1)
	m, err := OpenMapped(encode(t, g, upTo(g.Len())))
	require.NoError(t, err)
	bits := some(2, base.len(), 0.2)
	accept := func(ord uint32) bool { return bits[ord>>6]>>(ord&63)&1 != 0 }
	for name, o := range map[string]SearchOptions{
		"plain": {Ef: 60}, "bits": {Ef: 60, Want: 40, Bits: bits}, "func": {Ef: 60, Want: 40, Accept: accept},
	} {
		for _, r := range []Reader{g, m} {
			t.Run(fmt.Sprintf("%s %T", name, r), func(t *testing.T) {
				part := o
				part.Pause, part.PauseWant = 15, 10
				s, fresh := NewScratch(), NewScratch()
				near := 0
				for i := range queries.len() {
					q := base.query(queries.row(uint32(i)))
					want := r.Search(q, o, fresh)
					r.Search(q, part, s)
					first := s.Stats
					require.Less(t, first.Hops, fresh.Stats.Hops)
					left, ok := s.Left()
					require.True(t, ok)
					got := r.Resume(q, part, float32(math.Inf(1)), s)
					_, ok = s.Left()
					require.False(t, ok)
					require.Len(t, got, len(want))
					if slices.Equal(got[:10], want[:10]) {
						near++
					}
					require.InEpsilon(t, fresh.Stats.Distances, first.Distances+s.Stats.Distances, 0.1)
					again := slices.Clone(got)
					require.Equal(t, again, r.Resume(q, part, float32(math.Inf(1)), s), "nothing is left to do")
					require.Zero(t, s.Stats.Hops)

					r.Search(q, part, s) // is given up
					require.Equal(t, want, r.Search(q, o, s), "nothing is left marked")
					r.Search(q, part, s)
					r.Resume(q, part, left, s)
					require.Less(t, first.Hops+s.Stats.Hops, fresh.Stats.Hops)
				}
				require.GreaterOrEqual(t, near, queries.len()-1)
			})
		}
	}
}

func TestCutoffIsTheDistanceOfTheUnion(t *testing.T) {
	walks := []*Scratch{
		{near: []uint64{key(1, 0), key(2, 1), key(3, 2)}, accepted: []uint64{key(2, 1)}},
		{near: []uint64{key(-1, 0), key(2.5, 1)}, accepted: []uint64{key(2.5, 1)}},
		{},
	}
	require.Equal(t, float32(-1), Cutoff(walks, 1, 0))
	require.Equal(t, float32(2), Cutoff(walks, 3, 0))
	require.Equal(t, float32(2.5), Cutoff(walks, 3, 2))
	require.Equal(t, float32(3), Cutoff(walks, 5, 1))
	require.Equal(t, float32(math.Inf(1)), Cutoff(walks, 6, 0))
	require.Equal(t, float32(math.Inf(1)), Cutoff(walks, 3, 3))
}
