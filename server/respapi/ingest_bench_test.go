package respapi

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkIngest sends pipelines of 1 000 HSET with a blob of 100 dimensions under an HNSW index over two connections and
// waits for every acknowledgement; one iteration is one pipeline. The clients are as cheap as they can be: what is measured
// with -cpuprofile is the server. As in the server there is one processor more than cores, for the worker that builds graphs.
//
//	go test ./server/respapi -run - -bench Ingest -benchtime 331x -cpuprofile cpu.out
func BenchmarkIngest(b *testing.B) {
	const dim, pipeline, clients = 100, 1000, 2
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU() + 1))
	f := start(b, Options{})
	require.Equal(b, "+OK|", f.raw().do("FT.CREATE i ON HASH PREFIX 1 row: SCHEMA v VECTOR HNSW 10 TYPE FLOAT32 DIM 100 "+
		"DISTANCE_METRIC COSINE M 16 EF_CONSTRUCTION 200"))
	blobs := clusteredBlobs(20_000, dim)
	var next atomic.Int64
	errs := make([]error, clients)
	b.ResetTimer()
	var wg sync.WaitGroup
	for client := range clients {
		nc, err := net.Dial("tcp", f.addr)
		require.NoError(b, err)
		defer func() { _ = nc.Close() }()
		wg.Go(func() {
			var out []byte
			in := bufio.NewReaderSize(nc, 64<<10)
			answer := make([]byte, 4*pipeline)
			for {
				from := int(next.Add(1)-1) * pipeline
				if from >= b.N*pipeline {
					return
				}
				out = out[:0]
				for i := from; i < from+pipeline; i++ {
					out = appendHSet(out, i, blobs[i%len(blobs)])
				}
				if _, errs[client] = nc.Write(out); errs[client] != nil {
					return
				}
				if _, errs[client] = io.ReadFull(in, answer); errs[client] != nil {
					return
				}
				if string(answer[:8]) != ":1\r\n:1\r\n" {
					errs[client] = fmt.Errorf("answer %q", answer[:40])
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
	b.ReportMetric(float64(b.N*pipeline)/b.Elapsed().Seconds(), "rows/s")
}

func appendHSet(out []byte, row int, blob []byte) []byte {
	key := strconv.AppendInt([]byte("row:"), int64(row), 10)
	out = fmt.Appendf(out, "*4\r\n$4\r\nHSET\r\n$%d\r\n%s\r\n$1\r\nv\r\n$%d\r\n", len(key), key, len(blob))
	return append(append(out, blob...), "\r\n"...)
}

// clusteredBlobs returns vectors around common centres, as embeddings lie.
func clusteredBlobs(n, dim int) [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	centres := make([][]float64, 200)
	for i := range centres {
		for range dim {
			centres[i] = append(centres[i], r.NormFloat64())
		}
	}
	blobs := make([][]byte, n)
	for i := range blobs {
		for _, x := range centres[r.IntN(len(centres))] {
			blobs[i] = binary.LittleEndian.AppendUint32(blobs[i], math.Float32bits(float32(x+r.NormFloat64())))
		}
	}
	return blobs
}
