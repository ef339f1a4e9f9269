package engine

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/isobath/isobath/engine/vectorindex"
	"github.com/isobath/isobath/internal/binfmt"
	"github.com/stretchr/testify/require"
)

// randomParams makes parameters that validate accepts.
func randomParams(rng *rand.Rand) VectorParams {
	yes := func() bool { return rng.IntN(2) == 0 }
	p := VectorParams{
		Size: 1 + rng.IntN(maxVectorSize), Distance: Distance(1 + rng.IntN(4)), Flat: yes(), NoGraph: yes(), OnDisk: yes(),
		M: rng.IntN(maxM + 1), EfConstruct: rng.IntN(maxEf + 1), FullScanBytes: rng.Int64N(1<<41) - 1<<40,
		CodesPlacement: Placement(rng.IntN(3)), LinksPlacement: Placement(rng.IntN(3)),
	}
	if p.Datatype = Datatype(rng.IntN(3)); p.Datatype == Uint8 && p.Distance == Cosine {
		p.Datatype = Float16
	}
	switch rng.IntN(3) {
	case 0:
		p.Codes = CodeConfig{Kind: CodesScalar, Quantile: 0.5 + rng.Float32()/2}
	case 1:
		if p.Distance != Manhattan {
			p.Codes = CodeConfig{Kind: CodesTurbo, Bits: 1 << rng.IntN(3)}
		}
	}
	return p
}

func TestSchemaSurvivesItsCodec(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		s := Schema{Vectors: map[string]VectorParams{}, IndexFromBytes: rng.Int64() - math.MaxInt64/2, NoBackground: rng.IntN(2) == 0, Config: []byte("config")}
		for i := range rng.IntN(5) {
			s.Vectors[fmt.Sprint("v", i)] = randomParams(rng)
		}
		require.NoError(t, s.validate())
		var w, again binfmt.Writer
		encodeSchema(&w, s)
		r := binfmt.NewReader(w.Buf)
		got := decodeSchema(r)
		require.NoError(t, r.Err())
		require.Zero(t, r.Remaining())
		require.Equal(t, s, got)
		require.True(t, s.equal(got))
		encodeSchema(&again, got)
		require.Equal(t, w.Buf, again.Buf)
		for n := range w.Buf { // cut short anywhere
			r := binfmt.NewReader(w.Buf[:n])
			decodeSchema(r)
			require.Error(t, r.Err(), "%d of %d bytes", n, len(w.Buf))
		}
	}
}

// The numbers of kinds and placements are on disk.
func TestNumbersOfCodesAndPlacements(t *testing.T) {
	require.Equal(t, []vectorindex.CodeKind{0, 1, 2}, []vectorindex.CodeKind{CodesAuto, CodesScalar, CodesTurbo})
	require.Equal(t, []Placement{0, 1, 2}, []Placement{PlaceAuto, PlaceMemory, PlaceMapped})
}

func TestParametersOfAnotherFormAreRefused(t *testing.T) {
	var w binfmt.Writer
	encodeVectorParams(&w, VectorParams{Size: 4, Distance: Dot})
	w.Buf[0] += 2
	r := binfmt.NewReader(w.Buf)
	decodeVectorParams(r)
	require.ErrorContains(t, r.Err(), "form 3 are not known to this version")
}

func TestDatatypesHaveAFormOfTheirOwn(t *testing.T) {
	var plain, narrow binfmt.Writer
	p := VectorParams{Size: 4, Distance: Dot}
	encodeVectorParams(&plain, p)
	require.EqualValues(t, 1, plain.Buf[0])
	p.Datatype = Uint8
	encodeVectorParams(&narrow, p)
	require.EqualValues(t, 2, narrow.Buf[0])
	require.Equal(t, plain.Buf[1:], narrow.Buf[1:len(narrow.Buf)-1])
	require.Equal(t, p, decodeVectorParams(binfmt.NewReader(narrow.Buf)))
	for _, datatype := range []byte{0, 3} {
		narrow.Buf[len(narrow.Buf)-1] = datatype
		r := binfmt.NewReader(narrow.Buf)
		decodeVectorParams(r)
		require.Error(t, r.Err())
	}
	require.Equal(t, []Datatype{0, 1, 2}, []Datatype{Float32, Float16, Uint8}) // on disk
}

