package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/payload"
)

// WriteOptions says when a write answers.
type WriteOptions struct {
	// NoWait answers when the write is in the log for good; otherwise it is visible as well.
	NoWait bool
}

// WriteResult is the answer to a write.
type WriteResult struct {
	Operation uint64 // the collection's number of this operation
	Applied   bool   // false with NoWait, and when ctx ended the wait; the write completes anyway
}

// UpsertMode says which points an upsert touches.
type UpsertMode uint8

// Modes of Upsert.
const (
	UpsertAll  UpsertMode = iota // insert or replace
	InsertOnly                   // skip points that exist
	UpdateOnly                   // skip points that do not
)

// UpsertOptions configures Upsert.
type UpsertOptions struct {
	WriteOptions
	Mode   UpsertMode
	Filter filter.Expr // points that exist and do not match stay as they are
}

// Selector names points by id or, with nil IDs, by filter.
type Selector struct {
	IDs    []PointID
	Filter filter.Expr
}

// PayloadOp says what ChangePayload does.
type PayloadOp uint8

// Payload operations.
const (
	SetPayload       PayloadOp = iota + 1 // merge top-level keys, at At if given; null removes a key
	OverwritePayload                      // replace
	DeleteKeys                            // remove Keys
	ClearPayload                          // remove the payload
)

// PayloadChange is the argument of ChangePayload.
type PayloadChange struct {
	Op      PayloadOp
	Payload []byte
	At      *payload.Path
	Keys    []payload.Path
}

// Upsert stores points, all or none; of points with the same id the last counts. It keeps the
// slices of points. It returns *VectorNameError, *DimensionError or *InputError for bad input.
func (c *Collection) Upsert(ctx context.Context, points []Point, o UpsertOptions) (WriteResult, error) {
	if c.IsIndex() {
		return WriteResult{}, ErrFTRequest
	}
	changes, err := c.changesOf(points, changePut)
	if err != nil {
		return WriteResult{}, err
	}
	var allow *filter.Predicate
	if o.Filter != nil {
		if allow, err = compile(o.Filter); err != nil {
			return WriteResult{}, err
		}
	}
	return c.write(ctx, o.WriteOptions, func(operation uint64) (op, error) {
		if o.Mode != UpsertAll || allow != nil {
			if changes, err = c.admitted(changes, o.Mode, allow); err != nil {
				return nil, err
			}
		}
		return &opPoints{c.num, operation, changes}, nil
	})
}

// UpdateVectors replaces vectors of points and keeps their other vectors and payloads. It
// returns *NotFoundError when a point is absent.
func (c *Collection) UpdateVectors(ctx context.Context, points []Point, o UpsertOptions) (WriteResult, error) {
	if c.IsIndex() {
		return WriteResult{}, ErrFTRequest
	}
	changes, err := c.changesOf(points, changeVectors)
	if err != nil {
		return WriteResult{}, err
	}
	var allow *filter.Predicate
	if o.Filter != nil {
		if allow, err = compile(o.Filter); err != nil {
			return WriteResult{}, err
		}
	}
	return c.write(ctx, o.WriteOptions, func(operation uint64) (op, error) {
		if err := c.mustExist(changes); err != nil {
			return nil, err
		}
		if allow != nil {
			if changes, err = c.admitted(changes, UpdateOnly, allow); err != nil {
				return nil, err
			}
		}
		return &opPoints{c.num, operation, changes}, nil
	})
}

// DeleteVectors removes named vectors of points; absent points are fine. It returns
// *VectorNameError.
func (c *Collection) DeleteVectors(ctx context.Context, sel Selector, names []string, o WriteOptions) (WriteResult, error) {
	for _, name := range names {
		if _, ok := c.vectors[name]; !ok {
			return WriteResult{}, &VectorNameError{name}
		}
	}
	return c.writeSelected(ctx, sel, o, func(id PointID) (pointChange, bool, error) {
		p, err := c.current(id) // a change of an absent point would make one in the overlay
		return pointChange{kind: changeUnset, id: id, names: names}, p.exists, err
	})
}

// Delete removes points; absent ones are fine.
func (c *Collection) Delete(ctx context.Context, sel Selector, o WriteOptions) (WriteResult, error) {
	return c.writeSelected(ctx, sel, o, func(id PointID) (pointChange, bool, error) {
		return pointChange{kind: changeDelete, id: id}, true, nil
	})
}

