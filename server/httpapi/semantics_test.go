package httpapi

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/server/service"
)

func TestCollectionInfo(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.ok("PUT /collections/c", `{"vectors":{"size":4,"distance":"Dot"}}`)
	require.JSONEq(t, `{"status":"green","optimizer_status":"ok","indexed_vectors_count":0,"points_count":0,"vectors_count":0,"segments_count":1,
		"config":{"params":{"vectors":{"size":4,"distance":"Dot"},"shard_number":1,"replication_factor":1,"write_consistency_factor":1,"on_disk_payload":true},
		"hnsw_config":{"m":16,"ef_construct":100,"full_scan_threshold":10000,"max_indexing_threads":0,"on_disk":false},
		"optimizer_config":{"deleted_threshold":0.2,"vacuum_min_vector_number":1000,"default_segment_number":0,"max_segment_size":null,"memmap_threshold":null,
			"indexing_threshold":10000,"flush_interval_sec":5,"max_optimization_threads":null,"prevent_unoptimized":null},
		"wal_config":{"wal_capacity_mb":32,"wal_segments_ahead":0,"wal_retain_closed":1},"quantization_config":null},
		"payload_schema":{},"update_queue":{"length":0}}`, f.ok("GET /collections/c", ""))

	f.ok("PUT /collections/d", `{"vectors":{"a":{"size":4,"distance":"Cosine","on_disk":true,"hnsw_config":{"m":8}},"b":{"size":2,"distance":"Euclid","datatype":"float32"}},
		"shard_number":2,"sharding_method":"auto","replication_factor":3,"on_disk_payload":false,"hnsw_config":{"ef_construct":50,"payload_m":4},
		"optimizers_config":{"indexing_threshold":0,"max_optimization_threads":2},"wal_config":{"wal_capacity_mb":1},
		"quantization_config":{"scalar":{"type":"int8","always_ram":true}},"metadata":{"owner":"me","n":1.0},"on_disk_vectors":true}`)
	got := f.ok("GET /collections/d", "")
	require.JSONEq(t, `{"params":{"vectors":{"a":{"size":4,"distance":"Cosine","on_disk":true,"hnsw_config":{"m":8}},"b":{"size":2,"distance":"Euclid","datatype":"float32"}},
		"shard_number":2,"sharding_method":"auto","replication_factor":3,"write_consistency_factor":1,"on_disk_payload":false},
		"hnsw_config":{"m":16,"ef_construct":50,"full_scan_threshold":10000,"max_indexing_threads":0,"on_disk":false,"payload_m":4},
		"optimizer_config":{"deleted_threshold":0.2,"vacuum_min_vector_number":1000,"default_segment_number":0,"max_segment_size":null,"memmap_threshold":null,
			"indexing_threshold":0,"flush_interval_sec":5,"max_optimization_threads":2,"prevent_unoptimized":null},
		"wal_config":{"wal_capacity_mb":1,"wal_segments_ahead":0,"wal_retain_closed":1},"quantization_config":{"scalar":{"type":"int8","always_ram":true}},
		"metadata":{"owner":"me","n":1.0}}`, member(t, got, "config"))
	require.NotContains(t, got, "warnings")
	require.Contains(t, got, `"n":1.0`)
}

func TestDatatypes(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.ok("PUT /collections/c", `{"vectors":{"h":{"size":2,"distance":"Euclid","datatype":"float16"},"b":{"size":2,"distance":"Euclid","datatype":"uint8"}}}`)
	require.JSONEq(t, `{"h":{"size":2,"distance":"Euclid","datatype":"float16"},"b":{"size":2,"distance":"Euclid","datatype":"uint8"}}`,
		member(t, member(t, member(t, f.ok("GET /collections/c", ""), "config"), "params"), "vectors"))
	f.ok("PUT /collections/c/points?wait=true", `{"points":[{"id":1,"vector":{"h":[2049,0.1],"b":[3.9,300]}}]}`)
	require.JSONEq(t, `[{"id":1,"vector":{"h":[2048,0.099975586],"b":[3,255]}}]`, f.ok("POST /collections/c/points", `{"ids":[1],"with_vector":true,"with_payload":false}`))
	require.JSONEq(t, `{"points":[{"id":1,"version":1,"score":5}]}`, f.ok("POST /collections/c/points/query", `{"query":[7.5,252.2],"using":"b"}`))
	f.fails(400, "float16", "PUT /collections/c/points", `{"points":[{"id":1,"vector":{"h":[1,65520]}}]}`)
	f.fails(400, "cannot change", "PATCH /collections/c", `{"vectors":{"h":{"datatype":"uint8"}}}`)
	f.fails(400, "uint8 under Cosine", "PUT /collections/d", `{"vectors":{"size":2,"distance":"Cosine","datatype":"uint8"}}`)
	f.fails(400, "turbo4", "PUT /collections/d", `{"vectors":{"size":2,"distance":"Dot","datatype":"turbo4"}}`)
}

