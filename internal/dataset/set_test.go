package dataset

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func openTest(t *testing.T, o Options) *Set {
	t.Helper()
	s, err := Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestSyntheticRowsDependOnNothingButTheirNumber(t *testing.T) {
	o := Options{Name: "synthetic", Rows: 1000, Dim: 48, Queries: 20, Synthetic: Synthetic{Seed: 7, Clusters: 10}}
	a, b := openTest(t, o), openTest(t, o)
	whole, err := a.Read(0, 1000)
	require.NoError(t, err)
	part, err := b.Read(333, 700)
	require.NoError(t, err)
	require.Equal(t, whole.Slice(333, 700), part)
	require.Equal(t, a.Queries, b.Queries)
	require.Equal(t, a.Key(), b.Key())
	_, err = a.Read(999, 1001)
	require.Error(t, err)
	for i := range whole.Len() {
		require.InDelta(t, 1, length(whole.Row(i)), 1e-5)
	}

	o.Synthetic.Seed = 8
	c := openTest(t, o)
	require.NotEqual(t, a.Key(), c.Key())
	other, err := c.Read(0, 1000)
	require.NoError(t, err)
	require.NotEqual(t, whole, other)
	// Streams of neighbouring rows have nothing in common.
	seen := map[float32]int{}
	for _, x := range whole.Data {
		seen[x]++
	}
	require.Greater(t, len(seen), len(whole.Data)*9/10)
}

// The bits of a row are part of what a figure is about: they must not depend on the machine.
func TestSyntheticBitsAreFixed(t *testing.T) {
	s := openTest(t, Options{Name: "synthetic", Rows: 2, Dim: 8, Queries: 1, Metric: L2, Synthetic: Synthetic{Seed: 1, Clusters: 3, Low: 2, High: 4, Spread: 0.5, Noise: 0.1}})
	rows, err := s.Read(1, 2)
	require.NoError(t, err)
	var bits []uint32
	for _, x := range rows.Row(0) {
		bits = append(bits, math.Float32bits(x))
	}
	require.Equal(t, []uint32{0x3dbe91ca, 0x3ee61de6, 0x3f289066, 0xbe46ed96, 0x3ed8bd48, 0xbf808d67, 0x3ccce482, 0x3eafe928}, bits)
}

func length(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

// TestIntrinsicDimension estimates it from the distances to the nearest rows (Levina and Bickel,
// 2004, with the correction of MacKay and Ghahramani). The estimate is low where rows are few.
func TestIntrinsicDimension(t *testing.T) {
	for _, x := range []struct{ axes, low, high int }{{4, 3, 5}, {16, 10, 17}, {32, 15, 33}} {
		s := openTest(t, Options{Name: "synthetic", Rows: 8000, Dim: 256, Queries: 1, Metric: L2,
			Synthetic: Synthetic{Seed: 3, Clusters: 2, Low: x.axes, High: x.axes, Spread: 0.2, Noise: -1}})
		const k = 20
		probes, err := s.Read(0, 200)
		require.NoError(t, err)
		truth, err := s.Nearest(context.Background(), probes, k+1, 0, s.Rows, nil, nil)
		require.NoError(t, err)
		rows, err := s.Read(0, s.Rows)
		require.NoError(t, err)
		sum, n := 0.0, 0
		for i := range probes.Len() {
			near := truth.Of(i)[1:] // the first is the row itself
			require.Equal(t, int32(i), truth.Of(i)[0])
			far := s.Metric.Kernel().Distance(probes.Row(i), rows.Row(int(near[k-1])))
			for _, j := range near[:k-1] {
				d := s.Metric.Kernel().Distance(probes.Row(i), rows.Row(int(j)))
				sum += math.Log(float64(far)/float64(d)) / 2 // squared distances
				n++
			}
		}
		estimate := float64(n) / sum
		require.GreaterOrEqual(t, estimate, float64(x.low), "%d axes", x.axes)
		require.LessOrEqual(t, estimate, float64(x.high), "%d axes", x.axes)
	}
}

func TestNearestIsTheNaiveAnswer(t *testing.T) {
	for _, metric := range []Metric{Cosine, Dot, L2} {
		s := openTest(t, Options{Name: "synthetic", Rows: 3000, Dim: 20, Queries: 9, Metric: metric, Synthetic: Synthetic{Clusters: 30}})
		rows, err := s.Read(0, s.Rows)
		require.NoError(t, err)
		allow := func(row int) bool { return row%3 != 1 }
		truth, err := s.Nearest(context.Background(), s.Queries, 50, 100, 2900, allow, nil)
		require.NoError(t, err)
		for q := range s.Queries.Len() {
			var want []near
			for i := 100; i < 2900; i++ {
				if allow(i) {
					want = append(want, near{s.Metric.Kernel().Distance(s.Queries.Row(q), rows.Row(i)), int32(i)})
				}
			}
			slices.SortFunc(want, func(a, b near) int {
				if a.less(b) {
					return -1
				}
				return 1
			})
			for i, id := range truth.Of(q) {
				// Kernels of one and of many rows may differ in the last bit.
				require.InDelta(t, want[i].distance, s.Metric.Kernel().Distance(s.Queries.Row(q), rows.Row(int(id))), 1e-5)
			}
			require.Len(t, truth.Of(q), 50)
		}
	}
}

func TestFewerRowsThanNeighbours(t *testing.T) {
	s := openTest(t, Options{Name: "synthetic", Rows: 5, Dim: 20, Queries: 2})
	truth, err := s.Truth(context.Background(), t.TempDir(), nil)
	require.NoError(t, err)
	require.ElementsMatch(t, []int32{0, 1, 2, 3, 4}, truth.Of(1))
}

func TestTruthIsCached(t *testing.T) {
	s := openTest(t, Options{Name: "synthetic", Rows: 500, Dim: 20, Queries: 5})
	dir := t.TempDir()
	first, err := s.Truth(context.Background(), dir, nil)
	require.NoError(t, err)
	compared := 0
	again, err := s.Truth(context.Background(), dir, func(int) { compared++ })
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Zero(t, compared)

	name := s.CacheFile(dir, "truth.i32")
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, b[4:], 0o600))
	_, err = s.Truth(context.Background(), dir, nil)
	require.ErrorContains(t, err, "damaged")
	b[3] = 1 // row 2^24
	require.NoError(t, os.WriteFile(name, b, 0o600))
	_, err = s.Truth(context.Background(), dir, nil)
	require.ErrorContains(t, err, "damaged")
}

