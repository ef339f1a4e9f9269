package vectorindex

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/isobath/isobath/hnsw"
	"github.com/isobath/isobath/internal/nice"
	"github.com/isobath/isobath/mmapvec/quant"
)

// watched counts the queries of codes made on threads of the wanted priority and on others.
type watched struct {
	quant.Quantizer
	want          int
	lower, higher atomic.Int64
}

type watchedQuery struct {
	quant.Query
	w *watched
}

func (w *watched) NewQuery() quant.Query { return watchedQuery{w.Quantizer.NewQuery(), w} }

func (q watchedQuery) ResetCode(code []byte) {
	if priority() >= q.w.want {
		q.w.lower.Add(1)
	} else {
		q.w.higher.Add(1)
	}
	q.Query.ResetCode(code)
}

// priority returns the nice value of the calling thread, below all there are where it cannot be had.
func priority() int {
	p, err := unix.Getpriority(unix.PRIO_PROCESS, unix.Gettid())
	if err != nil {
		return -100
	}
	return 20 - p
}

func TestGraphsAreBuiltAtALowerPriority(t *testing.T) {
	before := priority()
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
	require.GreaterOrEqual(t, q.lower.Load(), int64(p.len()))
	require.Zero(t, q.higher.Load())
	require.Equal(t, before, priority(), "who calls it keeps its own")
}
