package httpapi

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/server/service"
)

func (f *fixture) schema(name string) engine.Schema {
	f.t.Helper()
	c, err := f.db.Collection(name)
	require.NoError(f.t, err)
	return c.Schema()
}

// What a quantization means to the engine, for a collection, for its vectors, and as a server's default.
func TestQuantizationsAndPlacements(t *testing.T) {
	scalar := engine.CodeConfig{Kind: engine.CodesScalar}
	turbo := func(bits int) engine.CodeConfig { return engine.CodeConfig{Kind: engine.CodesTurbo, Bits: bits} }
	f := start(t, service.Options{}, Options{})
	for _, tc := range []struct {
		vector, quantization string
		codes                engine.CodeConfig
		place                engine.Placement
		warning              string
	}{
		{``, `null`, engine.CodeConfig{}, engine.PlaceAuto, ""},
		{``, `"Disabled"`, engine.CodeConfig{}, engine.PlaceAuto, ""},
		{``, `{"scalar":{"type":"int8"}}`, scalar, engine.PlaceAuto, ""},
		{``, `{"scalar":{"type":"int8","quantile":0.75}}`, engine.CodeConfig{Kind: engine.CodesScalar, Quantile: 0.75}, engine.PlaceAuto, ""},
		{``, `{"scalar":{"type":"int8","always_ram":true}}`, scalar, engine.PlaceMemory, ""},
		{``, `{"scalar":{"type":"int8","always_ram":false}}`, scalar, engine.PlaceAuto, ""},
		{`,"on_disk":true`, `{"scalar":{"type":"int8"}}`, scalar, engine.PlaceAuto, ""},
		{`,"on_disk":true`, `{"scalar":{"type":"int8","always_ram":false}}`, scalar, engine.PlaceMapped, ""},
		{`,"on_disk":true`, `{"turbo":{"always_ram":true}}`, turbo(4), engine.PlaceMemory, ""},
		{`,"memory":"cold"`, `{"turbo":{"always_ram":false}}`, turbo(4), engine.PlaceMapped, ""},
		{``, `{"turbo":{"always_ram":true,"memory":"cold"}}`, turbo(4), engine.PlaceMapped, ""},
		{``, `{"turbo":{"memory":"cached"}}`, turbo(4), engine.PlaceAuto, ""},
		{``, `{"turbo":{"memory":"pinned","bits":"bits1"}}`, turbo(1), engine.PlaceMemory, ""},
		{``, `{"turbo":{"bits":"bits2"}}`, turbo(2), engine.PlaceAuto, ""},
		{``, `{"turbo":{"bits":"bits4"}}`, turbo(4), engine.PlaceAuto, ""},
		{``, `{"turbo":{"bits":"bits1_5"}}`, turbo(2), engine.PlaceAuto, "codes of 2 bits are used"},
		{``, `{"product":{"compression":"x16","always_ram":true}}`, engine.CodeConfig{}, engine.PlaceMemory, "product codes are not available"},
		{``, `{"binary":{"encoding":"two_bits"}}`, engine.CodeConfig{}, engine.PlaceAuto, "binary codes are not available"},
	} {
		name := tc.vector + tc.quantization
		check := func(c string) {
			t.Helper()
			p := f.schema(c).Vectors[""]
			require.Equal(t, tc.codes, p.Codes, name)
			require.Equal(t, tc.place, p.CodesPlacement, name)
			require.Equal(t, tc.vector != "", p.OnDisk, name)
			info := f.ok("GET /collections/"+c, "")
			if tc.warning == "" {
				require.NotContains(t, info, `"warnings"`, name)
			} else {
				require.Contains(t, member(t, info, "warnings"), tc.warning, name)
			}
		}
		vectors := `{"vectors":{"size":4,"distance":"Dot"` + tc.vector
		f.ok("PUT /collections/whole", vectors+`},"quantization_config":`+tc.quantization+`}`)
		check("whole")
		f.ok("PUT /collections/own", vectors+`,"quantization_config":`+tc.quantization+`}}`)
		check("own")
		f.ok("PUT /collections/later", vectors+`},"quantization_config":{"scalar":{"type":"int8","always_ram":true,"quantile":0.5}}}`)
		if tc.quantization != "null" {
			f.ok("PATCH /collections/later", `{"quantization_config":`+tc.quantization+`}`)
			check("later")
		}
		for _, c := range []string{"whole", "own", "later"} {
			f.ok("DELETE /collections/"+c, "")
		}
	}
}

