package engine

import (
	"cmp"
	"context"
	"slices"

	"github.com/isobath/isobath/engine/vectorindex"
)

// Trace is what a search had scored on its way, see vectorindex.Trace: for measuring how near searches come to what the
// machine can do. It holds a view of the collection until Close.
type Trace struct {
	view  *view
	trace *vectorindex.Trace
	query []float32
}

// Trace searches without a filter and records it.
func (c *Collection) Trace(ctx context.Context, req SearchRequest) (*Trace, error) {
	store := c.vectors[req.Vector]
	if store == nil {
		return nil, &VectorNameError{req.Vector}
	}
	v, err := c.pinWith(store)
	if err != nil {
		return nil, err
	}
	t := &Trace{view: v}
	p := v.schema.Vectors[req.Vector]
	if err := v.schema.checkVector(req.Vector, req.Query); err != nil {
		v.release()
		return nil, err
	}
	t.query = p.stored(slices.Clone(req.Query))
	t.trace, err = v.index.Trace(ctx, vectorindex.Request{Query: t.query, K: req.K, Ef: cmp.Or(req.Ef, p.EfConstruct)})
	if err != nil {
		v.release()
		return nil, err
	}
	return t, nil
}

// Replay scores again the codes that the search had scored, and does nothing else.
func (t *Trace) Replay() { t.trace.Replay(t.query) }

// ReplayRows computes again the distances to the rows that the search read to rescore, unverified, and does nothing else.
func (t *Trace) ReplayRows() error { return t.trace.ReplayRows(t.query) }

// Distances returns the number of codes scored.
func (t *Trace) Distances() int { return t.trace.Distances() }

// Close releases the view.
func (t *Trace) Close() { t.view.release() }
