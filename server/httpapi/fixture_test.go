package httpapi

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/server/service"
)

// fixture is a handler over an engine of its own.
type fixture struct {
	t   testing.TB
	db  *engine.DB
	svc *service.Service
	h   *Handler
}

func start(t testing.TB, so service.Options, o Options) *fixture {
	t.Helper()
	return startEngine(t, engine.Options{}, so, o)
}

func startEngine(t testing.TB, eo engine.Options, so service.Options, o Options) *fixture {
	t.Helper()
	db, err := engine.Open(t.TempDir(), eo)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	svc := service.New(so)
	svc.Attach(db)
	if testing.Verbose() {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	return &fixture{t: t, db: db, svc: svc, h: New(svc, o)}
}

// answer is a decoded response.
type answer struct {
	t      testing.TB
	status int
	text   string
	header http.Header
}

// do sends a request. target is "METHOD /path?query".
func (f *fixture) do(target, body string) answer {
	f.t.Helper()
	return f.send(target, body, nil)
}

func (f *fixture) send(target, body string, header map[string]string) answer {
	f.t.Helper()
	method, path, ok := strings.Cut(target, " ")
	require.True(f.t, ok, target)
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req := httptest.NewRequest(method, path, r)
	for k, v := range header {
		req.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	f.h.ServeHTTP(rec, req)
	return answer{f.t, rec.Code, rec.Body.String(), rec.Header()}
}

// ok sends a request that must succeed and returns its result as compact JSON.
func (f *fixture) ok(target, body string) string {
	f.t.Helper()
	a := f.do(target, body)
	require.Equal(f.t, 200, a.status, "%s %s: %s", target, body, a.text)
	var envelope struct {
		Result json.RawMessage `json:"result"`
		Status string          `json:"status"`
		Time   *float64        `json:"time"`
	}
	require.NoError(f.t, json.Unmarshal([]byte(a.text), &envelope), a.text)
	require.Equal(f.t, "ok", envelope.Status)
	require.NotNil(f.t, envelope.Time)
	return string(envelope.Result)
}

// fails sends a request that must fail with status and a text that contains want.
func (f *fixture) fails(status int, want, target, body string) {
	f.t.Helper()
	a := f.do(target, body)
	require.Equal(f.t, status, a.status, "%s %s: %s", target, clip(body), a.text)
	require.Contains(f.t, a.failure(), want, target)
}

// failure returns the error text of an envelope.
func (a answer) failure() string {
	a.t.Helper()
	var envelope struct {
		Result *json.RawMessage `json:"result"`
		Status struct {
			Error string `json:"error"`
		} `json:"status"`
		Time *float64 `json:"time"`
	}
	require.NoError(a.t, json.Unmarshal([]byte(a.text), &envelope), a.text)
	require.Nil(a.t, envelope.Result)
	require.NotNil(a.t, envelope.Time)
	return envelope.Status.Error
}

// small makes a collection of 4 dimensions with six points.
func (f *fixture) small(name, distance string) {
	f.t.Helper()
	f.ok("PUT /collections/"+name, `{"vectors":{"size":4,"distance":"`+distance+`"}}`)
	f.ok("PUT /collections/"+name+"/points?wait=true", `{"points":[
		{"id":1,"vector":[0,0.5,0.75,0.75],"payload":{"city":"Berlin","n":1}},
		{"id":2,"vector":[0.25,0.75,0.75,0],"payload":{"city":["Berlin","London"],"n":2}},
		{"id":3,"vector":[0.25,0.5,0.5,1],"payload":{"city":["Berlin","Moscow"],"n":3}},
		{"id":4,"vector":[0.25,0,0.75,0.75],"payload":{"city":["London","Moscow"],"n":4}},
		{"id":"5c56c793-69f3-4fbf-87e6-c4bf54c28c26","vector":[0.25,0.25,0.25,0.5],"payload":{"n":5.5}},
		{"id":6,"vector":[0.25,0,0,0.5]}]}`)
}