// What is kept and not acted on is said, once.
func TestInlineStorageIsNotAvailable(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.ok("PUT /collections/c", `{"vectors":{"a":{"size":4,"distance":"Dot"},"b":{"size":4,"distance":"Dot"}},"hnsw_config":{"inline_storage":true}}`)
	warnings := `[{"message":"hnsw_config: inline_storage is not available: links and codes lie apart"}]`
	require.JSONEq(t, warnings, member(t, f.ok("GET /collections/c", ""), "warnings"))
	f.ok("PUT /collections/d", `{"vectors":{"a":{"size":4,"distance":"Dot","hnsw_config":{"inline_storage":true}}},"hnsw_config":{"inline_storage":false}}`)
	require.JSONEq(t, warnings, member(t, f.ok("GET /collections/d", ""), "warnings"))
	f.ok("PATCH /collections/c", `{"hnsw_config":{"inline_storage":false}}`)
	require.NotContains(t, f.ok("GET /collections/c", ""), "warnings")
}

func TestTurboUnderManhattanIsAutomatic(t *testing.T) {
	f := start(t, service.Options{}, Options{Defaults: Defaults{Quantization: []byte(`{"turbo":{"bits":"bits1"}}`), HNSWOnDisk: true, VectorsOnDisk: true}})
	f.ok("PUT /collections/c", `{"vectors":{"a":{"size":4,"distance":"Manhattan"},"b":{"size":4,"distance":"Euclid","on_disk":false,
		"hnsw_config":{"on_disk":false}},"c":{"size":4,"distance":"Dot","quantization_config":{"scalar":{"type":"int8"}}}}}`)
	vectors := f.schema("c").Vectors
	require.Zero(t, vectors["a"].Codes)
	require.Equal(t, engine.CodeConfig{Kind: engine.CodesTurbo, Bits: 1}, vectors["b"].Codes, "the server's default")
	require.Equal(t, engine.CodesScalar, vectors["c"].Codes.Kind, "the vector's own")
	require.Equal(t, []bool{true, false, true}, []bool{vectors["a"].OnDisk, vectors["b"].OnDisk, vectors["c"].OnDisk})
	require.Equal(t, []engine.Placement{engine.PlaceMapped, engine.PlaceAuto, engine.PlaceMapped},
		[]engine.Placement{vectors["a"].LinksPlacement, vectors["b"].LinksPlacement, vectors["c"].LinksPlacement})
	require.JSONEq(t, `[{"message":"quantization_config: turbo codes do not go with Manhattan: automatic codes are used"}]`,
		member(t, f.ok("GET /collections/c", ""), "warnings"))

	// An update leaves what the defaults of the day of creation were.
	f.h.options.Defaults = Defaults{}
	f.ok("PATCH /collections/c", `{"hnsw_config":{"m":8}}`)
	got := f.schema("c").Vectors
	for name, p := range vectors {
		p.M = 8
		require.Equal(t, p, got[name], name)
	}
}

// Every setting that can change reaches the engine, and is shown at once.
func TestUpdatesReachTheEngine(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.ok("PUT /collections/c", `{"vectors":{"a":{"size":4,"distance":"Dot"},"b":{"size":4,"distance":"Cosine","hnsw_config":{"m":8}}}}`)
	patch := func(body string) (a, b engine.VectorParams, s engine.Schema) {
		t.Helper()
		require.Equal(t, "true", f.ok("PATCH /collections/c", body))
		s = f.schema("c")
		return s.Vectors["a"], s.Vectors["b"], s
	}
	config := func() string { return member(t, f.ok("GET /collections/c", ""), "config") }

	a, b, _ := patch(`{"hnsw_config":{"m":32,"ef_construct":200,"full_scan_threshold":20,"memory":"pinned"}}`)
	require.Equal(t, []int{32, 8}, []int{a.M, b.M}, "the vector's own counts first")
	require.Equal(t, []int{200, 200}, []int{a.EfConstruct, b.EfConstruct})
	require.Equal(t, int64(20<<10), a.FullScanBytes)
	require.Equal(t, engine.PlaceMemory, a.LinksPlacement)
	require.Contains(t, config(), `"hnsw_config":{"m":32,"ef_construct":200,"full_scan_threshold":20`)

	a, b, _ = patch(`{"vectors":{"a":{"hnsw_config":{"ef_construct":50,"on_disk":true},"memory":"cold","quantization_config":{"turbo":{}}},"b":{"hnsw_config":{}}}}`)
	require.Equal(t, 50, a.EfConstruct)
	require.Equal(t, engine.PlaceMapped, a.LinksPlacement, "what a vector says of placement counts before the collection's")
	require.True(t, a.OnDisk)
	require.Equal(t, engine.CodesTurbo, a.Codes.Kind)
	require.Equal(t, 32, b.M, "an empty object takes the override away")
	require.NotContains(t, member(t, config(), "params"), `"m":8`)
	a, _, _ = patch(`{"vectors":{"a":{"hnsw_config":{"m":0}}}}`)
	require.True(t, a.NoGraph)
	require.Equal(t, 50, a.EfConstruct, "overrides are merged")
	a, _, _ = patch(`{"vectors":{"a":{"hnsw_config":{},"quantization_config":"Disabled"}},"quantization_config":{"scalar":{"type":"int8"}}}`)
	require.Equal(t, engine.CodesScalar, a.Codes.Kind, "the collection's counts again")
	require.False(t, a.NoGraph)
	a, _, _ = patch(`{"quantization_config":"Disabled"}`)
	require.Zero(t, a.Codes)

	_, _, s := patch(`{"optimizers_config":{"indexing_threshold":0,"max_optimization_threads":0}}`)
	require.Equal(t, int64(-1), s.IndexFromBytes)
	require.True(t, s.NoBackground)
	require.Contains(t, config(), `"max_optimization_threads":0`)
	_, _, s = patch(`{"optimizers_config":{"indexing_threshold":20000,"max_optimization_threads":"auto"}}`)
	require.Equal(t, int64(20000<<10), s.IndexFromBytes)
	require.False(t, s.NoBackground)
	require.Contains(t, config(), `"max_optimization_threads":null`)

	before := f.schema("c")
	for _, tc := range []struct {
		status     int
		want, body string
	}{
		{400, "size, distance, datatype and multivector_config of a vector cannot change", `{"vectors":{"a":{"size":5}}}`},
		{400, "Not existing vector name error: x", `{"vectors":{"x":{}}}`},
		{422, "hnsw_config.ef_construct: value 1 invalid", `{"hnsw_config":{"ef_construct":1}}`},
		{422, "quantization_config.scalar.quantile: value 2.0 invalid", `{"quantization_config":{"scalar":{"type":"int8","quantile":2}}}`},
		{422, "vectors.?.quantization_config.scalar.quantile", `{"vectors":{"a":{"quantization_config":{"scalar":{"type":"int8","quantile":2}}}}}`},
		{400, "missing field `type`", `{"hnsw_config":{"m":4},"quantization_config":{"scalar":{}}}`},
		{422, "vectors.?.memory", `{"vectors":{"a":{"memory":"pinned"}}}`},
		{400, "prevent_unoptimized is not supported yet", `{"optimizers_config":{"prevent_unoptimized":true}}`},
	} {
		f.fails(tc.status, tc.want, "PATCH /collections/c", tc.body)
	}
	require.Equal(t, before, f.schema("c"), "an update that fails changes nothing")
}

