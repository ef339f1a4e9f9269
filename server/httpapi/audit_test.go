package httpapi

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/server/service"
)

// The audit list of docs/reliability: rows 9 to 16 and 22.

func TestAuditBodies(t *testing.T) {
	f := start(t, service.Options{}, Options{MaxBodyBytes: 64 << 10})
	f.small("c", "Dot")
	large := `{"points":[{"id":1,"vector":[1,2,3,4],"payload":{"a":"` + strings.Repeat("x", 70<<10) + `"}}]}`
	f.fails(400, "limit: 65536 bytes", "PUT /collections/c/points", large)
	// Chunked: no length is told beforehand.
	req := httptest.NewRequest("PUT", "/collections/c/points", io.MultiReader(strings.NewReader(large)))
	req.ContentLength = -1
	rec := httptest.NewRecorder()
	f.h.ServeHTTP(rec, req)
	require.Equal(t, 400, rec.Code)
	// A length that is never sent is refused at once.
	req = httptest.NewRequest("PUT", "/collections/c/points", strings.NewReader("{"))
	req.ContentLength = 10 << 30
	rec = httptest.NewRecorder()
	f.h.ServeHTTP(rec, req)
	require.Equal(t, 400, rec.Code)
	require.Equal(t, "close", rec.Header().Get("Connection"))
}

func TestAuditJSON(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.small("c", "Dot")
	point := func(payload string) string {
		return `{"points":[{"id":9,"vector":[1,2,3,4],"payload":` + payload + `}]}`
	}
	var keys strings.Builder
	for i := range 1_000_000 {
		fmt.Fprintf(&keys, `"k%d":0,`, i)
	}
	for _, x := range []struct{ body, want string }{
		{point(`{"a":` + strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001) + `}`), "Format error in JSON body: "},
		{point(`{"a":` + strings.Repeat("[", 1_001) + strings.Repeat("]", 1_001) + `}`), "Wrong input: "},
		{point(`{"a":1,"a":2}`), "duplicate"},
		{`{"points":[],"points":[]}`, "duplicate"},
		{point(`{"a":1}`) + `x`, "Format error in JSON body: "},
		{point(`{"a":1}`) + `{}`, "Format error in JSON body: "},
		{point(`[1]`), "Format error in JSON body: "},
		{point("{\"a\":\"\xff\"}"), "Format error in JSON body: "},
		{point(`{"deeper":{` + keys.String() + `"end":1}}`), "more than 100000 keys"},
	} {
		f.fails(400, x.want, "PUT /collections/c/points", x.body)
	}
	require.JSONEq(t, `{"count":6}`, f.ok("POST /collections/c/points/count", `{}`), "nothing was stored")
}

func TestAuditVectors(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.small("c", "Dot")
	for _, x := range []struct{ vector, want string }{
		{`[1,2,NaN,4]`, "Format error in JSON body: "},
		{`[1,2,3,1e39]`, "points[0].vector[3]: "},
		{`[1,-1e39,3,4]`, "points[0].vector[1]: "},
		{`[null,2,3,4]`, "points[0].vector[0]: invalid type: null, expected a number"},
		{`[1,"2",3,4]`, "points[0].vector[1]: invalid type: string, expected a number"},
		{`[1,2,true,4]`, "points[0].vector[2]: invalid type: boolean"},
		{`[1,2,{},4]`, "points[0].vector[2]: invalid type: map"},
		{`[1,2,3]`, "expected dim: 4, got 3"},
		{`"abc"`, "Format error in JSON body: "},
		{`null`, "missing field `vector`"},
	} {
		f.fails(400, x.want, "PUT /collections/c/points", `{"points":[{"id":9,"vector":`+x.vector+`}]}`)
		if x.vector != `null` && x.vector != `"abc"` {
			f.fails(400, "", "POST /collections/c/points/query", `{"query":`+x.vector+`}`)
		}
	}
	f.fails(400, "[1]: ", "PUT /collections/c/points", `{"batch":{"ids":[1],"vectors":[[1,null,2,3]]}}`)
	f.ok("PUT /collections/c/points?wait=true", `{"points":[{"id":9,"vector":[1e-50,-0,0.1,3.4028235e38]}]}`)
	require.Contains(t, f.ok("GET /collections/c/points/9", ""), `"vector":[0.0,-0.0,0.1,3.4028235e38]`)
}

func TestAuditHugeNumbers(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.small("c", "Dot")
	for _, body := range []string{
		`{"query":[1,2,3,4],"limit":1000000000}`,
		`{"query":[1,2,3,4],"limit":18446744073709551615}`,
		`{"query":[1,2,3,4],"limit":10,"params":{"hnsw_ef":1000000000}}`,
		`{"query":[1,2,3,4],"params":{"hnsw_ef":18446744073709551615,"quantization":{"oversampling":1e300}}}`,
		`{"query":[1,2,3,4],"limit":1000000000,"filter":{"must":{"key":"n","range":{"gte":0}}}}`,
		`{"limit":18446744073709551615}`,
	} {
		require.Contains(t, f.ok("POST /collections/c/points/query", body), `"id":4`, body)
	}
	for _, body := range []string{`{"query":[1,2,3,4],"offset":9223372036854775808}`, `{"offset":9223372036854775808}`} {
		require.JSONEq(t, `{"points":[]}`, f.ok("POST /collections/c/points/query", body))
	}
	require.Contains(t, f.ok("POST /collections/c/points/scroll", `{"limit":18446744073709551615}`), `"id":6`)
	f.fails(400, "Format error in JSON body: ", "POST /collections/c/points/query", `{"limit":18446744073709551616}`)
	f.fails(400, "Format error in JSON body: ", "POST /collections/c/points/query", `{"params":{"hnsw_ef":-1}}`)
}

