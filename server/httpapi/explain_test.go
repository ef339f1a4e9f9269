package httpapi

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/server/service"
)

// walked makes a collection of n points that is large enough for graphs, and waits for them.
func (f *fixture) walked(name string, n int) (vectors []string) {
	f.t.Helper()
	f.ok("PUT /collections/"+name, `{"vectors":{"size":8,"distance":"Cosine"},"hnsw_config":{"full_scan_threshold":10},"optimizers_config":{"indexing_threshold":1}}`)
	rng := rand.New(rand.NewPCG(7, 7))
	var points strings.Builder
	for i := range n {
		v := make([]string, 8)
		for j := range v {
			v[j] = strconv.FormatFloat(rng.NormFloat64(), 'f', 4, 32)
		}
		vectors = append(vectors, "["+strings.Join(v, ",")+"]")
		fmt.Fprintf(&points, `,{"id":%d,"vector":%s,"payload":{"n":%d}}`, i, vectors[i], i%10)
	}
	f.ok("PUT /collections/"+name+"/points?wait=true", `{"points":[`+points.String()[1:]+`]}`)
	require.Eventually(f.t, func() bool {
		info := f.ok("GET /collections/"+name, "")
		return member(f.t, info, "indexed_vectors_count") == strconv.Itoa(n) && member(f.t, info, "status") == `"green"`
	}, time.Minute, 10*time.Millisecond)
	return vectors
}

func (f *fixture) explain(target, body string) explained {
	f.t.Helper()
	a := f.do(target+"?explain=true", body)
	require.Equal(f.t, 200, a.status, a.text)
	var e explained
	require.NoError(f.t, json.Unmarshal([]byte(member(f.t, a.text, "explain")), &e))
	return e
}

func TestExplain(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	v := f.walked("c", 3000)
	query := "POST /collections/c/points/query"
	require.Equal(t, []string{"result", "status", "time"}, keysOf(t, f.do(query, `{"query":`+v[0]+`}`).text))
	a := f.do(query+"?explain=true", `{"query":`+v[0]+`}`)
	require.Equal(t, []string{"explain", "result", "status", "time"}, keysOf(t, a.text))
	require.Equal(t, []string{"code_bytes_read", "distances", "fallback", "filter_matches", "hops", "nodes_visited", "payloads_evaluated", "plan", "rescored",
		"row_bytes_read", "rows_from_files", "rows_read", "scanned", "seconds", "segments_searched"}, keysOf(t, member(t, a.text, "explain")))
	require.Equal(t, []string{"fetch", "filter", "index", "rescore", "walk"}, keysOf(t, member(t, member(t, a.text, "explain"), "seconds")))
	require.Equal(t, f.ok(query, `{"query":`+v[0]+`}`), member(t, a.text, "result"), "the answer is the same")

	e := f.explain(query, `{"query":`+v[0]+`}`)
	require.Equal(t, "walk", string(e.Plan))
	require.Positive(t, e.Visited)
	require.Positive(t, e.Hops)
	require.GreaterOrEqual(t, e.Rescored, 10)
	require.Equal(t, e.Rescored, e.RowsRead)
	with := f.explain(query, `{"query":`+v[0]+`,"with_vector":true}`)
	require.Equal(t, e.RowsRead+10, with.RowsRead, "those of the answer, too")
	require.GreaterOrEqual(t, e.Seconds.Index, e.Seconds.Walk+e.Seconds.Rescore)
	e = f.explain(query, `{"query":`+v[0]+`,"params":{"exact":true}}`)
	require.Equal(t, "exact scan", string(e.Plan))
	require.GreaterOrEqual(t, e.RowsRead, 3000)
	e = f.explain("POST /collections/c/points/search", `{"vector":`+v[0]+`,"limit":3,"filter":{"must":[{"key":"n","match":{"value":3}}]}}`)
	require.Positive(t, e.Evaluated, "no index answers the condition")
	f.ok("PUT /collections/c/index?wait=true", `{"field_name":"n","field_schema":"integer"}`)
	e = f.explain("POST /collections/c/points/search", `{"vector":`+v[0]+`,"limit":3,"filter":{"must":[{"key":"n","match":{"value":3}}]}}`)
	require.Equal(t, 300, e.Matches)
	require.Zero(t, e.Evaluated)
	e = f.explain(query, `{}`)
	require.Equal(t, "scroll", string(e.Plan))
	require.Equal(t, 11, e.Visited, "the page and the first of the next")
	require.Zero(t, e.RowsRead)
	require.Equal(t, 10, f.explain(query, `{"with_vector":true}`).RowsRead)
	require.Positive(t, e.Seconds.Fetch)
	e = f.explain(query, `{"query":{"order_by":"n"}}`)
	require.Equal(t, "order of a field", string(e.Plan))
	require.Equal(t, 10, e.Visited)
	three := `"filter":{"must":[{"key":"n","match":{"value":3}}]}`
	for target, more := range map[string]string{"scroll": "", "count": "", "scroll?order_by": `,"order_by":"n"`} {
		target, _, ordered := strings.Cut(target, "?")
		e = f.explain("POST /collections/c/points/"+target, `{`+three+more+`}`)
		require.Equal(t, 300, e.Matches, target)
		require.Zero(t, e.Evaluated, target)
		require.Positive(t, e.Seconds.Filter, target)
		want := target
		if ordered {
			want = "order of a field"
		}
		require.Equal(t, want, string(e.Plan))
		require.NotContains(t, f.do("POST /collections/c/points/"+target, `{`+three+more+`}`).text, "explain")
	}
	f.ok("DELETE /collections/c/index/n?wait=true", ``)
	e = f.explain("POST /collections/c/points/count", `{`+three+`}`)
	require.Equal(t, 3000, e.Evaluated, "no index answers the condition")
	require.Equal(t, 3000, e.Visited)
	e = f.explain("POST /collections/c/points/scroll", `{"limit":2,`+three+`}`)
	require.Equal(t, e.Visited, e.Evaluated)
	require.Less(t, e.Visited, 3000)
	f.ok("PUT /collections/c/index?wait=true", `{"field_name":"n","field_schema":"integer"}`)
	require.Equal(t, "empty", string(f.explain(query, `{"query":`+v[0]+`,"filter":{"must":[{"key":"n","match":{"value":77}}]}}`).Plan))

	for target, one := range map[string]string{"query/batch": `{"query":` + v[1] + `}`, "search/batch": `{"vector":` + v[1] + `,"limit":2}`} {
		a = f.do("POST /collections/c/points/"+target+"?explain=true", `{"searches":[`+one+`,`+one+`]}`)
		var list []explained
		require.NoError(t, json.Unmarshal([]byte(member(t, a.text, "explain")), &list), a.text)
		require.Len(t, list, 2, target)
		require.Equal(t, "walk", string(list[1].Plan))
		require.NotContains(t, f.do("POST /collections/c/points/"+target, `{"searches":[`+one+`]}`).text, "explain")
	}
	f.fails(400, "explain: provided string was not `true` or `false`", query+"?explain=yes", `{}`)
	require.NotContains(t, f.do(query+"?explain=true", `{"query":[1]}`).text, "explain", "an error has no plan")
}