// ChangePayload changes the payloads of points. SetPayload and OverwritePayload return
// *NotFoundError when a point named by id is absent; the others skip it.
func (c *Collection) ChangePayload(ctx context.Context, sel Selector, ch PayloadChange, o WriteOptions) (WriteResult, error) {
	if ch.Op == SetPayload || ch.Op == OverwritePayload {
		if err := payload.Validate(ch.Payload); err != nil {
			return WriteResult{}, &InputError{err.Error()}
		}
	}
	mustExist := sel.IDs != nil && (ch.Op == SetPayload || ch.Op == OverwritePayload)
	return c.writeSelected(ctx, sel, o, func(id PointID) (pointChange, bool, error) {
		doc, exists, err := c.currentPayload(id)
		if err != nil {
			return pointChange{}, false, err
		}
		if !exists {
			if mustExist {
				return pointChange{}, false, &NotFoundError{"point", id.String()}
			}
			return pointChange{}, false, nil
		}
		doc, err = ch.apply(doc)
		return pointChange{kind: changePayload, id: id, hasPayload: doc != nil, payload: doc}, true, err
	})
}

// apply returns the payload after the change; nil is no payload.
func (ch PayloadChange) apply(doc []byte) (_ []byte, err error) {
	empty := []byte("{}")
	switch ch.Op {
	case SetPayload:
		if doc == nil {
			doc = empty
		}
		if ch.At != nil {
			return payload.MergeAt(doc, *ch.At, ch.Payload)
		}
		return payload.Merge(doc, ch.Payload)
	case OverwritePayload:
		return ch.Payload, nil
	case DeleteKeys:
		for _, k := range ch.Keys {
			if doc == nil {
				break
			}
			if doc, err = payload.Remove(doc, k); err != nil {
				return nil, err
			}
		}
		return doc, nil
	case ClearPayload:
		if doc == nil {
			return nil, nil
		}
		return empty, nil
	}
	return nil, &InputError{fmt.Sprintf("unknown payload operation %d", ch.Op)}
}

// changesOf validates points and turns them into changes, one for each id.
func (c *Collection) changesOf(points []Point, kind changeKind) ([]pointChange, error) {
	schema := c.published().schema
	changes := make([]pointChange, 0, len(points))
	at := make(map[PointID]int, len(points))
	for i := range points {
		p := &points[i]
		ch := pointChange{kind: kind, id: p.ID, hasPayload: kind == changePut && p.Payload != nil, payload: p.Payload}
		for name, v := range p.Vectors {
			if err := schema.checkVector(name, v); err != nil {
				return nil, err
			}
			ch.vectors = append(ch.vectors, namedVector{name, schema.Vectors[name].stored(v)})
		}
		slices.SortFunc(ch.vectors, func(a, b namedVector) int { return strings.Compare(a.name, b.name) })
		if ch.hasPayload {
			if err := payload.Validate(p.Payload); err != nil {
				return nil, &InputError{fmt.Sprintf("payload of point %s: %v", p.ID, err)}
			}
		}
		j, again := at[p.ID]
		switch {
		case !again:
			at[p.ID] = len(changes)
			changes = append(changes, ch)
		case kind == changePut:
			changes[j] = ch
		default:
			changes = append(changes, ch) // vectors of one point merge in order
		}
	}
	return changes, nil
}

// write sequences one operation of the collection and waits as o and ctx say.
func (c *Collection) write(ctx context.Context, o WriteOptions, build func(operation uint64) (op, error)) (WriteResult, error) {
	if c.published().dropped {
		return WriteResult{}, &NotFoundError{"collection", c.name}
	}
	var operation uint64
	t, err := c.db.sequenceThen(func() (op, error) {
		operation = c.nextOperation + 1
		return build(operation)
	}, func(seq uint64, o op) {
		c.nextOperation = operation
		if points, ok := o.(*opPoints); ok {
			c.db.seq.overlay.putPoints(seq, points)
			c.noteChanges(points)
		}
	})
	if err != nil {
		return WriteResult{}, err
	}
	if o.NoWait {
		return WriteResult{Operation: operation}, t.waitDurable(context.WithoutCancel(ctx))
	}
	err = t.Wait(ctx)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return WriteResult{Operation: operation}, nil
	}
	return WriteResult{Operation: operation, Applied: err == nil}, err
}

// writeSelected makes one change for each selected point, all in one operation. change runs in
// the sequencer and may leave a point out.
func (c *Collection) writeSelected(ctx context.Context, sel Selector, o WriteOptions, change func(PointID) (pointChange, bool, error)) (WriteResult, error) {
	if c.IsIndex() {
		return WriteResult{}, ErrFTRequest
	}
	ids := func() ([]PointID, error) { return sel.IDs, nil }
	if sel.IDs == nil {
		s, err := c.selectByFilter(ctx, sel.Filter)
		if err != nil {
			return WriteResult{}, err
		}
		defer s.close()
		ids = s.idsLocked
	}
	return c.write(ctx, o, func(operation uint64) (op, error) {
		selected, err := ids()
		if err != nil {
			return nil, err
		}
		points := &opPoints{num: c.num, operation: operation}
		seen := make(map[PointID]struct{}, len(selected))
		for _, id := range selected {
			if _, again := seen[id]; again {
				continue
			}
			seen[id] = struct{}{}
			ch, ok, err := change(id)
			if err != nil {
				return nil, err
			}
			if ok {
				points.changes = append(points.changes, ch)
			}
		}
		return points, nil
	})
}