func TestUpdateOfACollection(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.ok("PUT /collections/c", `{"vectors":{"size":4,"distance":"Dot"},"metadata":{"a":1,"b":2}}`)
	require.Equal(t, "true", f.ok("PATCH /collections/c", `{"metadata":{"b":null,"c":{"d":1.50}},"params":{"replication_factor":2},
		"optimizers_config":{"deleted_threshold":0.5,"indexing_threshold":10000},"hnsw_config":{"m":16,"on_disk":true},
		"vectors":{"":{"on_disk":true}},"quantization_config":{"binary":{}}}`))
	config := member(t, f.ok("GET /collections/c", ""), "config")
	require.Contains(t, config, `"metadata":{"a":1,"c":{"d":1.50}}`)
	require.Contains(t, config, `"replication_factor":2`)
	require.Contains(t, config, `"deleted_threshold":0.5`)
	require.Contains(t, config, `"vectors":{"size":4,"distance":"Dot","on_disk":true}`)
	require.Contains(t, config, `"quantization_config":{"binary":{}}`)
	f.ok("PATCH /collections/c", `{"quantization_config":"Disabled"}`)
	require.Contains(t, member(t, f.ok("GET /collections/c", ""), "config"), `"quantization_config":null`)
}

func TestServerDefaults(t *testing.T) {
	f := start(t, service.Options{}, Options{Defaults: Defaults{M: ptr[uint64](0), EfConstruct: 50, Indexing: ptr[uint64](5), MaxThreads: ptr[uint64](1), PayloadInMemory: true}})
	f.ok("PUT /collections/c", `{"vectors":{"size":4,"distance":"Dot"},"hnsw_config":{"ef_construct":60}}`)
	config := member(t, f.ok("GET /collections/c", ""), "config")
	for _, want := range []string{`"m":0`, `"ef_construct":60`, `"indexing_threshold":5`, `"max_optimization_threads":1`, `"on_disk_payload":false`} {
		require.Contains(t, config, want)
	}
	c, err := f.db.Collection("c")
	require.NoError(t, err)
	require.True(t, c.Schema().Vectors[""].NoGraph)
	require.Equal(t, int64(5<<10), c.Schema().IndexFromBytes)
	require.NoError(t, Defaults{}.Check())
	require.ErrorContains(t, Defaults{EfConstruct: 2}.Check(), "storage.hnsw_index.ef_construct")
	require.NoError(t, Defaults{StrictMode: []byte(`{"enabled":false,"max_query_limit":null}`)}.Check())
	require.ErrorContains(t, Defaults{StrictMode: []byte(`{"enabled":true}`)}.Check(), "storage.collection.strict_mode is not supported yet")
	require.ErrorContains(t, Defaults{StrictMode: []byte(`{"enabled":"yes"}`)}.Check(), "storage.collection.strict_mode: enabled: invalid type: string, expected a boolean")
}