func TestAuditNames(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	for _, name := range []string{"%2e%2e%2Fx", "%2Fetc%2Fx", "a%00b", strings.Repeat("x", 300), "a%5Cb", "a%1Fb", "a*b"} {
		f.fails(422, "Validation error in path parameters: [", "PUT /collections/"+name, `{}`)
	}
	for _, name := range []string{"%2E", "%2e%2e", "с", "ｃ", "..%20x", "-"} { // look-alikes are names like any other
		f.ok("PUT /collections/"+name, `{}`)
		require.JSONEq(t, `{"exists":true}`, f.ok("GET /collections/"+name+"/exists", ""), name)
	}
}

func TestAuditKeys(t *testing.T) {
	f := start(t, service.Options{APIKey: "full", AltAPIKey: "next", ReadOnlyAPIKey: "reader"}, Options{})
	get := func(target, body string, header ...string) answer {
		h := map[string]string{}
		for i := 0; i+1 < len(header); i += 2 {
			h[header[i]] = header[i+1]
		}
		return f.send(target, body, h)
	}
	a := get("GET /collections", "")
	require.Equal(t, 401, a.status)
	require.Equal(t, "Must provide an API key or an Authorization bearer token", a.text)
	a = get("GET /collections", "", "api-key", "wrong")
	require.Equal(t, 401, a.status)
	require.Equal(t, "Invalid API key or JWT", a.text)
	require.Equal(t, 401, get("GET /collections", "", "api-key", "wrong", "Authorization", "Bearer full").status, "api-key wins")
	require.Equal(t, 401, get("GET /nothing", "").status)
	require.Equal(t, 401, get("GET /metrics", "").status)
	require.Equal(t, 401, get("GET /telemetry", "").status)
	for _, key := range []string{"full", "next", "reader"} {
		require.Equal(t, 200, get("GET /collections", "", "api-key", key).status)
		require.Equal(t, 200, get("GET /collections", "", "Authorization", "Bearer "+key).status)
		require.Equal(t, 200, get("GET /collections", "", "Authorization", "bearer "+key).status, "schemes have no case")
	}
	for _, open := range []string{"GET /", "GET /healthz", "GET /livez", "GET /readyz"} {
		require.Equal(t, 200, get(open, "").status, open)
	}
	require.Equal(t, 200, get("PUT /collections/c", `{"vectors":{"size":1,"distance":"Dot"}}`, "api-key", "next").status)
	for _, rt := range routes {
		method, path, _ := strings.Cut(rt.pattern, " ")
		path = strings.NewReplacer("{$}", "", "{collection_name}", "c", "{id}", "1", "{field_name}", "f", "{vector_name}", "v",
			"{snapshot_name}", "s", "{shard_id}", "0", "{peer_id}", "1").Replace(path)
		body := &countingReader{r: strings.NewReader(`{"points":[]}`)}
		req := httptest.NewRequest(method, path, body)
		req.Header.Set("api-key", "reader")
		rec := httptest.NewRecorder()
		f.h.ServeHTTP(rec, req)
		if rt.access == write {
			require.Equal(t, http.StatusForbidden, rec.Code, rt.pattern)
			require.Contains(t, rec.Body.String(), `{"status":{"error":"Forbidden: `)
			require.Zero(t, body.n, "the body is not read")
		} else {
			require.NotEqual(t, http.StatusForbidden, rec.Code, rt.pattern)
		}
	}
}

type countingReader struct {
	r io.Reader
	n int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func TestWebPagesNeedAKey(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	a := f.send("DELETE /collections/c", "", map[string]string{"Origin": "http://evil.example"})
	require.Equal(t, 403, a.status)
	require.Contains(t, a.failure(), "Forbidden: ")
	require.Empty(t, a.header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, 403, f.send("OPTIONS /collections", "", map[string]string{"Origin": "null"}).status)
	own := map[string]string{"Origin": "http://localhost:6333", "Sec-Fetch-Site": "same-origin"}
	require.Equal(t, 200, f.send("GET http://localhost:6333/collections", "", own).status, "the server's own pages")
	// A page that has bound its own name to this address.
	own["Origin"] = "http://evil.example:6333"
	require.Equal(t, 403, f.send("GET http://evil.example:6333/collections", "", own).status)
	delete(own, "Origin")
	require.Equal(t, 403, f.send("GET http://evil.example:6333/collections", "", own).status)
	require.Equal(t, 200, f.send("GET http://evil.example:6333/collections", "", nil).status, "no browser")

	for _, f := range []*fixture{start(t, service.Options{APIKey: "k"}, Options{}), start(t, service.Options{}, Options{AnyOrigin: true})} {
		a = f.send("OPTIONS /collections", "", map[string]string{"Origin": "http://page.example", "Access-Control-Request-Headers": "api-key"})
		require.Equal(t, 200, a.status)
		require.Equal(t, "*", a.header.Get("Access-Control-Allow-Origin"))
		require.Equal(t, "api-key", a.header.Get("Access-Control-Allow-Headers"))
		require.Equal(t, 200, f.send("GET /collections", "", map[string]string{"Origin": "http://page.example", "api-key": "k"}).status)
	}
}
