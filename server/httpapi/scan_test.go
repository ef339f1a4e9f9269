package httpapi

import (
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"
)

// plainBodies are read without the decoder, odd ones are left to it.
var (
	plainUpserts = []string{
		`{"points":[]}`,
		`{"points":[{"id":1,"vector":[0.25,-3,1e-05,1E+3,0,-0.5]}]}`,
		" { \"points\" : [ { \"vector\" : [ 1 , 2 ] , \"payload\" : { \"a\" : [ 1 , { \"vector\" : [ 3 ] } ] } , \"id\" : 18446744073709551615 } ,\n{\"id\":0,\"vector\":[]} ] } ",
		`{"points":[{"id":"5c56c793-69f3-4fbf-87e6-c4bf54c28c26","payload":{},"vector":[1]},{"id":2,"vector":[1,2,3]},{"id":3,"vector":[9]}]}`,
		`{"points":[{"id":1,"vector":[1],"payload":{"s":"ü \" \\ \ud83d\ude00"}}]}`,
	}
	oddUpserts = []string{
		``, `{`, `{}`, `[]`, `{"points":null}`, `{"points":[],"update_mode":"upsert"}`, `{"points":[]}x`, `{"points":[],}`,
		`{"points":[{}]}`, `{"points":[{"id":1}]}`, `{"points":[{"id":1,"vector":[1],}]}`, `{"points":[{"id":1,"vector":[1]},]}`,
		`{"points":[{"id":01,"vector":[1]}]}`, `{"points":[{"id":1.0,"vector":[1]}]}`, `{"points":[{"id":-1,"vector":[1]}]}`,
		`{"points":[{"id":18446744073709551616,"vector":[1]}]}`, `{"points":[{"id":"12","vector":[1]}]}`, `{"points":[{"id":,"vector":[1]}]}`,
		`{"points":[{"id":1,"id":2,"vector":[1]}]}`, `{"points":[{"id":1,"vector":[1],"vector":[1]}]}`, `{"points":[{"id":1,"vector":[1],"vectors":[1]}]}`,
		`{"points":[{"id":1,"vector":[1],"payload":{},"payload":{}}]}`, `{"points":[{"id":1,"vector":[1],"payload":{"a":1,"a":2}}]}`,
		`{"points":[{"id":1,"vector":[1],"payload":null}]}`, `{"points":[{"id":1,"vector":[1],"payload":{]}]}`, `{"points":[{"i\u0064":1,"vector":[1]}]}`,
		`{"points":[{"id":1,"vector":[01]}]}`, `{"points":[{"id":1,"vector":[1.]}]}`, `{"points":[{"id":1,"vector":[1.e5]}]}`, `{"points":[{"id":1,"vector":[.5]}]}`,
		`{"points":[{"id":1,"vector":[-]}]}`, `{"points":[{"id":1,"vector":[+1]}]}`, `{"points":[{"id":1,"vector":[1e]}]}`, `{"points":[{"id":1,"vector":[-01]}]}`,
		`{"points":[{"id":1,"vector":[1e39]}]}`, `{"points":[{"id":1,"vector":[null]}]}`, `{"points":[{"id":1,"vector":[1,]}]}`, `{"points":[{"id":1,"vector":[[1]]}]}`,
		`{"points":[{"id":1,"vector":{"a":[1]}}]}`, `{"points":[{"id":1,"vector":[1 2]}]}`, `{"points":[{"id":1,"vector":[1}]}`, `{"points":[{"id":1 "vector":[1]}]}`,
		"{\"points\":[{\"id\":1,\"vector\":[1],\"payload\":{\"a\":\"\xff\"}}]}", `{"points":[{"id":1,"vector":[1],"payload":{"a":"\ud800"}}]}`,
	}
	plainQueries = []string{
		`{"query":[1,2]}`, `{"limit":3,"query":[ 0.5 ],"with_payload":true}`, `{"query":[],"limit":1}`,
		` {"filter":{"must":[{"key":"query","match":{"value":"]\"}"}}]} , "query":[1] , "params":{"hnsw_ef":64} } `,
	}
	oddQueries = []string{
		`{}`, `{"query":1}`, `{"query":null}`, `{"query":{"nearest":[1]}}`, `{"query":[1],"query":[1]}`, `{"query":[1],"qu\u0065ry":[1]}`, `{"query":[1],"limit":}`,
		`{"query":[1],"limit":1,"limit":2}`, `{"query":[1],"limit":"1"}`, `{"query":[1],}`, `{"query":[1]} {}`, `{"query":[1],"filter":{]}`, `{"query":[1e39]}`, `{"query":["1"]}`,
	}
)

// sameUpsert fails unless a body that scan reads is one that the decoder reads alike.
func sameUpsert(t *testing.T, body string) (scanned bool) {
	t.Helper()
	var quick, slow upsertBody
	if !quick.scan([]byte(body)) {
		require.Zero(t, quick)
		return false
	}
	require.NoError(t, json.Unmarshal([]byte(body), &slow, bodyOptions), "%q", body)
	require.Equal(t, slow, quick, "%q", body)
	return true
}

func sameQuery(t *testing.T, body string) (scanned bool) {
	t.Helper()
	var quick, slow queryBody
	if !quick.scan([]byte(body)) {
		require.Zero(t, quick)
		return false
	}
	require.NoError(t, json.Unmarshal([]byte(body), &slow, bodyOptions), "%q", body)
	require.Equal(t, slow, quick, "%q", body)
	return true
}

func TestScanReadsPlainBodiesAsTheDecoderDoes(t *testing.T) {
	for _, body := range plainUpserts {
		require.True(t, sameUpsert(t, body), "%q", body)
	}
	for _, body := range plainQueries {
		require.True(t, sameQuery(t, body), "%q", body)
	}
}

func TestScanLeavesOddBodiesToTheDecoder(t *testing.T) {
	for _, body := range oddUpserts {
		require.False(t, sameUpsert(t, body), "%q", body)
	}
	for _, body := range oddQueries {
		require.False(t, sameQuery(t, body), "%q", body)
	}
}

func FuzzScan(f *testing.F) {
	for _, list := range [][]string{plainUpserts, oddUpserts, plainQueries, oddQueries} {
		for _, body := range list {
			f.Add(body)
		}
	}
	f.Fuzz(func(t *testing.T, body string) {
		sameUpsert(t, body)
		sameQuery(t, body)
	})
}
