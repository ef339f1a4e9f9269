package bench

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/internal/dataset"
)

// oracle answers with the exact neighbours but for every fourth, and counts.
type oracle struct {
	set  *dataset.Set
	fail error
}

func (o *oracle) search(ctx context.Context, _ int, query []float32, _, k int) (answer, error) {
	if o.fail != nil {
		return answer{}, o.fail
	}
	truth, err := o.set.Nearest(ctx, &dataset.Rows{Dim: o.set.Dim, Data: query}, k, 0, o.set.Rows, nil, nil)
	if err != nil {
		return answer{}, err
	}
	a := answer{took: time.Millisecond, counters: Counters{Distances: 3}}
	for i, id := range truth.Of(0) {
		if i%4 > 0 {
			a.ids = append(a.ids, id)
		}
	}
	return a, nil
}

func TestMeasure(t *testing.T) {
	set, err := dataset.Open(dataset.Options{Name: "synthetic", Rows: 300, Queries: 10, Dim: 8})
	require.NoError(t, err)
	truth, err := set.Truth(context.Background(), t.TempDir(), nil)
	require.NoError(t, err)
	o := &oracle{set: set}
	for _, workers := range []int{1, 3} {
		p, err := measure(context.Background(), o, measurement{queries: set.Queries, truth: truth, ef: 20, k: 8, workers: workers, count: 25})
		require.NoError(t, err)
		require.Equal(t, 20, p.Ef)
		require.InDelta(t, 0.75, p.Recall, 1e-9)
		require.InDelta(t, 3, p.Counters.Distances, 1e-9)
		require.Equal(t, time.Millisecond, p.Latency.P99)
	}
	o.fail = errors.New("no")
	_, err = measure(context.Background(), o, measurement{queries: set.Queries, k: 8, workers: 2})
	require.ErrorIs(t, err, o.fail)
}

func TestScatterIsEven(t *testing.T) {
	seen := [1000]int{}
	for i := range 100_000 {
		seen[scatter(i)]++
	}
	for v, n := range seen {
		require.InDelta(t, 100, n, 5, "value %d", v)
	}
}

func TestLeastPasses(t *testing.T) {
	values := []int{}
	for i := range 5000 {
		values = append(values, scatter(i))
	}
	for _, permille := range selectivities {
		n := count(values, least(values, permille))
		require.InDelta(t, 5*permille, n, 6, "%d in a thousand", permille)
		require.Positive(t, n)
	}
}

func TestPointIDs(t *testing.T) {
	ids, err := pointIDs(nil, []byte(`{"result":{"points":[{"id":17,"version":3,"score":0.5},{"id":4}]},"status":"ok","time":0.1}`))
	require.NoError(t, err)
	require.Equal(t, []int32{17, 4}, ids)
	_, err = pointIDs(nil, []byte(`{"id":"a uuid"}`))
	require.Error(t, err)
	_, err = pointIDs(nil, []byte(`{"id":`))
	require.Error(t, err)
}

func TestCountersOf(t *testing.T) {
	c, err := countersOf([]byte(`{"result":{"points":[]},"explain":{"plan":"walk","distances":7,"hops":2,"rows_read":3,"row_bytes_read":4}}`))
	require.NoError(t, err)
	require.Equal(t, Counters{Distances: 7, Hops: 2, RowsRead: 3, FileBytes: 4}, c)
	_, err = countersOf([]byte(`{"result":{}}`))
	require.ErrorContains(t, err, "does not explain")
}

// counted are searches that count.
type counted struct{ wholes, replays, withRows []int }

func (c *counted) whole(i int) error { c.wholes = append(c.wholes, i); return nil }
func (c *counted) replay(i int) int  { c.replays = append(c.replays, i); return 3 + i }
func (c *counted) rows(i int) error  { c.withRows = append(c.withRows, i); return nil }

func TestShareAsksForAllSidesAlike(t *testing.T) {
	var c counted
	s, err := shareOf(context.Background(), &c, 2, 3)
	require.NoError(t, err)
	require.Len(t, c.wholes, 4*2*2, "a warm-up and three rounds, twice each")
	require.Equal(t, c.wholes, c.withRows)
	require.Len(t, c.replays, 2*len(c.wholes), "alone and with rows")
	require.InDelta(t, 3.5, s.Distances, 1e-9)
	_, err = shareOf(context.Background(), &c, 0, 1)
	require.Error(t, err)
}

// The driver is compiled from its source where that is possible, and finds what we find.
func TestPeer(t *testing.T) {
	var progress bytes.Buffer
	r, err := Open(context.Background(), Config{
		Set: dataset.Options{Name: "synthetic", Rows: 2000, Queries: 50, Dim: 16, Synthetic: dataset.Synthetic{Clusters: 10}}, Cache: t.TempDir(), Progress: &progress,
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	p, err := r.startPeer(context.Background(), 2, false)
	var none *noPeerError
	if errors.As(err, &none) {
		t.Skip(none.reason)
	}
	require.NoError(t, err)
	x, err := p.measure(500, 10, 2)
	require.NoError(t, err)
	require.Greater(t, x.Recall, 0.99)
	require.Greater(t, x.Counters.Distances, 500.0)
	require.NoError(t, p.close())

	r.Peer = "off"
	_, err = r.startPeer(context.Background(), 2, false)
	require.ErrorAs(t, err, &none)
}
