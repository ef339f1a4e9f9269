package httpapi

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/server/service"
)

// member returns a member of a JSON object as it was written.
func member(t testing.TB, object, name string) string {
	t.Helper()
	var m map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(object), &m), object)
	return string(m[name])
}

func keysOf(t testing.TB, object string) []string {
	t.Helper()
	var m map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(object), &m), object)
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func TestQueries(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.small("c", "Dot")
	const q = "POST /collections/c/points/query"
	require.Equal(t, "4 1 3", idsOf(f.ok(q, `{"query":{"nearest":[0.25,0,1,0.5]},"limit":3}`)))
	require.Equal(t, "1 3", idsOf(f.ok(q, `{"query":[0.25,0,1,0.5],"limit":2,"offset":1}`)))
	require.NotContains(t, strings.Fields(idsOf(f.ok(q, `{"query":4}`))), "4", "the example is left out")
	require.Len(t, strings.Fields(idsOf(f.ok(q, `{"query":{"nearest":4},"limit":6}`))), 5)
	require.Equal(t, "4 1", idsOf(f.ok(q, `{"query":[0.25,0,1,0.5],"score_threshold":1.0625}`)), "a threshold is strict")
	exact := f.ok(q, `{"query":[0.25,0,1,0.5],"params":{"exact":true,"hnsw_ef":64,"indexed_only":false,"quantization":{"ignore":false,"rescore":true,"oversampling":2.0},"acorn":{"enable":true}}}`)
	require.Equal(t, exact, f.ok(q, `{"query":[0.25,0,1,0.5]}`))
	// An id looked up in another collection is not left out here.
	f.ok("PUT /collections/other", `{"vectors":{"o":{"size":4,"distance":"Dot"}}}`)
	f.ok("PUT /collections/other/points?wait=true", `{"points":[{"id":4,"vector":{"o":[0.25,0,1,0.5]}}]}`)
	require.Equal(t, exact, f.ok(q, `{"query":4,"lookup_from":{"collection":"other","vector":"o"}}`))

	got := f.ok("POST /collections/c/points/query/batch", `{"searches":[{"query":[0.25,0,1,0.5],"limit":1},{"limit":1,"with_payload":true},{"query":4,"limit":1}]}`)
	require.JSONEq(t, `[{"points":[{"id":4,"version":1,"score":1.1875}]},{"points":[{"id":1,"version":0,"score":1.0,"payload":{"city":"Berlin","n":1}}]},
		{"points":[{"id":3,"version":1,"score":1.1875}]}]`, got)
	f.fails(400, "expected dim", "POST /collections/c/points/query/batch", `{"searches":[{"query":[0.25,0,1,0.5]},{"query":[1]}]}`)
	f.fails(422, "searches[1].internal.limit", "POST /collections/c/points/query/batch", `{"searches":[{},{"limit":0}]}`)

	require.JSONEq(t, `[{"id":4,"version":1,"score":1.1875}]`, f.ok("POST /collections/c/points/search", `{"vector":[0.25,0,1,0.5],"limit":1}`))
	require.JSONEq(t, `[{"id":4,"version":1,"score":1.0}]`, f.ok("POST /collections/other/points/search", `{"vector":{"name":"o","vector":[0,0,1,0]},"top":1}`))
	require.JSONEq(t, `[[{"id":4,"version":1,"score":1.1875}],[]]`,
		f.ok("POST /collections/c/points/search/batch", `{"searches":[{"vector":[0.25,0,1,0.5],"limit":1},{"vector":[0.25,0,1,0.5],"limit":1,"offset":50}]}`))
}

func TestServiceEndpoints(t *testing.T) {
	f := start(t, service.Options{}, Options{Version: "0.1.0"})
	f.small("c", "Dot")
	var root struct{ Title, Version, Commit, Isobath_version string }
	require.NoError(t, json.Unmarshal([]byte(f.do("GET /", "").text), &root))
	require.Equal(t, "isobath - vector search engine", root.Title)
	require.Equal(t, "1.19.0", root.Version)
	require.Len(t, root.Commit, 40)
	require.Equal(t, "0.1.0", root.Isobath_version)
	require.Equal(t, "healthz check passed", f.do("GET /healthz", "").text)
	require.Equal(t, "all shards are ready", f.do("GET /readyz", "").text)
	require.JSONEq(t, `{"issues":[]}`, f.ok("GET /issues", ""))
	require.Equal(t, `true`, f.ok("DELETE /issues", ""))
	require.JSONEq(t, `{"status":"disabled"}`, f.ok("GET /cluster", ""))
	require.Equal(t, []string{"app", "cluster", "collections", "id", "quota", "requests"}, keysOf(t, f.ok("GET /telemetry", "")))
	cluster := f.ok("GET /collections/c/cluster", "")
	require.JSONEq(t, `[{"shard_id":0,"points_count":6,"state":"Active"}]`, member(t, cluster, "local_shards"))
	require.JSONEq(t, `{}`, f.ok("GET /collections/c/shards", ""))
	metrics := f.do("GET /metrics", "").text
	for _, want := range []string{"# HELP app_info information about qdrant server", `app_info{name="isobath",version="1.19.0"} 1`, "collections_total 1",
		`collection_points{id="c"} 6`, `rest_responses_total{endpoint="/collections/{collection_name}/points",method="PUT",status="200"} 1`,
		"rest_responses_duration_seconds_bucket", `isobath_memory_bytes{component="go_heap"}`, "process_resident_memory_bytes"} {
		require.Contains(t, metrics, want)
	}
	require.NotContains(t, f.do("GET /metrics?anonymize=true", "").text, `id="c"`)

	f.svc.Detach()
	a := f.do("GET /readyz", "")
	require.Equal(t, 503, a.status)
	require.Equal(t, "some shards are not ready", a.text)
	require.Equal(t, 503, f.do("GET /collections", "").status)
	require.Equal(t, 200, f.do("GET /metrics", "").status)
}