func TestImpossibleParameters(t *testing.T) {
	good := VectorParams{Size: 4, Distance: Dot}
	for name, change := range map[string]func(p *VectorParams){
		"unknown datatype":         func(p *VectorParams) { p.Datatype = 3 },
		"uint8 under Cosine":       func(p *VectorParams) { p.Datatype, p.Distance = Uint8, Cosine },
		"no size":                  func(p *VectorParams) { p.Size = 0 },
		"unknown kind":             func(p *VectorParams) { p.Codes.Kind = 3 },
		"turbo without bits":       func(p *VectorParams) { p.Codes.Kind = CodesTurbo },
		"turbo of 3 bits":          func(p *VectorParams) { p.Codes = CodeConfig{Kind: CodesTurbo, Bits: 3} },
		"turbo with quantile":      func(p *VectorParams) { p.Codes = CodeConfig{Kind: CodesTurbo, Bits: 4, Quantile: 0.9} },
		"turbo under Manhattan":    func(p *VectorParams) { p.Distance, p.Codes = Manhattan, CodeConfig{Kind: CodesTurbo, Bits: 4} },
		"scalar with bits":         func(p *VectorParams) { p.Codes = CodeConfig{Kind: CodesScalar, Bits: 8} },
		"quantile too small":       func(p *VectorParams) { p.Codes = CodeConfig{Kind: CodesScalar, Quantile: 0.4} },
		"quantile no number":       func(p *VectorParams) { p.Codes = CodeConfig{Kind: CodesScalar, Quantile: float32(math.NaN())} },
		"automatic with bits":      func(p *VectorParams) { p.Codes.Bits = 4 },
		"unknown place of codes":   func(p *VectorParams) { p.CodesPlacement = 3 },
		"unknown place of links":   func(p *VectorParams) { p.LinksPlacement = 3 },
		"negative number of links": func(p *VectorParams) { p.M = -1 },
	} {
		p := good
		require.NoError(t, p.validate())
		change(&p)
		var input *InputError
		require.ErrorAs(t, p.validate(), &input, name)
	}
}

func TestUpdateOfASchema(t *testing.T) {
	ctx := context.Background()
	d := newDisk()
	db, err := d.open()
	require.NoError(t, err)
	c := testCollection(t, db, "c")
	_, err = c.Upsert(ctx, []Point{{NumID(1), Vectors{"": testVector(1, 0)}, nil}}, UpsertOptions{})
	require.NoError(t, err)
	db.work(ctx)
	require.Equal(t, Green, c.Info().Status)

	var missing *NotFoundError
	require.ErrorAs(t, updateTo(ctx, db, "x", testSchema()), &missing)
	refused := func(change func(p *VectorParams)) {
		t.Helper()
		to := testSchema()
		p := to.Vectors[""]
		change(&p)
		to.Vectors[""] = p
		var input *InputError
		require.ErrorAs(t, updateTo(ctx, db, "c", to), &input)
	}
	refused(func(p *VectorParams) { p.Size++ })
	refused(func(p *VectorParams) { p.Distance = Dot })
	refused(func(p *VectorParams) { p.Datatype = Float16 })
	refused(func(p *VectorParams) { p.Flat = true })
	refused(func(p *VectorParams) { p.M = maxM + 1 })
	require.Error(t, updateTo(ctx, db, "c", Schema{}), "a vector less")
	require.Error(t, updateTo(ctx, db, "c", Schema{Vectors: map[string]VectorParams{"x": testSchema().Vectors[""]}}), "another name")
	require.ErrorIs(t, db.UpdateCollection(ctx, "c", func(Schema) (Schema, error) { return Schema{}, context.Canceled }), context.Canceled)
	sequenced := db.Stats().Sequenced
	require.NoError(t, updateTo(ctx, db, "c", c.Schema()))
	require.Equal(t, sequenced, db.Stats().Sequenced, "nothing changes, nothing is logged")
	require.Equal(t, Green, c.Info().Status)

	to := changedSchema(1)
	require.NoError(t, updateTo(ctx, db, "c", to))
	require.Equal(t, dumpSchema(to), dumpSchema(c.Schema()), "shown at once")
	require.Equal(t, to.Vectors[""], c.Info().Vectors[""].Params)
	require.Equal(t, Yellow, c.Info().Status, "until the indexes have it")
	db.work(ctx)
	require.Equal(t, Green, c.Info().Status)
	require.Equal(t, c.applied.revision, c.configured.Load())
	require.NoError(t, db.Close())

	db, err = d.open()
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	c, err = db.Collection("c")
	require.NoError(t, err)
	require.Equal(t, dumpSchema(to), dumpSchema(c.Schema()))
	require.Equal(t, c.applied.revision, c.configured.Load(), "the indexes were opened with it")
}

