package httpapi

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/server/service"
)

func upsertOf(n, dim int) []byte {
	body := []byte(`{"points":[`)
	v := make([]float32, dim)
	for i := range n {
		for j := range v {
			v[j] = float32(math.Sin(float64(i*dim + j)))
		}
		body = fmt.Appendf(body, `{"id":%d,"payload":{"city":"Berlin","n":%d,"tags":["a","b"]},"vector":`, i, i)
		body = append(appendFloats(body, v), "},"...)
	}
	return append(body[:len(body)-1], "]}"...)
}

func BenchmarkDecodeUpsert(b *testing.B) {
	for _, dim := range []int{16, 768} {
		b.Run(fmt.Sprint(dim), func(b *testing.B) {
			body := upsertOf(100, dim)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				var u upsertBody
				if err := decode(body, &u); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkQuery(b *testing.B) {
	f := start(b, service.Options{}, Options{})
	f.ok("PUT /collections/c", `{"vectors":{"size":16,"distance":"Dot"}}`)
	f.ok("PUT /collections/c/points?wait=true", string(upsertOf(1000, 16)))
	v := make([]float32, 16)
	v[3] = 1
	body := `{"query":` + string(appendFloats(nil, v)) + `,"limit":10}`
	b.ReportAllocs()
	for b.Loop() {
		require.Equal(b, 200, f.do("POST /collections/c/points/query", body).status)
	}
}
