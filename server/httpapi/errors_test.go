package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/server/service"
)

// Every error text of docs/http.md that is in scope: method and path, body, status, text.
func TestErrorTexts(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.small("c", "Dot")
	f.ok("PUT /collections/named", `{"vectors":{"a":{"size":2,"distance":"Cosine"},"b":{"size":3,"distance":"Euclid","on_disk":true}}}`)
	f.ok("PUT /collections/named/points?wait=true", `{"points":[{"id":1,"vector":{"a":[1,0]}}]}`)
	f.ok("POST /collections/aliases", `{"actions":[{"create_alias":{"collection_name":"c","alias_name":"al"}}]}`)
	const c = "/collections/c"
	for _, x := range []struct {
		target, body string
		status       int
		want         string
	}{
		{"GET /collections/x", "", 404, "Not found: Collection `x` doesn't exist!"},
		{"POST /collections/x/points/query", `{}`, 404, "Not found: Collection `x` doesn't exist!"},
		{"PUT /collections/x/points", `{"points":[]}`, 404, "Not found: Collection `x` doesn't exist!"},
		{"PATCH /collections/x", `{"metadata":{}}`, 404, "Not found: Collection `x` doesn't exist!"},
		{"PUT " + c, `{"vectors":{"size":4,"distance":"Dot"}}`, 409, "Wrong input: Collection `c` already exists!"},
		{"PUT /collections/al", `{"vectors":{"size":4,"distance":"Dot"}}`, 400, "Wrong input: Can't create collection with name al. Alias with the same name already exists"},
		{"POST " + c + "/points/query", `{"query":1,"lookup_from":{"collection":"x"}}`, 404, "Not found: Collection x not found"},
		{"POST " + c + "/points/query", `{"query":[1,2,3,4],"using":"x"}`, 400, "Wrong input: Not existing vector name error: x"},
		{"PUT " + c + "/points", `{"points":[{"id":1,"vector":{"x":[1]}}]}`, 400, "Wrong input: Not existing vector name error: x"},
		{"POST " + c + "/points/vectors/delete", `{"points":[1],"vector":["x"]}`, 400, "Wrong input: Not existing vector name error: x"},
		{"POST " + c + "/points/scroll", `{"with_vector":["x"]}`, 400, "Wrong input: Not existing vector name error: x"},
		{"PATCH " + c, `{"vectors":{"x":{"on_disk":true}}}`, 400, "Not existing vector name error: x"},
		{"PUT " + c + "/points", `{"points":[{"id":1,"vector":[1,2,3]}]}`, 400, "Wrong input: Vector dimension error: expected dim: 4, got 3"},
		{"POST " + c + "/points/query", `{"query":[1,2,3]}`, 400, "Wrong input: Vector dimension error: expected dim: 4, got 3"},
		{"PUT /collections/named/points", `{"points":[{"id":1,"vector":{"a":[1,2,3]}}]}`, 400, "Wrong input: Vector dimension error: expected dim: 2, got 3 for vector 'a'"},
		{"GET " + c + "/points/7", "", 404, "Not found: Point with id 7 does not exists!"},
		{"POST " + c + "/points/query", `{"query":7}`, 404, "Not found: No point with id 7 found"},
		{"POST /collections/named/points/query", `{"query":1,"using":"b"}`, 404, "Not found: "},
		{"PUT " + c + "/points/vectors", `{"points":[{"id":7,"vector":[1,2,3,4]}]}`, 404, "Not found: No point with id 7 found"},
		{"POST " + c + "/points/payload", `{"points":[7],"payload":{"a":1}}`, 404, "Not found: No point with id 7 found"},
		{"GET " + c + "/points/x", "", 400, `Wrong input: Can not recognize "x" as point id`},
		{"POST " + c + "/points/query", `{"prefetch":[{"query":[1,2,3,4]}]}`, 400, "Bad request: A query is needed to merge the prefetches. Can't have prefetches without defining a query."},
		{"POST " + c + "/points/query", `{"score_threshold":0.5}`, 400, "Bad request: A query is needed to use the score_threshold. Can't have score_threshold without defining a query."},
		{"POST " + c + "/points/query", `{"query":{"order_by":"n"},"score_threshold":0.5}`, 400, "Bad request: Can't use score_threshold with an order_by query."},
		{"POST " + c + "/points/query", `{"prefetch":{"query":[1,2,3,4]},"query":{"fusion":"rrf"},"using":"a"}`, 400, "Bad request: Fusion queries cannot be combined with the 'using' field."},
		{"POST " + c + "/points/count", `{"filter":{"must":[{"key":"a"}]}}`, 422, "At least one field condition must be specified"},
		{"PUT " + c + "/points/vectors", `{"points":[{"id":1,"vector":{}}]}`, 422, "Validation error in JSON body: [points[0].vector: must specify vectors to update for point]"},
		{"PUT " + c + "/points", `{"points":[{"id":1,"vector":[]}]}`, 422, "dense vector must not be empty"},
		{"PUT /collections/n", `{"vectors":{"size":65537,"distance":"Dot"}}`, 422, "Validation error in JSON body: [vectors.size: value 65537 invalid, must be from 1 to 65536]"},
		{"PUT /collections/n", `{"vectors":{"size":0,"distance":"Dot"}}`, 422, "vectors.size: value 0 invalid, must be from 1 to 65536"},
		{"PUT " + c + "/index", `{"field_name":"a","field_schema":{"type":"integer","lookup":false,"range":false}}`, 422, "Validation error: the 'lookup' and 'range' capabilities can't be both disabled"},
		{"PUT " + c + "/index", `{"field_name":"a"}`, 400, "Bad request: Can't auto-detect field type, please specify"},
		{"PUT " + c + "/index", `{"field_name":"a","field_schema":"bogus"}`, 400, "Format error in JSON body: "},
		{"GET " + c + "/points/1?timeout=0", "", 422, "timeout: value 0 invalid"},
		{"GET /telemetry?details_level=x", "", 400, "Deserialize error in query parameters: details_level"},
		{"GET /telemetry?anonymize=x", "", 400, "Deserialize error in query parameters: anonymize"},
		{"POST " + c + "/points/query?timeout=x", `{}`, 400, "Deserialize error in query parameters: "},
		{"PUT " + c + "/points?wait=%zz", `{"points":[]}`, 400, "Deserialize error in query parameters: "},
		{"PUT " + c + "/points?wait=maybe", `{"points":[]}`, 400, "Deserialize error in query parameters: "},
		{"PUT " + c + "/points?ordering=odd", `{"points":[]}`, 400, "Deserialize error in query parameters: "},
		{"POST " + c + "/points/scroll?consistency=odd", `{}`, 400, "Deserialize error in query parameters: "},
		{"POST " + c + "/points/scroll?consistency=0", `{}`, 422, "Validation error in query parameters: [consistency: value 0"},
		{"POST " + c + "/points/query", `{"limit":0}`, 422, "Validation error in JSON body: [internal.limit: value 0 invalid, must be 1 or larger]"},
		{"POST " + c + "/points/query", `{"limit":-1}`, 400, "Format error in JSON body: "},
		{"POST " + c + "/points/query", `{"query":[1,2,3,4],"params":{"hnsw_ef":0},"limit":0}`, 422, "[internal.limit: value 0 invalid, must be 1 or larger; internal.params.hnsw_ef: value 0 invalid, must be 1 or larger]"},
		{"POST " + c + "/points/scroll", `{"limit":0}`, 422, "limit: value 0 invalid, must be 1 or larger"},
		{"POST " + c + "/points/search", `{"vector":[1,2,3,4],"limit":0}`, 422, "[limit: value 0 invalid, must be 1 or larger]"},
		{"PUT " + c + "/points", `{"batch":{"ids":[1,2],"vectors":[[1,2,3,4],[1,2,3,4],[1,2,3,4]]}}`, 422, "number of ids and vectors must be equal (2 != 3)"},
		{"PUT " + c + "/points", `{"points":[{"id":-1,"vector":[1,2,3,4]}]}`, 400, "value -1 is not a valid point ID, valid values are either an unsigned integer or a UUID"},
		{"PUT " + c + "/points", `{"points":[{"id":"12","vector":[1,2,3,4]}]}`, 400, "is not a valid point ID, valid values are either an unsigned integer or a UUID"},
		{"PUT " + c + "/points", `{"points":[{"id":1.5,"vector":[1,2,3,4]}]}`, 400, "is not a valid point ID"},
		{"PUT " + c + "/points", `{"points":[{"vector":[1,2,3,4]}]}`, 400, "missing field `id`"},
		{"PUT " + c + "/points", `{"points":[{"id":1}]}`, 400, "missing field `vector`"},
		{"PUT " + c + "/points", `{}`, 400, "Format error in JSON body: "},
		{"PUT " + c + "/points", `{"points":[],"update_mode":"odd"}`, 400, "unknown variant `odd`"},
		{"PUT " + c + "/points", `{"points":[],"shard_key":"k"}`, 400, "Shard key"},
		{"POST " + c + "/points/delete", `{}`, 400, "Either list of point ids or filter must be provided"},
		{"POST " + c + "/points/payload", `{"payload":{}}`, 400, "Either list of point ids or filter must be provided"},
		{"POST /collections/aliases", `{"actions":[{"create_alias":{"collection_name":"x","alias_name":"y"}}]}`, 404, "Not found: Collection `x` doesn't exist!"},
		{"POST /collections/aliases", `{"actions":[{"create_alias":{"collection_name":"c","alias_name":"named"}}]}`, 409, "Wrong input: Collection `named` already exists!"},
		{"POST /collections/aliases", `{"actions":[{"rename_alias":{"old_alias_name":"x","new_alias_name":"y"}}]}`, 404, "Alias x does not exists!"},
		{"PUT /collections/n", `{"vectors":{"size":4,"distance":"Odd"}}`, 400, "Format error in JSON body: "},
		{"PUT /collections/n", `{"vectors":{"size":4}}`, 400, "missing field `distance`"},
		{"PUT /collections/n", `{"shard_number":0}`, 422, "shard_number: value 0 invalid, must be 1 or larger"},
		{"PUT /collections/n", `{"shard_number":-1}`, 400, "Format error in JSON body: "},
		{"PUT /collections/n", `{"hnsw_config":{"ef_construct":3},"wal_config":{"wal_capacity_mb":0}}`, 422,
			"[hnsw_config.ef_construct: value 3 invalid, must be 4 or larger; wal_config.wal_capacity_mb: value 0 invalid, must be 1 or larger]"},
		{"PUT /collections/n", `{"hnsw_config":{"m":513,"full_scan_threshold":9},"optimizers_config":{"deleted_threshold":2}}`, 422,
			"[hnsw_config.m: value 513 invalid, must be 512 or smaller; hnsw_config.full_scan_threshold: value 9 invalid, must be 10 or larger; " +
				"optimizers_config.deleted_threshold: value 2.0 invalid, must be from 0.0 to 1.0]"},
		{"POST " + c + "/points/query", `{"query":[1,2,3,4],"params":{"quantization":{"oversampling":0.5}}}`, 422, "oversampling: value 0.5 invalid, must be 1.0 or larger"},
		{"PUT /collections/n", `{"strict_mode_config":{"enabled":"yes"}}`, 400, "Format error in JSON body: strict_mode_config.enabled: invalid type: string, expected a boolean"},
		{"PUT /collections/n", `{"strict_mode_config":5}`, 400, "Format error in JSON body: strict_mode_config: invalid type: number, expected a map"},
		{"PATCH " + c, `{"strict_mode_config":{"enabled":1}}`, 400, "Format error in JSON body: strict_mode_config.enabled: invalid type: number, expected a boolean"},
		{"PUT /collections/n", `{"vectors":{"size":-4,"distance":"Dot"}}`, 400, "Format error in JSON body: vectors.size: invalid value: -4"},
		{"PUT /collections/n", `{"vectors":{"a":{"size":"4","distance":"Dot"}}}`, 400, "Format error in JSON body: vectors.a.size: invalid type: string"},
		{"PUT /collections/n", `{"vectors":{"size":4,"distance":"Dot","memory":"odd"}}`, 400, "Format error in JSON body: vectors.memory: unknown variant `odd`, expected one of `cached`, `cold`, `pinned`"},
		{"PUT /collections/n", `{"vectors":{"size":4,"distance":"Dot","memory":"pinned"},"payload":{"memory":"pinned"}}`, 422, "[payload.memory: value \"pinned\" invalid, must be `cold` or `cached`; vectors.memory: value"},
		{"PUT /collections/n", `{"vectors":{"size":4,"distance":"Dot"},"quantization_config":{"product":{"compression":"x4","memory":"odd"}}}`, 400, "Format error in JSON body: quantization_config: product.memory: unknown variant `odd`"},
		{"PUT " + c + "/index", `{"field_name":"a","field_schema":{"type":"text","tokenizer":"odd"}}`, 400, "Format error in JSON body: field_schema.tokenizer: unknown variant `odd`"},
		{"PUT " + c + "/index", `{"field_name":"a","field_schema":{"type":"keyword","is_tenant":1}}`, 400, "Format error in JSON body: field_schema.is_tenant: invalid type: number, expected a boolean"},
		{"POST " + c + "/points/query", `{"using":"x"}`, 400, "Wrong input: Not existing vector name error: x"},
		{"PUT " + c + "/points", `{"batch":{"ids":[1],"vectors":{"":[[]],"b":[]}}}`, 422,
			"[batch.vectors[0]: Validation error: dense vector must not be empty [{}]; batch.vectors: number of ids and vectors must be equal (1 != 0)]"},
		{"PUT /collections/n", `{"payload":{"memory":"pinned"}}`, 422, "payload.memory"},
		{"PUT /collections/n", `{"sparse_vectors":{"s":{}}}`, 400, "Bad request: sparse vectors are not supported yet"},
		{"PUT /collections/n", `{"vectors":{"size":4,"distance":"Dot","multivector_config":{"comparator":"max_sim"}}}`, 400, "Bad request: multivectors are not supported yet"},
		{"PUT /collections/n", `{"strict_mode_config":{"enabled":true}}`, 400, "Bad request: strict mode is not supported yet"},
		{"PUT /collections/a%2Fb", `{}`, 422, "Validation error in path parameters: ["},
		{"PUT /collections/" + strings.Repeat("a", 256), `{}`, 422, "Validation error in path parameters: ["},
		{"POST " + c + "/points/query", `{"query":{"recommend":{"positive":[1]}}}`, 400, "Bad request: query kind `recommend` is not supported yet"},
		{"POST " + c + "/points/query", `{"query":[[1,2,3,4]]}`, 400, "Bad request: multivectors are not supported yet"},
		{"POST " + c + "/points/query", `{"query":{"indices":[1],"values":[1]}}`, 400, "Bad request: sparse vectors are not supported yet"},
		{"POST " + c + "/points/query", `{"query":[1,2,3,4],"prefetch":{}}`, 400, "Bad request: prefetch is not supported yet"},
		{"POST " + c + "/points/query", `{"query":{}}`, 400, "Format error in JSON body: "},
		{"POST " + c + "/points/query", `{"query":[1,2,3,4],"with_payload":{"include":["a"],"exclude":["b"]}}`, 400, "exactly one"},
		{"POST " + c + "/points/scroll", `{"order_by":"m"}`, 400, "Bad request: No range index for `order_by` key: `m`."},
		{"POST " + c + "/points/scroll", `{"order_by":"n","offset":1}`, 400, "Bad request: Cannot use an `offset` when using `order_by`."},
		{"POST " + c + "/points/scroll", `{"order_by":{"direction":"asc"}}`, 400, "missing field `key`"},
		{"POST " + c + "/points/scroll", `{"order_by":{"key":"n","direction":"up"}}`, 400, "unknown variant `up`, expected one of"},
		{"POST " + c + "/points/scroll", `{"order_by":{"key":"n","start_from":"soon"}}`, 400, "'soon' is not in a supported date/time format"},
		{"POST " + c + "/points/scroll", `{"order_by":{"key":"n","start_from":[1]}}`, 400, "expected a number or a date"},
		{"POST " + c + "/points/recommend", `{"positive":[1],"limit":3}`, 400, "Bad request: recommend is not supported yet"},
		{"POST " + c + "/facet", `{"key":"city"}`, 400, "Bad request: facet is not supported yet"},
		{"GET /snapshots", "", 400, "Bad request: snapshots are not supported yet"},
		{"POST /cluster/recover", `{}`, 405, "Qdrant is running in standalone mode"},
		{"POST " + c + "/points/query", ``, 400, "Format error in JSON body: EOF"},
		{"POST " + c + "/points/query", `{`, 400, "Format error in JSON body: "},
		{"POST " + c + "/points/query", `[]`, 400, "Format error in JSON body: "},
	} {
		f.fails(x.status, x.want, x.target, x.body)
	}
	require.JSONEq(t, `{"count":6}`, f.ok("POST "+c+"/points/count", `{}`), "nothing was stored")
}