func TestAliases(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.small("c", "Dot")
	f.ok("PUT /collections/d", `{}`)
	f.ok("POST /collections/aliases", `{"actions":[{"create_alias":{"collection_name":"d","alias_name":"x"}},{"create_alias":{"collection_name":"c","alias_name":"x"}},
		{"create_alias":{"collection_name":"c","alias_name":"y"}},{"delete_alias":{"alias_name":"none"}},{"rename_alias":{"old_alias_name":"y","new_alias_name":"z"}}]}`)
	require.JSONEq(t, `{"aliases":[{"alias_name":"x","collection_name":"c"},{"alias_name":"z","collection_name":"c"}]}`, f.ok("GET /aliases", ""))
	require.JSONEq(t, `{"aliases":[{"alias_name":"x","collection_name":"c"},{"alias_name":"z","collection_name":"c"}]}`, f.ok("GET /collections/x/aliases", ""))
	require.JSONEq(t, `{"aliases":[]}`, f.ok("GET /collections/d/aliases", ""))
	require.JSONEq(t, `{"count":6}`, f.ok("POST /collections/x/points/count", `{}`))
	require.JSONEq(t, `{"exists":true}`, f.ok("GET /collections/z/exists", ""))
	// A batch that fails leaves nothing behind.
	f.fails(404, "Alias none does not exists!", "POST /collections/aliases", `{"actions":[{"delete_alias":{"alias_name":"x"}},{"rename_alias":{"old_alias_name":"none","new_alias_name":"q"}}]}`)
	require.JSONEq(t, `{"count":6}`, f.ok("POST /collections/x/points/count", `{}`))
	require.Equal(t, "false", f.ok("DELETE /collections/x", ""), "not through an alias")
	require.Equal(t, "true", f.ok("DELETE /collections/c", ""))
	require.JSONEq(t, `{"aliases":[]}`, f.ok("GET /aliases", ""))
}

func TestScrollPages(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.ok("PUT /collections/c", `{"vectors":{"size":1,"distance":"Dot"}}`)
	var points []string
	for i := range 25 {
		points = append(points, fmt.Sprintf(`{"id":%d,"vector":[%d],"payload":{"even":%t}}`, 100-i*2, i, i%2 == 0))
	}
	f.ok("PUT /collections/c/points?wait=true", `{"points":[`+strings.Join(points, ",")+`]}`)
	for _, filter := range []string{"", `"filter":{"must":{"key":"even","match":{"value":true}}},`} {
		var all []string
		next := "0"
		for next != "null" {
			got := f.ok("POST /collections/c/points/scroll", `{`+filter+`"limit":4,"with_payload":false,"offset":`+next+`}`)
			ids := strings.Fields(idsOf(got))
			require.LessOrEqual(t, len(ids), 4)
			all = append(all, ids...)
			next = member(t, got, "next_page_offset")
		}
		if filter == "" {
			require.Len(t, all, 25)
		} else {
			require.Len(t, all, 13)
		}
		require.Equal(t, "52", all[0])
		require.Equal(t, "100", all[len(all)-1])
	}
	require.JSONEq(t, `{"points":[],"next_page_offset":null}`, f.ok("POST /collections/c/points/scroll", `{"offset":101}`))
	got := f.ok("POST /collections/c/points/query", `{"limit":2,"offset":3,"with_vector":true}`)
	require.JSONEq(t, `{"points":[{"id":58,"version":0,"score":1.0,"vector":[21]},{"id":60,"version":0,"score":1.0,"vector":[20]}]}`, got)
}

