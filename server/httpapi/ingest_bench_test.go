package httpapi

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/server/service"
)

// BenchmarkIngest sends upserts of 1 000 points of 100 dimensions to a collection with a graph over two connections and waits
// for every acknowledgement; one iteration is one request. Vectors are text before the clock starts. As in the server there is
// one processor more than cores, for the worker that builds graphs.
//
//	go test ./server/httpapi -run - -bench Ingest -benchtime 331x -cpuprofile cpu.out
func BenchmarkIngest(b *testing.B) {
	const dim, batch, clients = 100, 1000, 2
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU() + 1))
	f := start(b, service.Options{}, Options{})
	f.ok("PUT /collections/c", `{"vectors":{"size":100,"distance":"Cosine"},"hnsw_config":{"m":16,"ef_construct":200}}`)
	srv := httptest.NewServer(f.h)
	defer srv.Close()
	vectors := clusteredVectors(20_000, dim)
	var next atomic.Int64
	errs := make([]error, clients)
	b.ResetTimer()
	var wg sync.WaitGroup
	for client := range clients {
		nc, err := net.Dial("tcp", srv.Listener.Addr().String())
		require.NoError(b, err)
		defer func() { _ = nc.Close() }()
		wg.Go(func() {
			var body, request []byte
			in := bufio.NewReaderSize(nc, 64<<10)
			for {
				from := int(next.Add(1)-1) * batch
				if from >= b.N*batch {
					return
				}
				body = append(body[:0], `{"points":[`...)
				for i := from; i < from+batch; i++ {
					body = strconv.AppendInt(append(body, `{"id":`...), int64(i), 10)
					body = append(append(append(body, `,"vector":`...), vectors[i%len(vectors)]...), "},"...)
				}
				body = append(body[:len(body)-1], "]}"...)
				request = append(fmt.Appendf(request[:0], "PUT /collections/c/points?wait=true HTTP/1.1\r\nHost: localhost\r\n"+
					"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body)), body...)
				if errs[client] = roundTrip(nc, in, request); errs[client] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	for _, err := range errs {
		require.NoError(b, err)
	}
	b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "rows/s")
}

// clusteredVectors returns the JSON of vectors around common centres, as embeddings lie.
func clusteredVectors(n, dim int) [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	centres := make([][]float64, 200)
	for i := range centres {
		for range dim {
			centres[i] = append(centres[i], r.NormFloat64())
		}
	}
	vectors, v := make([][]byte, n), make([]float32, dim)
	for i := range vectors {
		for j, x := range centres[r.IntN(len(centres))] {
			v[j] = float32(x + r.NormFloat64())
		}
		vectors[i] = appendFloats(nil, v)
	}
	return vectors
}