func TestSeveralViolationsAreReportedTogether(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	a := f.do("PUT /collections/n", `{"vectors":{"a":{"size":0,"distance":"Dot"},"b":{"size":70000,"distance":"Dot"}},"replication_factor":0}`)
	require.Equal(t, 422, a.status)
	require.Equal(t, "Validation error in JSON body: [replication_factor: value 0 invalid, must be 1 or larger; "+
		"vectors.?.size: value 0 invalid, must be from 1 to 65536; vectors.?.size: value 70000 invalid, must be from 1 to 65536]", a.failure())
}

func TestUnknownRoutes(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	for _, target := range []string{"GET /nothing", "PUT /collections", "DELETE /aliases", "GET /collections/a/b/c", "GET //collections", "GET /collections/../aliases", "PATCH /"} {
		a := f.do(target, "")
		require.Equal(t, 404, a.status, target)
		require.Empty(t, a.text, target)
	}
	f.ok("GET /collections/", "")
	f.ok("GET /collections/d/exists//", "")
}

func TestStatusOfFaults(t *testing.T) {
	for _, x := range []struct {
		err    error
		status int
		prefix string
	}{
		{context.DeadlineExceeded, 408, "Timeout: "},
		{fmt.Errorf("engine: %w: %w", engine.ErrReadOnly, syscall.ENOSPC), 507, "Insufficient storage: "},
		{engine.ErrReadOnly, 500, "Service internal error: "},
		{errors.New("anything"), 500, "Service internal error: "},
		{service.ErrLoading, 503, "Service internal error: "},
		{&service.Error{Kind: service.BadRequest, Text: "x"}, 400, "Bad request: x"},
		{fmt.Errorf("vector: %w", &engine.InputError{Msg: "odd"}), 400, "Wrong input: vector: odd"},
		{fmt.Errorf("%w: 300 named vectors, at most 256", engine.ErrLimit), 400, "Wrong input: limit exceeded"},
	} {
		api := toAPI(x.err)
		require.Equal(t, x.status, api.status, "%v", x.err)
		require.True(t, strings.HasPrefix(api.text, x.prefix), api.text)
	}
}

func TestWriteWhoseWaitEndsCompletesAnyway(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.small("c", "Dot")
	ctx, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	req := httptest.NewRequest("PUT", "/collections/c/points?wait=true", strings.NewReader(`{"points":[{"id":77,"vector":[1,2,3,4]}]}`))
	rec := httptest.NewRecorder()
	f.h.ServeHTTP(rec, req.WithContext(ctx))
	require.Equal(t, 200, rec.Code)
	require.Contains(t, rec.Body.String(), `"status":"wait_timeout"`)
	f.ok("POST /collections/c/points/delete?wait=true", `{"points":[]}`) // everything before is visible now
	require.JSONEq(t, `{"count":7}`, f.ok("POST /collections/c/points/count", `{}`))
}
