package vectorindex

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/isobath/isobath/hnsw"
	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/mmapvec"
	"github.com/isobath/isobath/mmapvec/quant"
)

// Trace is the batches of code rows that one search had scored while it walked graphs, and the rows that it read to rescore what
// it found. Scoring them again and nothing else is the least that the search could take with these kernels and this layout.
type Trace struct {
	o       *Options
	batches []batch
	ords    []uint32
	rows    []rowBatch
	query   quant.Query
	exact   mmapvec.Query
	sifter  quant.Sifter // of query, nil: it does not sift
	kept    []uint32     // as long as the longest batch
	out     []float32    // the same
}

// rowBatch is rows of one span.
type rowBatch struct {
	span mmapvec.Span
	at   []uint32
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
	t := &Trace{o: &v.ix.o, query: v.s.codebooks[0].quantizer.NewQuery()}
	t.sifter = quant.SifterOf(t.query)
	sc := v.ix.scratch.Get().(*scratch)
	defer v.ix.scratch.Put(sc)
	sc.trace = t
	defer func() { sc.trace = nil }()
	_, _, err := v.searchIn(ctx, sc, r, nil)
	return t, err
}

// ReplayRows computes the distances to the rows that were read to rescore once more, those of a chunk in one call, as they are stored
// and unverified: less than the search did, which takes them one by one. The rest is as with Replay.
func (t *Trace) ReplayRows(query []float32) error {
	return mmap.Guard("rows of a trace", func() error {
		t.exact.Reset(t.o.Metric, t.o.Datatype, query)
		for i := range t.rows {
			b := &t.rows[i]
			t.exact.Span(b.span, b.at, t.out[:len(b.at)])
		}
		return nil
	})
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
	t.fit(len(ords))
	t.batches = append(t.batches, batch{codes, bound, len(t.ords), sifted})
}

// noteRows adds the rows of slots, those of a span together.
func (t *Trace) noteRows(v *mmapvec.View, slots []uint32) {
	slots = slices.Sorted(slices.Values(slots))
	for len(slots) > 0 {
		b := rowBatch{span: v.Span(slots[0])}
		for len(b.at) < len(slots) && int64(slots[len(b.at)])-int64(b.span.First) < int64(b.span.Count) {
			b.at = append(b.at, slots[len(b.at)]-b.span.First)
		}
		if len(b.at) == 0 {
			return // no chunk holds the slot: the search fails
		}
		t.fit(len(b.at))
		t.rows, slots = append(t.rows, b), slots[len(b.at):]
	}
}

// fit makes room for batches of n.
func (t *Trace) fit(n int) {
	if len(t.out) < n {
		t.out, t.kept = make([]float32, 2*n), make([]uint32, 2*n)
	}
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