func TestWriteModes(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.ok("PUT /collections/c", `{"vectors":{"size":1,"distance":"Dot"}}`)
	put := func(body string) string { return f.ok("PUT /collections/c/points?wait=true", body) }
	put(`{"points":[{"id":1,"vector":[1],"payload":{"v":1}},{"id":1,"vector":[2],"payload":{"v":2}}]}`)
	require.JSONEq(t, `{"id":1,"payload":{"v":2},"vector":[2]}`, f.ok("GET /collections/c/points/1", ""), "later duplicates win")
	put(`{"points":[{"id":1,"vector":[3]},{"id":2,"vector":[3]}],"update_mode":"insert_only"}`)
	put(`{"points":[{"id":2,"vector":[4]},{"id":3,"vector":[4]}],"update_mode":"update_only"}`)
	put(`{"points":[{"id":1,"vector":[5]},{"id":2,"vector":[5]},{"id":4,"vector":[5]}],"update_filter":{"must":{"key":"v","match":{"value":2}}}}`)
	require.Equal(t, "[5.0] [4.0] [5.0]", vectorsOf(f.ok("POST /collections/c/points/scroll", `{"with_vector":true}`)))
	require.Equal(t, "1 2 4", idsOf(f.ok("POST /collections/c/points/scroll", `{"with_payload":false}`)))
	// Replacing a point takes its payload away.
	require.JSONEq(t, `{"id":1,"payload":{},"vector":[5]}`, f.ok("GET /collections/c/points/1", ""))
	put(`{"points":[{"id":9,"vector":{}}]}`)
	require.JSONEq(t, `{"id":9,"payload":{},"vector":{}}`, f.ok("GET /collections/c/points/9", ""))
	require.NotContains(t, idsOf(f.ok("POST /collections/c/points/query", `{"query":[1]}`)), "9")
	require.JSONEq(t, `{"operation_id":6,"status":"acknowledged"}`, f.ok("PUT /collections/c/points", `{"points":[{"id":10,"vectors":[1]}]}`))
	f.fails(400, "expected dim", "PUT /collections/c/points", `{"points":[{"id":10,"vector":[1,2]}]}`) // before it is acknowledged
	require.JSONEq(t, `{"operation_id":7,"status":"completed"}`, f.ok("POST /collections/c/points/delete?wait=true&ordering=strong&timeout=5", `{"points":[10]}`))
}

func vectorsOf(result string) string {
	var out []string
	for _, part := range strings.Split(result, `"vector":`)[1:] {
		out = append(out, part[:strings.IndexByte(part, ']')+1])
	}
	return strings.Join(out, " ")
}

func TestPayloadOperations(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.ok("PUT /collections/c", `{"vectors":{"a":{"size":1,"distance":"Dot"},"b":{"size":1,"distance":"Dot"}}}`)
	f.ok("PUT /collections/c/points?wait=true", `{"points":[{"id":1,"vector":{"a":[1],"b":[2]},"payload":{"x":1,"y":{"z":[1,2]},"n":null,"big":18446744073709551615}}]}`)
	get := func() string { return member(t, f.ok("GET /collections/c/points/1", ""), "payload") }
	require.Equal(t, `{"x":1,"y":{"z":[1,2]},"n":null,"big":18446744073709551615}`, get())
	for _, x := range []struct{ target, body, want string }{
		{"POST /payload", `{"points":[1],"payload":{"x":2,"n":null,"big":null,"w":1.0}}`, `{"x":2,"y":{"z":[1,2]},"w":1.0}`},
		{"POST /payload", `{"points":[1],"payload":{"q":1},"key":"y.k"}`, `{"x":2,"y":{"z":[1,2],"k":{"q":1}},"w":1.0}`},
		{"POST /payload/delete", `{"points":[1],"keys":["w","y.z[]"]}`, `{"x":2,"y":{"z":[],"k":{"q":1}}}`},
		{"PUT /payload", `{"filter":{"must":{"key":"x","match":{"value":2}}},"payload":{"o":1}}`, `{"o":1}`},
		{"POST /payload/clear", `{"points":[1]}`, `{}`},
		{"POST /batch", `{"operations":[{"set_payload":{"payload":{"a":1},"points":[1]}},{"overwrite_payload":{"payload":{"b":[1,{"c":2,"d":3}]},"points":[1]}},
			{"delete_vectors":{"points":[1],"vector":["b"]}},{"upsert":{"points":[{"id":2,"vector":{"a":[7]}}]}},{"update_vectors":{"points":[{"id":1,"vector":{"a":[3]}}]}},
			{"delete":{"points":[2]}},{"delete_payload":{"keys":["none"],"points":[1]}}]}`, `{"b":[1,{"c":2,"d":3}]}`},
	} {
		method, path, _ := strings.Cut(x.target, " ")
		f.ok(method+" /collections/c/points"+path+"?wait=true", x.body)
		require.Equal(t, x.want, get(), x.body)
	}
	require.JSONEq(t, `{"a":[3]}`, member(t, f.ok("GET /collections/c/points/1", ""), "vector"))
	require.JSONEq(t, `{"count":1}`, f.ok("POST /collections/c/points/count", `{}`))
	got := f.ok("POST /collections/c/points/scroll", `{"with_payload":{"exclude":["b[].c"]}}`)
	require.Contains(t, got, `{"b":[1,{"d":3}]}`)
	// The whole body is checked first.
	f.fails(422, "operations[1].update_vectors.points[0].vector: must specify", "POST /collections/c/points/batch",
		`{"operations":[{"delete":{"points":[1]}},{"update_vectors":{"points":[{"id":1,"vector":{}}]}}]}`)
	f.fails(400, "unknown", "POST /collections/c/points/batch", `{"operations":[{"delete":{"points":[1]}},{"upsert":{"points":[],"update_mode":"odd"}}]}`)
	f.fails(400, "UpdateOperation", "POST /collections/c/points/batch", `{"operations":[{"delete":{"points":[1]}},{"odd":{}}]}`)
	require.JSONEq(t, `{"count":1}`, f.ok("POST /collections/c/points/count", `{}`))
}