// Background work that is switched off is switched on again by an update alone.
func TestUpdateOfBackgroundWork(t *testing.T) {
	ctx := context.Background()
	db, err := newDisk().open()
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	off := testSchema()
	off.NoBackground = true
	require.NoError(t, db.CreateCollection(ctx, "c", off))
	c, err := db.Collection("c")
	require.NoError(t, err)
	var points []Point
	for id := range uint64(40) {
		points = append(points, Point{NumID(id), Vectors{"": testVector(id, 0)}, nil})
	}
	_, err = c.Upsert(ctx, points, UpsertOptions{})
	require.NoError(t, err)
	db.work(ctx)
	require.Zero(t, c.Info().Vectors[""].Segments)
	require.NoError(t, updateTo(ctx, db, "c", testSchema()))
	require.Equal(t, Yellow, c.Info().Status)
	// That the indexes are given the schema shows in what they are asked to do.
	did, err := c.configure(ctx)
	require.NoError(t, err)
	require.True(t, did)
	did, err = c.configure(ctx)
	require.NoError(t, err)
	require.False(t, did)
	off.Config = []byte("x")
	require.NoError(t, updateTo(ctx, db, "c", off))
	require.Equal(t, Yellow, c.Info().Status, "handing over a schema is not switched off")
	db.work(ctx)
	require.NotEqual(t, Yellow, c.Info().Status)
}

// TestUpdatesUnderSearches changes the schema again and again while searches run, with workers in the background.
func TestUpdatesUnderSearches(t *testing.T) {
	ctx := context.Background()
	db, err := newDisk().openWith(Options{Workers: 2})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	c := testCollection(t, db, "c")
	var points []Point
	const n = 200
	for id := range uint64(n) {
		points = append(points, Point{NumID(id), Vectors{"": testVector(id, 0)}, nil})
	}
	_, err = c.Upsert(ctx, points, UpsertOptions{})
	require.NoError(t, err)
	stop := make(chan struct{})
	var searches sync.WaitGroup
	for s := range uint64(2) {
		searches.Go(func() {
			for id := s; ; id = (id + 7) % n {
				select {
				case <-stop:
					return
				default:
				}
				res, err := c.Search(ctx, SearchRequest{Query: testVector(id, 0), K: 5})
				if err != nil || len(res.Hits) != 5 || res.Hits[0].ID != NumID(id) {
					t.Errorf("search by point %d: %v, %v", id, res, err)
					return
				}
			}
		})
	}
	for i := range 60 {
		if i%10 == 5 {
			_, err := c.Delete(ctx, Selector{IDs: []PointID{NumID(n + 1)}}, WriteOptions{})
			require.NoError(t, err)
		}
		require.NoError(t, updateTo(ctx, db, "c", changedSchema(i)))
	}
	close(stop)
	searches.Wait()
	requireSound(t, db)
}
