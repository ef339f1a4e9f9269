package respapi

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
)

// BenchmarkPipelinedHSet writes documents with a vector of 768 dimensions, 100 in a pipeline.
func BenchmarkPipelinedHSet(b *testing.B) {
	rdb := start(b, Options{}).client()
	vector := make([]byte, 3072)
	i := 0
	for b.Loop() {
		_, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for range 100 {
				p.HSet(ctx, fmt.Sprint("doc:", i), "v", vector)
				i++
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(i)/b.Elapsed().Seconds(), "docs/s")
}

// BenchmarkPipelinedGet reads one key, 100 times in a pipeline.
func BenchmarkPipelinedGet(b *testing.B) {
	rdb := start(b, Options{}).client()
	rdb.Set(ctx, "k", "v", 0)
	n := 0
	for b.Loop() {
		_, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for range 100 {
				p.Get(ctx, "k")
				n++
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "gets/s")
}

// BenchmarkPing is the round trip of one client.
func BenchmarkPing(b *testing.B) {
	rdb := start(b, Options{}).client()
	for b.Loop() {
		if err := rdb.Ping(ctx).Err(); err != nil {
			b.Fatal(err)
		}
	}
}