func TestPayloadIndexes(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.small("c", "Dot")
	require.JSONEq(t, `{"operation_id":2,"status":"completed"}`, f.ok("PUT /collections/c/index?wait=true", `{"field_name":"city","field_schema":"keyword"}`))
	f.ok("PUT /collections/c/index?wait=true", `{"field_name":"n","field_schema":{"type":"integer","lookup":true,"range":true}}`)
	f.ok("PUT /collections/c/index?wait=true", `{"field_name":"x.y","field_schema":{"type":"text","tokenizer":"word","lowercase":true}}`)
	require.Contains(t, f.ok("GET /collections/c", ""), `"status":"green"`, "wait includes the build")
	require.JSONEq(t, `{"city":{"data_type":"keyword","points":4},"n":{"data_type":"integer","points":5,"params":{"type":"integer","lookup":true,"range":true}},
		"x.y":{"data_type":"text","points":0,"params":{"type":"text","tokenizer":"word","lowercase":true}}}`, member(t, f.ok("GET /collections/c", ""), "payload_schema"))
	require.JSONEq(t, `{"count":3}`, f.ok("POST /collections/c/points/count", `{"filter":{"must":{"key":"city","match":{"value":"Berlin"}}}}`))
	require.JSONEq(t, `[{"message":"the text index of x.y is kept but not applied yet: texts are matched as substrings, not as tokens"}]`,
		member(t, f.ok("GET /collections/c", ""), "warnings"))
	f.ok("DELETE /collections/c/index/city?wait=true", "")
	f.ok("DELETE /collections/c/index/x%2Ey?wait=true", "")
	f.ok("DELETE /collections/c/index/none?wait=true", "")
	require.Equal(t, `n`, strings.Join(keysOf(t, member(t, f.ok("GET /collections/c", ""), "payload_schema")), " "))
}

// Space in a body means nothing, and placements are shown as they were sent.
func TestEmptyValuesWithSpaceAndPlacements(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.ok("PUT /collections/c", `{"vectors":{"size":4,"distance":"Dot","memory":"cold"},"sparse_vectors":{ },"hnsw_config":{"memory":"pinned"},
		"payload":{"memory":"cached"},"quantization_config":{"scalar":{"type":"int8","memory":"pinned"}}}`)
	config := member(t, f.ok("GET /collections/c", ""), "config")
	for _, want := range []string{`"distance":"Dot","memory":"cold"`, `"payload":{"memory":"cached"}`, `"on_disk":false,"memory":"pinned"`, `"type":"int8","memory":"pinned"`} {
		require.Contains(t, config, want)
	}
	f.ok("PATCH /collections/c", `{"sparse_vectors":{ },"vectors":{"":{"memory":"cached"}}}`)
	require.Contains(t, member(t, f.ok("GET /collections/c", ""), "config"), `"distance":"Dot","memory":"cached"`)
	require.JSONEq(t, `{"points":[]}`, f.ok("POST /collections/c/points/query", `{"query":[1,2,3,4],"prefetch":[ ]}`))
}