// What quantization parameters do shows in the counters.
func TestQuantizationParameters(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	v := f.walked("c", 3000)
	rescored := func(params string) int {
		t.Helper()
		return f.explain("POST /collections/c/points/query", `{"query":`+v[5]+`,"limit":20,"params":`+params+`}`).Rescored
	}
	plain := rescored(`{}`)
	require.GreaterOrEqual(t, plain, 20, "rescored unless asked otherwise")
	require.Equal(t, plain, rescored(`{"quantization":{"rescore":true}}`))
	require.Equal(t, plain, rescored(`{"quantization":{"oversampling":1.0}}`), "one is no oversampling")
	require.Equal(t, 94, rescored(`{"quantization":{"oversampling":4.74}}`))
	require.GreaterOrEqual(t, rescored(`{"exact":true,"quantization":{"oversampling":4.7,"rescore":false}}`), 20, "exact overrules")

	var q service.Query
	apply := func(params string) service.Query {
		t.Helper()
		var p paramsBody
		require.NoError(t, decode([]byte(params), &p))
		q = service.Query{}
		require.NoError(t, p.apply(&q))
		return q
	}
	require.Equal(t, service.Query{Approximate: true}, apply(`{"quantization":{"rescore":false}}`))
	require.Equal(t, service.Query{Rows: true}, apply(`{"quantization":{"ignore":true,"rescore":false}}`))
	require.Equal(t, service.Query{Exact: true}, apply(`{"exact":true,"quantization":{"ignore":true,"rescore":false,"oversampling":3}}`))
	require.Equal(t, service.Query{Oversampling: 2.5, Ef: 7}, apply(`{"hnsw_ef":7,"quantization":{"oversampling":2.5},"acorn":{"enable":true,"max_selectivity":0.2}}`))
}

func TestMetricsOfSearches(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.small("c", "Dot")
	for range 3 {
		f.ok("POST /collections/c/points/query", `{"query":[1,2,3,4]}`)
	}
	metrics := f.do("GET /metrics", "").text
	for _, want := range []string{
		`isobath_searches_total{plan="exact scan"} 3`, "isobath_search_failures_total 0", "isobath_search_fallbacks_total 0", "isobath_search_nodes_visited_total 0",
		"isobath_search_filter_matches_total 0", "isobath_search_segments_total 3", "isobath_search_rows_from_files_total 0",
		"isobath_search_index_seconds_total ", "isobath_search_hops_total 0", `isobath_search_distances_total{stage="walk"} 0`, `isobath_search_distances_total{stage="scan"} 0`,
		`isobath_search_bytes_read_total{kind="codes"} `,
		`isobath_search_bytes_read_total{kind="rows"} `, "isobath_search_payloads_evaluated_total 0", "isobath_graph_inserts_total 0", "isobath_graph_insert_distances_total 0",
		"# TYPE isobath_search_stage_seconds_total counter", `isobath_search_stage_seconds_total{stage="filter"} `, `isobath_search_stage_seconds_total{stage="walk"} `,
		`isobath_search_stage_seconds_total{stage="rescore"} `, `isobath_search_stage_seconds_total{stage="fetch"} `,
		"isobath_segments_degraded 0", `isobath_memory_bytes{component="codes"} `, `isobath_memory_bytes{component="links"} `,
		`isobath_memory_bytes{component="heads"} `, `isobath_memory_bytes{component="merges"} `, `isobath_memory_bytes{component="slots"} `,
		`isobath_disk_bytes{component="graphs"} 0`,
	} {
		require.Contains(t, metrics, want)
	}
	for _, some := range []string{`isobath_search_distances_total{stage="rescore"} `, "isobath_search_rows_read_total "} {
		require.Regexp(t, "(?m)^"+regexp.QuoteMeta(some)+"[1-9]", metrics)
	}
}
