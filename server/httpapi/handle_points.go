package httpapi

import (
	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/payload"
	"github.com/isobath/isobath/server/service"
)

// writes returns the function of a route whose body is one write.
func writes(newBody func() writeBody) func(*Handler, *request) (any, error) {
	return func(h *Handler, r *request) (any, error) {
		body := newBody()
		if err := decode(r.body, body); err != nil {
			return nil, err
		}
		run, err := body.operation()
		if err != nil {
			return nil, err
		}
		c, err := h.collection(r)
		if err != nil {
			return nil, err
		}
		return r.run(c, run)
	}
}

// run executes one write as wait and timeout say.
func (r *request) run(c *service.Collection, run operation) (updateResult, error) {
	res, err := run(r.ctx, c, engine.WriteOptions{NoWait: !r.wait})
	if err != nil {
		return updateResult{}, err
	}
	out := updateResult{res.Operation, "acknowledged"}
	switch {
	case res.Applied:
		out.status = "completed"
	case r.wait:
		out.status = "wait_timeout"
	}
	return out, nil
}

// batchUpdate validates the whole body, then runs the operations in order up to the first error.
func (h *Handler) batchUpdate(r *request) (any, error) {
	var body batchUpdateBody
	if err := decode(r.body, &body); err != nil {
		return nil, err
	}
	if body.Operations == nil {
		return nil, formatError("missing field `operations`")
	}
	runs := make([]operation, len(body.Operations))
	for i, o := range body.Operations {
		var err error
		if runs[i], err = o.body.operation(); err != nil {
			return nil, err
		}
	}
	c, err := h.collection(r)
	if err != nil {
		return nil, err
	}
	results := make(list[updateResult], len(runs))
	for i, run := range runs {
		if results[i], err = r.run(c, run); err != nil {
			return nil, err
		}
	}
	return results, nil
}

func (h *Handler) createIndex(r *request) (any, error) {
	var body indexBody
	if err := decode(r.body, &body); err != nil {
		return nil, err
	}
	def, params, err := body.def()
	if err != nil {
		return nil, err
	}
	c, err := h.collection(r)
	if err != nil {
		return nil, err
	}
	return r.run(c, fieldCreation(def, params))
}

func (h *Handler) deleteIndex(r *request) (any, error) {
	name, err := fieldName(r.PathValue("field_name"))
	if err != nil {
		return nil, err
	}
	c, err := h.collection(r)
	if err != nil {
		return nil, err
	}
	return r.run(c, fieldRemoval(name))
}

func (h *Handler) getPoint(r *request) (any, error) {
	text := r.PathValue("id")
	id, err := payload.ParsePointID(text)
	if err != nil {
		return nil, wrongInput("Can not recognize %q as point id", clip(text))
	}
	c, err := h.collection(r)
	if err != nil {
		return nil, err
	}
	fetch := engine.Fetch{Payload: true, Vectors: true}
	hits, err := c.Get(r.ctx, []engine.PointID{id}, fetch)
	if err != nil {
		return nil, err
	}
	if len(hits) == 0 {
		return nil, notFound("Point with id %s does not exists!", id)
	}
	return record{shapeOf(c, fetch), hits[0]}, nil
}

// getPointsBody is the body of POST /points.
type getPointsBody struct {
	IDs         idList        `json:"ids"`
	WithPayload payloadSelect `json:"with_payload"`
	WithVector  vectorSelect  `json:"with_vector"`
	WithVectors vectorSelect  `json:"with_vectors"`
	Shard       shardKey      `json:"shard_key"`
}

func (h *Handler) getPoints(r *request) (any, error) {
	var body getPointsBody
	if err := decode(r.body, &body); err != nil {
		return nil, err
	}
	if body.IDs == nil {
		return nil, formatError("missing field `ids`")
	}
	c, err := h.collection(r)
	if err != nil {
		return nil, err
	}
	fetch := fetchOf(body.WithPayload, true, body.WithVector, body.WithVectors)
	hits, err := c.Get(r.ctx, body.IDs, fetch)
	return recordList{shapeOf(c, fetch), hits}, err
}
