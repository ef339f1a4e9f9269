package vectorindex

import (
	"context"
	"errors"
	"math"

	"github.com/isobath/isobath/hnsw"
	"github.com/isobath/isobath/mmapvec/quant"
)

// Trace is the batches of code rows that one search had scored while it walked graphs. Scoring them again and nothing
// else is the least that the search could take with these kernels and this layout.
type Trace struct {
	batches []batch
	ords    []uint32
	query   quant.Query
	sifter  quant.Sifter // of query, nil: it does not sift
	kept    []uint32     // as long as the longest batch
	out     []float32    // the same
}

type batch struct {
	codes  []byte
	bound  float32
	end    int  // in ords
	sifted bool // by bound, before it was scored
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
	t.sifter = quant.SifterOf(t.query)
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
		ords, bound := t.ords[from:b.end], b.bound
		if b.sifted {
			ords = t.kept[:t.sifter.Sift(b.codes, ords, t.kept, bound)]
			bound = float32(math.Inf(1))
		}
		t.query.Distances(b.codes, ords, t.out[:len(ords)], bound)
		from = b.end
	}
}

// Distances returns the number of rows scored.
func (t *Trace) Distances() int { return len(t.ords) }

// note adds a batch.
func (t *Trace) note(codes []byte, ords []uint32, bound float32, sifted bool) {
	t.ords = append(t.ords, ords...)
	if len(t.out) < len(ords) {
		t.out, t.kept = make([]float32, 2*len(ords)), make([]uint32, 2*len(ords))
	}
	t.batches = append(t.batches, batch{codes, bound, len(t.ords), sifted})
}

// recorder notes what a walk asks of a scorer.
type recorder struct {
	hnsw.Scorer
	trace  *Trace
	codes  []byte
	sifted bool // what is scored next was sifted, and noted then
}

// Distances implements hnsw.Scorer.
func (r *recorder) Distances(ords []uint32, out []float32, bound float32) {
	if !r.sifted {
		r.trace.note(r.codes, ords, bound, false)
	}
	r.sifted = false
	r.Scorer.Distances(ords, out, bound)
}

// siftRecorder is a recorder of a scorer that sifts; implements hnsw.Sifter.
type siftRecorder struct {
	recorder
	sifter hnsw.Sifter
}

func (r *siftRecorder) Sift(ids, kept []uint32, bound float32) int {
	r.trace.note(r.codes, ids, bound, true)
	n := r.sifter.Sift(ids, kept, bound)
	r.sifted = n > 0
	return n
}