func TestIndexesOverKeysAreReadable(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	ctx := context.Background()
	require.NoError(t, f.db.CreateIndex(ctx, engine.IndexDef{Name: "idx", Prefixes: [][]byte{[]byte("doc:")}, Fields: []engine.IndexField{
		{Source: "color", Alias: "color", Type: engine.FieldTag},
		{Source: "vec", Alias: "vec", Type: engine.FieldVector, Vector: engine.VectorParams{Size: 2, Distance: engine.Euclid, Flat: true}},
	}}))
	ticket, err := f.db.Update(func(tx *engine.KeyTx) error {
		for key, color := range map[string]string{"doc:1": "red", "doc:2": "blue"} {
			body := engine.AppendHashField(nil, []byte("color"), []byte(color))
			vec := binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(len(color))))
			vec = binary.LittleEndian.AppendUint32(vec, 0)
			body = engine.AppendHashField(body, []byte("vec"), vec)
			tx.Put(0, []byte(key), engine.Document{Kind: engine.KindHash, Body: body})
		}
		return nil
	})
	require.NoError(t, err)
	require.NoError(t, ticket.Wait(ctx))
	require.JSONEq(t, `{"collections":[{"name":"idx"}]}`, f.ok("GET /collections", ""))
	require.Contains(t, f.ok("GET /collections/idx", ""), `"vec":{"size":2,"distance":"Euclid"}`)
	require.JSONEq(t, `{"count":2}`, f.ok("POST /collections/idx/points/count", `{}`))
	got := f.ok("POST /collections/idx/points/query", `{"query":[3,0],"using":"vec","with_payload":true,"filter":{"must":{"key":"color","match":{"value":"red"}}}}`)
	require.Contains(t, got, `"payload":{"__key":"doc:1","color":"red"}`)
	require.Contains(t, got, `"score":0.0`)
	require.Equal(t, 1, strings.Count(got, `"id"`))
	f.fails(400, "Bad request: ", "PUT /collections/idx/points", `{"points":[{"id":1,"vector":{"vec":[1,2]}}]}`)
	f.fails(400, "Bad request: ", "POST /collections/idx/points/delete", `{"points":[1]}`)
	f.fails(400, "Bad request: ", "PATCH /collections/idx", `{"metadata":{"a":1}}`)
	f.fails(400, "Bad request: ", "DELETE /collections/idx", "")
	f.fails(409, "already exists", "PUT /collections/idx", `{}`)
}

// Components near the largest float32 make distances beyond it; scores stay numbers of JSON.
func TestScoresAreFinite(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	for distance, want := range map[string]string{
		"Dot":       `[{"id":1,"version":1,"score":3.4028235e38},{"id":3,"version":1,"score":0.0},{"id":2,"version":1,"score":-3.4028235e38}]`,
		"Euclid":    `[{"id":1,"version":1,"score":0.0},{"id":2,"version":1,"score":3.4028235e38},{"id":3,"version":1,"score":3.4028235e38}]`,
		"Manhattan": `[{"id":1,"version":1,"score":0.0},{"id":2,"version":1,"score":3.4028235e38},{"id":3,"version":1,"score":3.4028235e38}]`,
	} {
		f.ok("PUT /collections/"+distance, `{"vectors":{"size":2,"distance":"`+distance+`"}}`)
		f.ok("PUT /collections/"+distance+"/points?wait=true", `{"points":[{"id":1,"vector":[3e38,3e38]},{"id":2,"vector":[-3e38,-3e38]},{"id":3,"vector":[0,0]}]}`)
		require.Equal(t, want, f.ok("POST /collections/"+distance+"/points/search", `{"vector":[3e38,3e38],"limit":10}`), distance)
	}
}
