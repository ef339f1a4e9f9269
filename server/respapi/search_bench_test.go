package respapi

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/engine"
)

// BenchmarkSearchOverhead asks FT.SEARCH for the 10 nearest of 30 000 vectors of 100 dimensions, one request in flight, and
// takes turns with the same search in the engine, which reads keys as that command does. It reports medians in microseconds:
// what the engine takes, and what a round trip takes longer: of a bare connection with a request made before (added), with the
// distances (added-return), and of go-redis (added-client).
//
//	go test ./server/respapi -run - -bench SearchOverhead -benchtime 5000x
func BenchmarkSearchOverhead(b *testing.B) {
	const rows, dim, k = 30_000, 100, 10
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU() + 1))
	f, blobs := indexed(b, rows, dim)
	index, err := f.db.Index(0, "i")
	require.NoError(b, err)
	nc, err := net.Dial("tcp", f.addr)
	require.NoError(b, err)
	defer func() { _ = nc.Close() }()
	in := bufio.NewReaderSize(nc, 64<<10)
	rdb := redis.NewClient(&redis.Options{Addr: f.addr, Protocol: 2})
	defer func() { _ = rdb.Close() }()
	var own, bare, fields, client []time.Duration
	timed := func(list *[]time.Duration, fn func() error) {
		began := time.Now()
		err := fn()
		*list = append(*list, time.Since(began))
		require.NoError(b, err)
	}
	trip := func(args ...string) func() error {
		request := encode(args...)
		return func() (err error) {
			if _, err = nc.Write(request); err == nil {
				_, err = skipReply(in)
			}
			return err
		}
	}
	i := 0
	blob := func() []byte { // another one each time, so that nobody finds the caches warm
		i += 7
		return blobs[i%len(blobs)]
	}
	text := func() []string {
		return []string{"FT.SEARCH", "i", "*=>[KNN 10 @v $q EF_RUNTIME 64]", "PARAMS", "2", "q", string(blob())}
	}
	query := make([]float32, dim)
	for b.Loop() {
		v := blob()
		for j := range query {
			query[j] = math.Float32frombits(binary.LittleEndian.Uint32(v[4*j:]))
		}
		timed(&own, func() error {
			_, err := index.Search(ctx, engine.SearchRequest{Vector: "v", Query: query, K: k, Ef: 64, Fetch: engine.Fetch{Expiry: true}})
			return err
		})
		timed(&bare, trip(append(text(), "NOCONTENT", "DIALECT", "2")...))
		timed(&fields, trip(append(text(), "RETURN", "1", "__v_score", "DIALECT", "2")...))
		v = blob()
		timed(&client, func() error {
			return rdb.Do(ctx, "FT.SEARCH", "i", "*=>[KNN 10 @v $q EF_RUNTIME 64]", "PARAMS", 2, "q", v, "NOCONTENT", "DIALECT", 2).Err()
		})
	}
	base := median(own)
	b.ReportMetric(base, "engine-µs")
	b.ReportMetric(median(bare)-base, "added-µs")
	b.ReportMetric(median(fields)-base, "added-return-µs")
	b.ReportMetric(median(client)-base, "added-client-µs")
}

// BenchmarkSearchUnderLoad asks FT.SEARCH for the 10 nearest of 30 000 vectors, one request in flight: first alone, then while
// another connection loads rows as fast as it can. It reports percentiles of both in microseconds and the rows loaded.
//
//	go test ./server/respapi -run - -bench SearchUnderLoad -benchtime 3000x
func BenchmarkSearchUnderLoad(b *testing.B) {
	const rows, dim = 30_000, 100
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU() + 1))
	f, blobs := indexed(b, rows, dim)
	nc, err := net.Dial("tcp", f.addr)
	require.NoError(b, err)
	defer func() { _ = nc.Close() }()
	in := bufio.NewReaderSize(nc, 64<<10)
	search := func(i int) time.Duration {
		request := encode("FT.SEARCH", "i", "*=>[KNN 10 @v $q EF_RUNTIME 64]", "PARAMS", "2", "q", string(blobs[7*i%len(blobs)]), "NOCONTENT", "DIALECT", "2")
		began := time.Now()
		_, err := nc.Write(request)
		require.NoError(b, err)
		_, err = skipReply(in)
		require.NoError(b, err)
		return time.Since(began)
	}
	var idle, busy []time.Duration
	for i := range b.N {
		idle = append(idle, search(i))
	}
	loader, err := net.Dial("tcp", f.addr)
	require.NoError(b, err)
	var loaded int
	ended := make(chan error, 1)
	go func() {
		var out []byte
		answer := make([]byte, 4*1000)
		for {
			out = out[:0]
			for i := range 1000 {
				out = appendHSet(out, rows+loaded+i, blobs[i])
			}
			_, err := loader.Write(out)
			if err == nil {
				_, err = io.ReadFull(loader, answer)
			}
			if err != nil {
				ended <- err
				return
			}
			loaded += 1000
		}
	}()
	b.ResetTimer()
	for i := range b.N {
		busy = append(busy, search(i))
	}
	b.StopTimer()
	require.NoError(b, loader.Close())
	require.ErrorIs(b, <-ended, net.ErrClosed)
	took := b.Elapsed().Seconds()
	report := func(name string, list []time.Duration) {
		b.ReportMetric(median(list), name+"-p50-µs")
		b.ReportMetric(float64(list[len(list)*99/100])/1e3, name+"-p99-µs")
	}
	report("idle", idle)
	report("busy", busy)
	b.ReportMetric(float64(loaded)/took, "rows/s")
	b.ReportMetric(float64(loaded), "rows")
}

func median(list []time.Duration) float64 {
	slices.Sort(list)
	return float64(list[len(list)/2]) / 1e3
}

// skipReply reads one reply of version 2.
func skipReply(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return line, err
	}
	switch line[0] {
	case '-':
		return line, fmt.Errorf("answer %q", line)
	case '*', '$':
		n, err := strconv.Atoi(string(bytes.TrimSpace(line[1:])))
		if err != nil {
			return line, err
		}
		if line[0] == '$' {
			_, err = io.CopyN(io.Discard, in, int64(n)+2)
			return line, err
		}
		for range n {
			if line, err = skipReply(in); err != nil {
				return line, err
			}
		}
	}
	return line, nil
}

// indexed returns a server with an index i over rows of the field v, all in graphs, and their blobs.
func indexed(b *testing.B, rows, dim int) (*fixture, [][]byte) {
	f := start(b, Options{})
	require.Equal(b, "+OK|", f.raw().do(fmt.Sprintf("FT.CREATE i ON HASH PREFIX 1 row: SCHEMA v VECTOR HNSW 6 TYPE FLOAT32 DIM %d "+
		"DISTANCE_METRIC COSINE", dim)))
	blobs := clusteredBlobs(rows, dim)
	rdb := f.client()
	for from := 0; from < rows; from += 1000 {
		_, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := from; i < from+1000; i++ {
				p.HSet(ctx, fmt.Sprint("row:", i), "v", blobs[i])
			}
			return nil
		})
		require.NoError(b, err)
	}
	index, err := f.db.Index(0, "i")
	require.NoError(b, err)
	for {
		if v := index.Info().Vectors["v"]; v.Tail == 0 && v.Vectors == rows {
			return f, blobs
		}
		time.Sleep(20 * time.Millisecond)
	}
}