func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), Names[0])
	require.NoError(t, os.Mkdir(dir, 0o700))
	write := func(name string, rows *Rows) {
		var b bytes.Buffer
		require.NoError(t, WriteFvecs(&b, rows))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o600))
	}
	write("base.fvecs", &Rows{Dim: 2, Data: []float32{3, 4, 0, 2, 1, 0}})
	write("query.fvecs", &Rows{Dim: 2, Data: []float32{0, 1}})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "payload.jsonl"), []byte("{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "set.json"),
		[]byte(`{"metric":"cosine","dim":2,"rows":3,"queries":1,"fields":{"n":"integer"}}`), 0o600))
	o := Options{Name: Names[0], Dir: filepath.Dir(dir)}
	s := openTest(t, o)
	require.Equal(t, 3, s.Rows)
	rows, err := s.Read(0, 2)
	require.NoError(t, err)
	require.InDeltaSlice(t, []float32{0.6, 0.8, 0, 1}, rows.Data, 1e-6)
	truth, err := s.Truth(context.Background(), t.TempDir(), nil)
	require.NoError(t, err)
	require.Equal(t, []int32{1, 0, 2}, truth.Of(0))
	payload, err := s.Payload()
	require.NoError(t, err)
	require.JSONEq(t, `{"n":3}`, string(payload(2)))
	require.Equal(t, []string{"n"}, s.FieldNames("integer"))

	o.Rows = 1
	require.Equal(t, 1, openTest(t, o).Rows)
	o.Rows = 0
	require.NoError(t, os.Truncate(filepath.Join(dir, "base.fvecs"), 30))
	_, err = Open(o)
	require.ErrorContains(t, err, "no whole number of rows")
	for name, x := range map[string]Options{
		"prepared": {Name: Names[1], Dir: dir},
		"there is": {Name: "nothing"},
		"metric":   {Name: "synthetic", Metric: "l7"},
		"spread":   {Name: "synthetic", Synthetic: Synthetic{Spread: -1}},
		"negative": {Name: "synthetic", Rows: -1},
	} {
		_, err := Open(x)
		require.ErrorContains(t, err, name)
	}
}

func TestEach(t *testing.T) {
	s := openTest(t, Options{Name: "synthetic", Rows: 1000, Dim: 4, Queries: 1})
	var mu sync.Mutex
	seen := map[int]int{}
	require.NoError(t, s.Each(context.Background(), 10, 955, 100, 3, func(_, from int, rows *Rows) error {
		mu.Lock()
		defer mu.Unlock()
		for i := range rows.Len() {
			seen[from+i]++
		}
		return nil
	}))
	require.Len(t, seen, 945)
	stop := errors.New("stop")
	require.ErrorIs(t, s.Each(context.Background(), 0, 1000, 10, 2, func(int, int, *Rows) error { return stop }), stop)
}
