package vectorindex

import (
	"context"
	"errors"

	"github.com/isobath/isobath/hnsw"
	"github.com/isobath/isobath/mmapvec/quant"
)

// Trace is the batches of code rows that one search had scored while it walked graphs. Scoring them again and nothing
// else is the least that the search could take with these kernels and this layout.
type Trace struct {
	batches []batch
	ords    []uint32
	query   quant.Query
	out     []float32 // as long as the longest batch
}

type batch struct {
	codes []byte
	bound float32
	end   int // in ords
}

// Trace walks as Search would and returns what was scored, valid until the view is released. The codes of all sources
// must be of one codebook.
func (v *View) Trace(ctx context.Context, r Request) (*Trace, error) {
	if len(r.Query) != v.ix.o.Dim || v.rows == nil {
		return nil, errors.New("vectorindex: a trace of another dimension, or of a closed index")
	}
	if len(v.s.codebooks) != 1 || v.s.codebooks[0].quantizer == nil {
		return nil, errors.New("vectorindex: a trace needs codes of one kind")
	}
	t := &Trace{query: v.s.codebooks[0].quantizer.NewQuery()}
	sc := v.ix.scratch.Get().(*scratch)
	defer v.ix.scratch.Put(sc)
	sc.trace = t
	defer func() { sc.trace = nil }()
	_, _, err := v.searchIn(ctx, sc, r, nil)
	return t, err
}

// Replay scores the batches of the trace once more, for the query that it was recorded with. Not for concurrent use.
func (t *Trace) Replay(query []float32) {
	t.query.Reset(query)
	from := 0
	for i := range t.batches {
		b := &t.batches[i]
		t.query.Distances(b.codes, t.ords[from:b.end], t.out[:b.end-from], b.bound)
		from = b.end
	}
}

// Distances returns the number of rows scored.
func (t *Trace) Distances() int { return len(t.ords) }

// recorder notes what a walk asks of a scorer.
type recorder struct {
	hnsw.Scorer
	trace *Trace
	codes []byte
}

// Distances implements hnsw.Scorer.
func (r *recorder) Distances(ords []uint32, out []float32, bound float32) {
	r.trace.ords = append(r.trace.ords, ords...)
	if len(r.trace.out) < len(ords) {
		r.trace.out = make([]float32, 2*len(ords))
	}
	r.trace.batches = append(r.trace.batches, batch{r.codes, bound, len(r.trace.ords)})
	r.Scorer.Distances(ords, out, bound)
}
