package vectorindex

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/hnsw"
	"github.com/isobath/isobath/internal/nice"
	"github.com/isobath/isobath/mmapvec/quant"
)

// watched counts the codes that were made a query on threads of the wanted nice value and on others.
type watched struct {
	quant.Quantizer
	want            int
	lowered, others atomic.Int64
}

type watchedQuery struct {
	quant.Query
	w *watched
}

func (w *watched) NewQuery() quant.Query { return watchedQuery{w.Quantizer.NewQuery(), w} }

func (q watchedQuery) ResetCode(code []byte) {
	if value, err := nice.Value(); err == nil && value == q.w.want {
		q.w.lowered.Add(1)
	} else {
		q.w.others.Add(1)
	}
	q.Query.ResetCode(code)
}

func TestGraphsAreBuiltAtALowerPriority(t *testing.T) {
	before, err := nice.Value()
	require.NoError(t, err)
	w := newWorld(t, nil)
	w.add(600)
	s := w.ix.pin()
	defer s.release()
	p := s.parts[0]
	book := *p.book
	q := &watched{Quantizer: book.quantizer, want: min(before+nice.Steps, 19)}
	book.quantizer = q
	g, err := hnsw.New(p.capacity, w.ix.graphParams())
	require.NoError(t, err)
	defer g.Free()
	var b builder
	b.aim(w.ix, &book, p.codes)
	for at := 0; at < p.len(); {
		at, err = b.insert(g, at, p.len())
		require.NoError(t, err)
	}
	require.GreaterOrEqual(t, q.lowered.Load(), int64(p.len()))
	require.Zero(t, q.others.Load())
	now, err := nice.Value()
	require.NoError(t, err)
	require.Equal(t, before, now, "who calls it keeps its own")
}
