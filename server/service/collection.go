package service

import (
	"context"
	"slices"
	"time"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/payload"
)

// Collection is a collection or FT index as a client names it. It is safe for concurrent use.
type Collection struct {
	s *Service
	c *engine.Collection
}

// Name returns the name the collection was created with, which an alias may hide.
func (c *Collection) Name() string { return c.c.Name() }

// Schema returns what the collection was created with.
func (c *Collection) Schema() engine.Schema { return c.c.Schema() }

// Info returns the collection's counters.
func (c *Collection) Info() engine.CollectionInfo { return c.c.Info() }

// Field returns the definition of a payload index.
func (c *Collection) Field(name string) (filter.FieldDef, bool) { return c.c.Field(name) }

// FieldParams returns the user's own words for a payload index, nil when there is none.
func (c *Collection) FieldParams(name string) []byte { return c.c.FieldParams(name) }

// Upsert stores points, all or none; see engine.Collection.Upsert.
func (c *Collection) Upsert(ctx context.Context, points []engine.Point, o engine.UpsertOptions) (engine.WriteResult, error) {
	return c.c.Upsert(ctx, points, o)
}

// UpdateVectors replaces vectors of points that exist.
func (c *Collection) UpdateVectors(ctx context.Context, points []engine.Point, o engine.UpsertOptions) (engine.WriteResult, error) {
	return c.c.UpdateVectors(ctx, points, o)
}

// DeleteVectors removes named vectors of points.
func (c *Collection) DeleteVectors(ctx context.Context, sel engine.Selector, names []string, o engine.WriteOptions) (engine.WriteResult, error) {
	return c.c.DeleteVectors(ctx, sel, names, o)
}

// Delete removes points.
func (c *Collection) Delete(ctx context.Context, sel engine.Selector, o engine.WriteOptions) (engine.WriteResult, error) {
	return c.c.Delete(ctx, sel, o)
}

// ChangePayload changes the payloads of points.
func (c *Collection) ChangePayload(ctx context.Context, sel engine.Selector, ch engine.PayloadChange, o engine.WriteOptions) (engine.WriteResult, error) {
	return c.c.ChangePayload(ctx, sel, ch, o)
}

// CreateField adds a payload index; params is what FieldParams returns. Unless o says not to
// wait, it returns when searches use the index.
func (c *Collection) CreateField(ctx context.Context, def filter.FieldDef, params []byte, o engine.WriteOptions) (engine.WriteResult, error) {
	res, err := c.c.CreateField(ctx, def, params, o)
	if err == nil && res.Applied {
		res.Applied, err = c.waitField(ctx, def.Name)
	}
	return res, err
}

// waitField waits for the build of a payload index and says whether it saw the end. Nobody
// builds the index of a collection that was dropped, or of a database that failed.
func (c *Collection) waitField(ctx context.Context, name string) (built bool, err error) {
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		building := slices.ContainsFunc(c.c.Info().Fields, func(f engine.FieldInfo) bool { return f.Def.Name == name && f.Def.Building })
		if !building {
			return true, nil
		}
		db, err := c.s.engine()
		if err == nil {
			err = db.Failed()
		}
		if err != nil {
			return false, err
		}
		if now, err := db.Collection(c.c.Name()); err != nil || now != c.c {
			return false, engine.ErrDropped
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false, nil
		}
	}
}

// DropField removes a payload index.
func (c *Collection) DropField(ctx context.Context, name string, o engine.WriteOptions) (engine.WriteResult, error) {
	return c.c.DropField(ctx, name, o)
}

// Get returns the points that exist, in the order of ids, each once.
func (c *Collection) Get(ctx context.Context, ids []engine.PointID, f engine.Fetch) ([]engine.Hit, error) {
	hits, err := c.c.Get(ctx, ids, c.fetch(f))
	if err != nil {
		return nil, err
	}
	return hits, finish(c, hits, f, plainHit)
}

// Scroll returns a page of points by ascending id and the first id of the next page.
func (c *Collection) Scroll(ctx context.Context, req engine.ScrollRequest) ([]engine.Hit, *engine.PointID, error) {
	fetch := req.Fetch
	req.Fetch = c.fetch(fetch)
	hits, next, err := c.c.Scroll(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	return hits, next, finish(c, hits, fetch, plainHit)
}

// ScrollOrdered returns points in the order of a payload field.
func (c *Collection) ScrollOrdered(ctx context.Context, req engine.OrderedRequest) ([]engine.OrderedHit, error) {
	fetch := req.Fetch
	req.Fetch = c.fetch(fetch)
	hits, err := c.c.ScrollOrdered(ctx, req)
	if err != nil {
		return nil, err
	}
	return hits, finish(c, hits, fetch, func(h *engine.OrderedHit) *engine.Hit { return &h.Hit })
}

// Count returns the number of points that match f (nil: every point). What it did is added to stats, unless that is nil.
func (c *Collection) Count(ctx context.Context, f filter.Expr, stats *engine.SearchStats) (int, error) {
	return c.c.Count(ctx, f, stats)
}

// fetch asks for the document of an FT collection, from which the payload is made.
func (c *Collection) fetch(f engine.Fetch) engine.Fetch {
	if f.Payload && c.c.IsIndex() {
		f.Document = true
	}
	return f
}

// finish gives the hits of an FT collection payloads: the document, and the key under KeyField.
func finish[T any](c *Collection, hits []T, f engine.Fetch, hit func(*T) *engine.Hit) (err error) {
	if !f.Payload || !c.c.IsIndex() {
		return nil
	}
	skip := vectorSources(c.c.Info().Index)
	for i := range hits {
		h := hit(&hits[i])
		h.Payload = documentPayload(h.Key, h.Document, skip)
		if f.Include != nil || f.Exclude != nil {
			if h.Payload, err = payload.Project(h.Payload, f.Include, f.Exclude); err != nil {
				return err
			}
		}
	}
	return nil
}

func plainHit(h *engine.Hit) *engine.Hit { return h }
