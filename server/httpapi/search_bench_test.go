package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/server/service"
)

// BenchmarkSearchOverhead asks points/query for the 10 nearest of 30 000 vectors of 100 dimensions, one request in flight, and
// takes turns with the same search in the engine. It reports medians in microseconds: what the engine takes, and what a round
// trip takes longer, of a bare connection with a request made before (added) and of net/http (added-client).
//
//	go test ./server/httpapi -run - -bench SearchOverhead -benchtime 5000x
func BenchmarkSearchOverhead(b *testing.B) {
	const rows, dim, k, batch = 30_000, 100, 10, 1000
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU() + 1))
	f := start(b, service.Options{}, Options{})
	f.ok("PUT /collections/c", `{"vectors":{"size":100,"distance":"Cosine"}}`)
	vectors := clusteredVectors(rows, dim)
	for from := 0; from < rows; from += batch {
		body := []byte(`{"points":[`)
		for i := from; i < from+batch; i++ {
			body = fmt.Appendf(body, `{"id":%d,"vector":%s},`, i, vectors[i])
		}
		f.ok("PUT /collections/c/points?wait=true", string(append(body[:len(body)-1], "]}"...)))
	}
	c, err := f.db.Collection("c")
	require.NoError(b, err)
	for c.Info().Vectors[""].Tail > 0 {
		time.Sleep(20 * time.Millisecond)
	}
	srv := httptest.NewServer(f.h)
	defer srv.Close()
	nc, err := net.Dial("tcp", srv.Listener.Addr().String())
	require.NoError(b, err)
	defer func() { _ = nc.Close() }()
	in := bufio.NewReaderSize(nc, 64<<10)
	client := srv.Client()
	var own, bare, full []time.Duration
	timed := func(list *[]time.Duration, fn func() error) {
		began := time.Now()
		err := fn()
		*list = append(*list, time.Since(began))
		require.NoError(b, err)
	}
	i := 0
	vector := func() []byte { // another one each time, so that nobody finds the caches warm
		i += 7
		return vectors[i%len(vectors)]
	}
	body := func() []byte {
		return fmt.Appendf(nil, `{"query":%s,"limit":%d,"params":{"hnsw_ef":64}}`, vector(), k)
	}
	for b.Loop() {
		query, err := parseFloats(vector(), nil)
		require.NoError(b, err)
		timed(&own, func() error {
			_, err := c.Search(context.Background(), engine.SearchRequest{Query: query, K: k, Ef: 64})
			return err
		})
		text := body()
		request := append(fmt.Appendf(nil, "POST /collections/c/points/query HTTP/1.1\r\nHost: localhost\r\n"+
			"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(text)), text...)
		timed(&bare, func() error { return roundTrip(nc, in, request) })
		text = body()
		timed(&full, func() error {
			resp, err := client.Post(srv.URL+"/collections/c/points/query", "application/json", bytes.NewReader(text))
			if err != nil {
				return err
			}
			defer func() { _ = resp.Body.Close() }()
			_, err = io.Copy(io.Discard, resp.Body)
			return err
		})
	}
	base := median(own)
	b.ReportMetric(base, "engine-µs")
	b.ReportMetric(median(bare)-base, "added-µs")
	b.ReportMetric(median(full)-base, "added-client-µs")
}

func median(list []time.Duration) float64 {
	slices.Sort(list)
	return float64(list[len(list)/2]) / 1e3
}

// roundTrip sends a request that was made before and reads the answer.
func roundTrip(nc net.Conn, in *bufio.Reader, request []byte) error {
	if _, err := nc.Write(request); err != nil {
		return err
	}
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.200s", answer.Status, text)
	}
	return err
}
