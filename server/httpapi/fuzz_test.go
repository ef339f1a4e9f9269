package httpapi

import (
	"encoding/json"
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzParseFloats(f *testing.F) {
	for _, s := range []string{`[]`, `[1]`, `[1,2.5,-3e-7]`, `[null]`, `["1"]`, `[1e39]`, `[ 1 , 2 ]`, `[1,]`, `[01]`, `[1.]`, `[-]`, `[.5]`, `[1`, `[0.000030517578125000000000000001]`,
		`[16777217.000000001,9007199254740993,1.00000017881393432617187499]`, `[0x1p3]`, `[1_0]`, `[Inf]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := parseFloats(raw, nil)
		var want []json.Number
		if !json.Valid(raw) || json.Unmarshal(raw, &want) != nil {
			return // the decoder has refused it before
		}
		var elements []json.RawMessage
		if json.Unmarshal(raw, &elements) != nil || elements == nil {
			return
		}
		for i, e := range elements {
			x, bad := strconv.ParseFloat(string(e), 32)
			if bad != nil {
				require.Error(t, err, "%s", raw)
				return
			}
			if err == nil {
				require.Equal(t, math.Float32bits(float32(x)), math.Float32bits(got[i]), "%s", e)
			}
		}
		require.NoError(t, err, "%s", raw)
		require.Len(t, got, len(elements))
		again, err := parseFloats(appendFloats(nil, got), nil)
		require.NoError(t, err)
		for i := range got {
			require.Equal(t, math.Float32bits(got[i]), math.Float32bits(again[i]))
		}
	})
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{`{}`, `{"must":{"key":"a","match":{"any":["x"]}}}`, `{"should":[{"has_id":[1]},{"nested":{"key":"a","filter":{"must_not":[]}}}]}`,
		`{"min_should":{"conditions":[{"is_null":{"key":"a"}}],"min_count":1}}`, `{"must":[{"key":"a","range":{"gt":"2024-01-01"}}]}`, `{"must":{"slice":{"total":1,"index":0}}}`,
		`{"must":{"key":"g","geo_polygon":{"exterior":{"points":[]}}}}`, `{"must":{"key":"a","match":null,"range":null,"geo_radius":{"center":null}}}`, `{"must":{"nested":null,"has_id":null}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var body struct {
			Filter *filterBody `json:"filter"`
		}
		if decode(append(append([]byte(`{"filter":`), raw...), '}'), &body) != nil {
			return
		}
		_, err := body.Filter.expr()
		if err != nil {
			require.NotEqual(t, 500, toAPI(err).status, "%v", err)
		}
	})
}

func TestFloatsAreShortest(t *testing.T) {
	for f, want := range map[float32]string{1: "1.0", 0: "0.0", 1.4063001: "1.4063001", -0.5: "-0.5", 1e-7: "1e-7", 1.5e-10: "1.5e-10", 1e13: "1e13", 1.2345e20: "1.2345e20",
		1e12: "1000000000000.0", 1e-5: "0.00001", math.MaxFloat32: "3.4028235e38", 16777216: "16777216.0"} {
		require.Equal(t, want, string(appendFloat32(nil, f)))
	}
}

func BenchmarkParseFloats(b *testing.B) {
	v := make([]float32, 768)
	for i := range v {
		v[i] = float32(math.Sin(float64(i)))
	}
	raw := appendFloats(nil, v)
	dst := make([]float32, 0, len(v))
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := parseFloats(raw, dst[:0]); err != nil {
			b.Fatal(err)
		}
	}
}