// Searches go on while the settings change again and again, several updates at once.
func TestUpdatesUnderSearches(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.ok("PUT /collections/c", `{"vectors":{"size":8,"distance":"Euclid"},"hnsw_config":{"full_scan_threshold":10},"optimizers_config":{"indexing_threshold":1}}`)
	rng := rand.New(rand.NewPCG(1, 1))
	vector := make([]string, 600)
	var points strings.Builder
	for i := range vector {
		vector[i] = fmt.Sprintf("[%d,%d,%d,%d,%d,%d,%d,%d]", i, rng.IntN(99), rng.IntN(99), rng.IntN(99), rng.IntN(99), rng.IntN(99), rng.IntN(99), rng.IntN(99))
		fmt.Fprintf(&points, `,{"id":%d,"vector":%s}`, i, vector[i])
	}
	f.ok("PUT /collections/c/points?wait=true", `{"points":[`+points.String()[1:]+`]}`)
	stop := make(chan struct{})
	var searches, updates sync.WaitGroup
	for w := range 2 {
		searches.Go(func() {
			for i := w; ; i = (i + 13) % len(vector) {
				select {
				case <-stop:
					return
				default:
				}
				a := f.do("POST /collections/c/points/query", `{"limit":3,"query":`+vector[i]+`}`)
				if a.status != 200 || strings.Count(a.text, `"id"`) != 3 {
					t.Errorf("query by point %d: %s", i, a.text)
					return
				}
			}
		})
	}
	bodies := []string{`{"hnsw_config":{"m":%d}}`, `{"hnsw_config":{"ef_construct":%d0}}`, `{"metadata":{"n":%d}}`, `{"optimizers_config":{"indexing_threshold":%d}}`}
	for w, body := range bodies {
		updates.Go(func() {
			for i := range 15 {
				f.ok("PATCH /collections/c", fmt.Sprintf(body, 4+i))
				if w == 0 {
					f.ok("PATCH /collections/c", []string{`{"quantization_config":{"turbo":{}}}`, `{"quantization_config":{"scalar":{"type":"int8"}}}`, `{"quantization_config":"Disabled"}`}[i%3])
				}
			}
		})
	}
	updates.Wait()
	close(stop)
	searches.Wait()
	s := f.schema("c")
	require.Equal(t, []int{18, 180, 18 << 10}, []int{s.Vectors[""].M, s.Vectors[""].EfConstruct, int(s.IndexFromBytes)}, "no update is lost")
	require.Contains(t, f.ok("GET /collections/c", ""), `"metadata":{"n":18}`)
	require.Eventually(t, func() bool { return strings.Contains(f.ok("GET /collections/c", ""), `"status":"green"`) }, 30*time.Second, 20*time.Millisecond)
}
