package httpapi

import (
	"math"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/server/service"
)

// scrollBody is the body of points/scroll.
type scrollBody struct {
	Offset      *pointID      `json:"offset"`
	Limit       *uint64       `json:"limit"`
	Filter      *filterBody   `json:"filter"`
	WithPayload payloadSelect `json:"with_payload"`
	WithVector  vectorSelect  `json:"with_vector"`
	WithVectors vectorSelect  `json:"with_vectors"`
	OrderBy     *orderBody    `json:"order_by"`
	Shard       shardKey      `json:"shard_key"`
}

func (b *scrollBody) validate(v *violations) { atLeast(v, "limit", b.Limit, 1) }

func (h *Handler) scroll(r *request) (any, error) {
	var body scrollBody
	if err := decode(r.body, &body); err != nil {
		return nil, err
	}
	if body.OrderBy != nil && body.Offset != nil {
		return nil, badRequest("Cannot use an `offset` when using `order_by`. Page with `order_by.start_from` and a filter that excludes the ids already seen at its value.")
	}
	req := engine.ScrollRequest{Limit: defaultLimit, Fetch: fetchOf(body.WithPayload, true, body.WithVector, body.WithVectors)}
	if body.Limit != nil {
		req.Limit = int(min(*body.Limit, math.MaxUint32))
	}
	if body.Offset != nil {
		req.From = &body.Offset.id
	}
	var err error
	if req.Filter, err = body.Filter.expr(); err != nil {
		return nil, err
	}
	c, err := h.collection(r)
	if err != nil {
		return nil, err
	}
	var stats engine.SearchStats
	req.Stats = &stats
	defer r.explainBy(&stats)
	if body.OrderBy != nil {
		order := body.OrderBy.order
		if err := kept(c, &order); err != nil {
			return nil, err
		}
		hits, err := c.ScrollOrdered(r.ctx, engine.OrderedRequest{Order: order, Filter: req.Filter, Limit: req.Limit, Fetch: req.Fetch, Stats: &stats})
		return page{orderedRecords(shapeOf(c, req.Fetch), hits), nil}, err
	}
	hits, next, err := c.Scroll(r.ctx, req)
	return page{recordList{shapeOf(c, req.Fetch), hits}, next}, err
}

// countBody is the body of points/count.
type countBody struct {
	Filter *filterBody `json:"filter"`
	Exact  *bool       `json:"exact"`
	Shard  shardKey    `json:"shard_key"`
}

func (h *Handler) count(r *request) (any, error) {
	var body countBody
	if err := decode(r.body, &body); err != nil {
		return nil, err
	}
	f, err := body.Filter.expr()
	if err != nil {
		return nil, err
	}
	c, err := h.collection(r)
	if err != nil {
		return nil, err
	}
	var stats engine.SearchStats
	n, err := c.Count(r.ctx, f, &stats)
	r.explainBy(&stats)
	return map[string]int{"count": n}, err
}

func (h *Handler) query(r *request) (any, error) {
	var body queryBody
	if err := decode(r.body, &body); err != nil {
		return nil, err
	}
	q, err := body.query()
	if err != nil {
		return nil, err
	}
	hits, err := h.run(r, q)
	return points{hits}, err
}

func (h *Handler) search(r *request) (any, error) {
	var body searchBody
	if err := decode(r.body, &body); err != nil {
		return nil, err
	}
	q, err := body.query()
	if err != nil {
		return nil, err
	}
	return h.run(r, q)
}

func (h *Handler) run(r *request, q service.Query) (scoredList, error) {
	c, err := h.collection(r)
	if err != nil {
		return scoredList{}, err
	}
	if err := kept(c, q.Order); err != nil {
		return scoredList{}, err
	}
	a, err := c.Query(r.ctx, q)
	r.explainBy(&a.Stats)
	return scoredList{shapeOf(c, q.Fetch), a.Hits}, err
}

func (h *Handler) queryBatch(r *request) (any, error) {
	var body queryBatchBody
	lists, err := h.runBatch(r, &body)
	out := make(list[points], len(lists))
	for i := range lists {
		out[i].list = lists[i]
	}
	return out, err
}

func (h *Handler) searchBatch(r *request) (any, error) {
	var body searchBatchBody
	return h.runBatch(r, &body)
}

// runBatch decodes a batch and runs its queries side by side.
func (h *Handler) runBatch(r *request, body interface {
	queries() ([]service.Query, error)
}) (list[scoredList], error) {
	if err := decode(r.body, body); err != nil {
		return nil, err
	}
	qs, err := body.queries()
	if err != nil {
		return nil, err
	}
	c, err := h.collection(r)
	if err != nil {
		return nil, err
	}
	for _, q := range qs {
		if err := kept(c, q.Order); err != nil {
			return nil, err
		}
	}
	results, err := c.QueryBatch(r.ctx, qs)
	if err != nil {
		return nil, err
	}
	out := make(list[scoredList], len(results))
	explanations := make([]explained, len(results))
	for i := range results {
		out[i] = scoredList{shapeOf(c, qs[i].Fetch), results[i].Hits}
		explanations[i] = explanation(&results[i].Stats)
	}
	if r.explain {
		r.explanation = explanations
	}
	return out, nil
}
