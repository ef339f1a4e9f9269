package httpapi

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/server/service"
)

func TestMainPath(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.small("c", "Dot")
	require.JSONEq(t, `{"collections":[{"name":"c"}]}`, f.ok("GET /collections", ""))
	require.JSONEq(t, `{"exists":true}`, f.ok("GET /collections/c/exists", ""))
	require.JSONEq(t, `{"exists":false}`, f.ok("GET /collections/d/exists", ""))

	got := f.ok("POST /collections/c/points/query", `{"query":[0.25,0,1,0.5],"limit":3,"with_payload":["n"]}`)
	require.JSONEq(t, `{"points":[{"id":4,"version":1,"score":1.1875,"payload":{"n":4}},{"id":1,"version":1,"score":1.125,"payload":{"n":1}},
		{"id":3,"version":1,"score":1.0625,"payload":{"n":3}}]}`, got)
	got = f.ok("POST /collections/c/points/query", `{"query":[0.25,0,1,0.5],"filter":{"must":{"key":"city","match":{"value":"London"}}},"with_vector":true}`)
	require.JSONEq(t, `{"points":[{"id":4,"version":1,"score":1.1875,"vector":[0.25,0,0.75,0.75]},{"id":2,"version":1,"score":0.8125,"vector":[0.25,0.75,0.75,0]}]}`, got)

	got = f.ok("POST /collections/c/points/scroll", `{"limit":2}`)
	require.JSONEq(t, `{"points":[{"id":1,"payload":{"city":"Berlin","n":1}},{"id":2,"payload":{"city":["Berlin","London"],"n":2}}],"next_page_offset":3}`, got)
	got = f.ok("POST /collections/c/points/scroll", `{"offset":6,"with_payload":false}`)
	require.JSONEq(t, `{"points":[{"id":6},{"id":"5c56c793-69f3-4fbf-87e6-c4bf54c28c26"}],"next_page_offset":null}`, got)
	require.JSONEq(t, `{"count":6}`, f.ok("POST /collections/c/points/count", `{}`))
	require.JSONEq(t, `{"count":3}`, f.ok("POST /collections/c/points/count", `{"filter":{"must":[{"key":"city","match":{"value":"Berlin"}}]},"exact":true}`))
	require.JSONEq(t, `{"id":6,"payload":{},"vector":[0.25,0,0,0.5]}`, f.ok("GET /collections/c/points/6", ""))
	require.Contains(t, f.ok("GET /collections/c/points/5C56C793-69F3-4FBF-87E6-C4BF54C28C26", ""), `"n":5.5`)
	require.JSONEq(t, `[{"id":3,"payload":{"n":3}},{"id":1,"payload":{"n":1}}]`,
		f.ok("POST /collections/c/points", `{"ids":[3,99,1,3],"with_payload":{"include":["n"]}}`))

	require.JSONEq(t, `{"operation_id":2,"status":"completed"}`, f.ok("POST /collections/c/points/delete?wait=true", `{"points":[1,77]}`))
	require.JSONEq(t, `{"operation_id":3,"status":"acknowledged"}`, f.ok("POST /collections/c/points/delete", `{"filter":{"must":{"key":"n","range":{"gt":5}}}}`))
	require.JSONEq(t, `{"operation_id":4,"status":"completed"}`, f.ok("POST /collections/c/points/payload?wait=true", `{"points":[2],"payload":{"x":{"y":1.0}}}`))
	require.JSONEq(t, `{"count":4}`, f.ok("POST /collections/c/points/count", `{}`))
	require.Contains(t, f.ok("GET /collections/c/points/2", ""), `"x":{"y":1.0}`)
	require.Equal(t, `true`, f.ok("DELETE /collections/c", ""))
	require.Equal(t, `false`, f.ok("DELETE /collections/c", ""))
}

func TestScoresOfAllDistances(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	for _, c := range []struct{ distance, first, threshold, kept string }{
		{"Cosine", `{"id":1,"version":1,"score":1.0}`, "0.9", "1"},
		{"Dot", `{"id":2,"version":1,"score":8.0}`, "4", "2"},
		{"Euclid", `{"id":1,"version":1,"score":0.0}`, "2", "1"},
		{"Manhattan", `{"id":1,"version":1,"score":0.0}`, "2", "1"},
	} {
		f.ok("PUT /collections/"+c.distance, `{"vectors":{"size":2,"distance":"`+c.distance+`"}}`)
		f.ok("PUT /collections/"+c.distance+"/points?wait=true", `{"batch":{"ids":[1,2,3],"vectors":[[2,0],[4,3],[0,0]]}}`)
		got := f.ok("POST /collections/"+c.distance+"/points/query", `{"query":[2,0],"limit":1}`)
		require.JSONEq(t, `{"points":[`+c.first+`]}`, got, c.distance)
		if c.distance == "Dot" || c.distance == "Cosine" {
			require.Contains(t, got, ".0}", "floats keep their fraction")
		}
		got = f.ok("POST /collections/"+c.distance+"/points/query", fmt.Sprintf(`{"query":[2,0],"score_threshold":%s}`, c.threshold))
		require.Equal(t, 1, strings.Count(got, `"id"`), "%s %s", c.distance, got)
		require.Contains(t, got, `"id":`+c.kept)
	}
	// A zero vector under cosine is kept as it is and scores 0.
	require.Contains(t, f.ok("POST /collections/Cosine/points/query", `{"query":[2,0]}`), `{"id":3,"version":1,"score":0.0}`)
	require.JSONEq(t, `{"id":3,"payload":{},"vector":[0,0]}`, f.ok("GET /collections/Cosine/points/3", ""))
	require.JSONEq(t, `{"id":2,"payload":{},"vector":[0.8,0.6]}`, f.ok("GET /collections/Cosine/points/2", ""))
}
