package engine

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Points of every datatype are stored, read and found as they were rounded, before and after a restart.
func TestDatatypes(t *testing.T) {
	for _, datatype := range []Datatype{Float16, Uint8} {
		for _, d := range []Distance{Cosine, Dot, Euclid, Manhattan} {
			if datatype == Uint8 && d == Cosine {
				continue
			}
			t.Run(fmt.Sprint(datatype, d), func(t *testing.T) {
				testDatatype(t, VectorParams{Size: 40, Distance: d, Datatype: datatype, FullScanBytes: 1})
			})
		}
	}
}

func testDatatype(t *testing.T, p VectorParams) {
	ctx, rng := context.Background(), rand.New(rand.NewPCG(1, uint64(p.Distance)))
	random := func() []float32 {
		v := make([]float32, p.Size)
		for i := range v {
			v[i] = 280*rng.Float32() - 10
		}
		return v
	}
	disk := newDisk()
	db, err := disk.open()
	require.NoError(t, err)
	require.NoError(t, db.CreateCollection(ctx, "c", Schema{Vectors: map[string]VectorParams{"": p}, IndexFromBytes: 1}))
	c, err := db.Collection("c")
	require.NoError(t, err)
	const n = 600
	byID := map[PointID]int{}
	points, stored := make([]Point, n), make([][]float32, n)
	for i := range points {
		v := random()
		stored[i] = p.stored(slices.Clone(v))
		byID[NumID(uint64(i))] = i
		points[i] = Point{ID: NumID(uint64(i)), Vectors: Vectors{"": v}}
	}
	_, err = c.Upsert(ctx, points, UpsertOptions{})
	require.NoError(t, err)
	check := func() {
		t.Helper()
		for range 5 {
			raw := random()
			query := p.stored(slices.Clone(raw))
			order := make([]int, n)
			for i := range order {
				order[i] = i
			}
			distanceTo := func(i int) float32 { return p.Distance.Metric().Distance(query, stored[i]) }
			slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(distanceTo(a), distanceTo(b)) })
			for _, r := range []SearchRequest{{Exact: true}, {}, {Rows: true}} {
				r.Query, r.K, r.Ef, r.Fetch = slices.Clone(raw), 10, n, Fetch{Vectors: true}
				res, err := c.Search(ctx, r)
				require.NoError(t, err)
				require.Len(t, res.Hits, 10)
				found := 0
				for i, h := range res.Hits {
					require.Equal(t, stored[byID[h.ID]], h.Vectors[""])
					require.InEpsilon(t, distanceTo(byID[h.ID]), h.Distance, 1e-5)
					if r.Exact {
						require.Equal(t, order[i], byID[h.ID])
					}
					if slices.Contains(order[:10], byID[h.ID]) {
						found++
					}
				}
				require.GreaterOrEqual(t, found, 9, "%+v", r)
			}
		}
	}
	check()
	db.work(ctx)
	require.Positive(t, c.Info().Vectors[""].Indexed)
	check()
	before := c.Info().Operation
	require.NoError(t, db.Close())
	db, err = disk.open()
	require.NoError(t, err)
	c, err = db.Collection("c")
	require.NoError(t, err)
	require.Equal(t, p, c.Info().Schema.Vectors[""])
	require.Equal(t, before, c.Info().Operation)
	check()
	require.NoError(t, db.Close())
}

func TestFloat16RefusesWhatItCannotHold(t *testing.T) {
	s := Schema{Vectors: map[string]VectorParams{"": {Size: 2, Distance: Euclid, Datatype: Float16}}}
	require.NoError(t, s.checkVector("", []float32{65519, -65519}))
	var input *InputError
	require.ErrorAs(t, s.checkVector("", []float32{1, 65520}), &input)
	require.ErrorAs(t, s.checkVector("", []float32{-1e6, 0}), &input)
	s.Vectors[""] = VectorParams{Size: 2, Distance: Cosine, Datatype: Float16}
	require.NoError(t, s.checkVector("", []float32{1, 1e9}))
}
