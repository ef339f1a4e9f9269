package engine

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"path"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/engine/vectorindex"
)

// Every setting of a vector that may change does so in the segments, in the background, while searches go on.
func TestChangesOfASchemaReachTheSegments(t *testing.T) {
	ctx := context.Background()
	const dim, rows = 256, 1500
	db, err := newDisk().open()
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	schema := Schema{
		Vectors:        map[string]VectorParams{"": {Size: dim, Distance: Euclid, M: 8, EfConstruct: 40, FullScanBytes: 1}},
		IndexFromBytes: 1,
	}
	require.NoError(t, db.CreateCollection(ctx, "a", schema))
	c, err := db.Collection("a")
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(1, 1))
	var points []Point
	for id := range uint64(rows) {
		v := make([]float32, dim)
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
		points = append(points, Point{ID: NumID(id), Vectors: Vectors{"": v}})
	}
	_, err = c.Upsert(ctx, points, UpsertOptions{})
	require.NoError(t, err)
	search := func() (*SearchResult, error) {
		return c.Search(ctx, SearchRequest{Query: points[7].Vectors[""], K: 10, Ef: 50})
	}

	stop, asked := make(chan struct{}), make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				asked <- nil
				return
			default:
			}
			res, err := search()
			if err == nil && (len(res.Hits) != 10 || res.Hits[0].ID != NumID(7)) {
				err = context.Canceled // any: fewer hits, or not the nearest
			}
			if err != nil {
				asked <- err
				return
			}
		}
	})
	// heads calls fn with the begin of every segment file, see vectorindex/FORMAT.md.
	heads := func(fn func(head []byte)) {
		saved := c.vectors[""].index.Saved()
		require.NotEmpty(t, saved.Segments)
		for _, sg := range saved.Segments {
			f, err := db.fs.OpenRead(path.Join(c.dir, "v0", "segments", sg.File))
			require.NoError(t, err)
			b := make([]byte, 128)
			_, err = f.ReadAt(b, 0)
			require.NoError(t, err)
			require.NoError(t, f.Close())
			fn(b)
		}
	}
	word := func(at int, want uint32) {
		t.Helper()
		heads(func(head []byte) { require.Equal(t, want, binary.LittleEndian.Uint32(head[at:])) })
	}
	codes := func(want byte) {
		t.Helper()
		heads(func(head []byte) { require.Equal(t, want, head[69]) })
	}
	rest := func() {
		require.Eventually(t, func() bool { db.work(ctx); return c.Info().Status == Green }, time.Minute, time.Millisecond)
	}
	change := func(change func(s *Schema, p *VectorParams)) {
		p := schema.Vectors[""]
		change(&schema, &p)
		schema.Vectors = map[string]VectorParams{"": p}
		require.NoError(t, updateTo(ctx, db, "a", schema))
		rest()
	}
	rest()
	word(88, 8)
	word(92, 40)
	codes(4) // 4 bits
	change(func(_ *Schema, p *VectorParams) { p.M = 12 })
	word(88, 12)
	change(func(_ *Schema, p *VectorParams) { p.EfConstruct = 60 })
	word(92, 60)
	change(func(_ *Schema, p *VectorParams) {
		p.Codes = vectorindex.CodeConfig{Kind: vectorindex.CodesTurbo, Bits: 1}
	})
	codes(6) // 1 bit
	memory := c.vectors[""].index.Memory()
	require.Positive(t, memory.Codes)
	require.Positive(t, memory.Links)

	change(func(_ *Schema, p *VectorParams) { p.CodesPlacement, p.LinksPlacement = PlaceMapped, PlaceMapped })
	memory = c.vectors[""].index.Memory()
	require.Zero(t, memory.Codes)
	require.Zero(t, memory.Links)

	close(stop)
	wg.Wait()
	require.NoError(t, <-asked)
}

// A threshold that is lowered has a graph built of rows that had none.
func TestALoweredThresholdBuildsAGraph(t *testing.T) {
	ctx := context.Background()
	db, err := Open(t.TempDir(), Options{Workers: -1})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	schema := Schema{Vectors: map[string]VectorParams{"": {Size: testDim, Distance: Euclid, FullScanBytes: 1}}, IndexFromBytes: -1}
	require.NoError(t, db.CreateCollection(ctx, "a", schema))
	c, err := db.Collection("a")
	require.NoError(t, err)
	var points []Point
	for id := range uint64(1500) {
		points = append(points, Point{ID: NumID(id), Vectors: Vectors{"": testVector(id, 0)}})
	}
	_, err = c.Upsert(ctx, points, UpsertOptions{})
	require.NoError(t, err)
	for _, x := range []struct {
		from int64
		plan Plan
	}{{-1, vectorindex.PlanCodes}, {1, vectorindex.PlanWalk}} {
		schema.IndexFromBytes = x.from
		require.NoError(t, updateTo(ctx, db, "a", schema))
		db.work(ctx)
		res, err := c.Search(ctx, SearchRequest{Query: testVector(3, 0), K: 10})
		require.NoError(t, err)
		require.Len(t, res.Hits, 10)
		require.Equal(t, x.plan, res.Stats.Plan)
	}
}
