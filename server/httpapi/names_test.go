package httpapi

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/server/service"
)

// Names come from paths and, for FT indexes, from RESP, where they are bytes.
func TestNamesThatAreNotText(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.fails(422, "collection name is not UTF-8", "PUT /collections/x%ff", `{"vectors":{"size":4,"distance":"Dot"}}`)
	require.JSONEq(t, `{"collections":[]}`, f.ok("GET /collections", ""))

	require.NoError(t, f.db.CreateIndex(t.Context(), engine.IndexDef{Name: "x\xff", Fields: []engine.IndexField{
		{Source: "v\xff", Alias: "v\xff", Type: engine.FieldVector, Vector: engine.VectorParams{Size: 4, Distance: engine.Euclid}},
		{Source: "g\xff", Alias: "g\xff", Type: engine.FieldTag},
	}}))
	f.ok("PUT /collections/c", `{"vectors":{"size":4,"distance":"Dot"}}`)
	require.JSONEq(t, `{"collections":[{"name":"c"},{"name":"x\ufffd"}]}`, f.ok("GET /collections", ""))
	require.Contains(t, f.ok("GET /collections/x%ff", ""), "\"v\uFFFD\"")
	metrics := f.do("GET /metrics", "").text
	require.Contains(t, metrics, "collection_points{id=\"x\uFFFD\"} 0")
	require.Contains(t, metrics, `collection_points{id="c"} 0`)
}
