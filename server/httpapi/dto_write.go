package httpapi

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/payload"
	"github.com/isobath/isobath/server/service"
)

// operation is one write, ready to run.
type operation func(ctx context.Context, c *service.Collection, o engine.WriteOptions) (engine.WriteResult, error)

// writeBody is the body of a write; operation checks what validate leaves open.
type writeBody interface {
	check(v *violations, at string)
	operation() (operation, error)
}

func (b *upsertBody) operation() (operation, error) {
	points, err := b.points()
	if err != nil {
		return nil, err
	}
	f, err := b.Filter.expr()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, c *service.Collection, o engine.WriteOptions) (engine.WriteResult, error) {
		return c.Upsert(ctx, points, engine.UpsertOptions{WriteOptions: o, Mode: engine.UpsertMode(b.Mode), Filter: f})
	}, nil
}

// vectorsUpdateBody is the body of an update of vectors.
type vectorsUpdateBody struct {
	Points []pointBody `json:"points"`
	Filter *filterBody `json:"update_filter"`
	Shard  shardKey    `json:"shard_key"`
}

func (b *vectorsUpdateBody) validate(v *violations) { b.check(v, "") }

func (b *vectorsUpdateBody) check(v *violations, at string) {
	for i := range b.Points {
		if len(b.Points[i].Vector.named) == 0 {
			v.add(fmt.Sprintf("%spoints[%d].vector", at, i), "must specify vectors to update for point")
		}
		b.Points[i].Vector.check(v, at, i)
	}
}

func (b *vectorsUpdateBody) operation() (operation, error) {
	if b.Points == nil {
		return nil, formatError("missing field `points`")
	}
	f, err := b.Filter.expr()
	if err != nil {
		return nil, err
	}
	points := enginePoints(b.Points)
	return func(ctx context.Context, c *service.Collection, o engine.WriteOptions) (engine.WriteResult, error) {
		return c.UpdateVectors(ctx, points, engine.UpsertOptions{WriteOptions: o, Filter: f})
	}, nil
}

// selectorBody names points by id or by filter; ids win.
type selectorBody struct {
	Points idList      `json:"points"`
	Filter *filterBody `json:"filter"`
	Shard  shardKey    `json:"shard_key"`
}

func (b *selectorBody) selector() (engine.Selector, error) {
	if b.Points != nil {
		return engine.Selector{IDs: b.Points}, nil
	}
	if b.Filter == nil {
		return engine.Selector{}, badRequest("Either list of point ids or filter must be provided")
	}
	f, err := b.Filter.expr()
	return engine.Selector{Filter: f}, err
}

// deleteBody is the body of points/delete.
type deleteBody struct{ selectorBody }

func (b *deleteBody) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return json.UnmarshalDecode(dec, &b.selectorBody)
}

func (b *deleteBody) check(*violations, string) {}

func (b *deleteBody) operation() (operation, error) {
	sel, err := b.selector()
	return func(ctx context.Context, c *service.Collection, o engine.WriteOptions) (engine.WriteResult, error) {
		return c.Delete(ctx, sel, o)
	}, err
}

// vectorsDeleteBody is the body of points/vectors/delete.
type vectorsDeleteBody struct {
	selectorBody `json:",inline"`
	Vector       []string `json:"vector"`
	Vectors      []string `json:"vectors"`
}

func (b *vectorsDeleteBody) validate(v *violations) { b.check(v, "") }

func (b *vectorsDeleteBody) check(v *violations, at string) {
	if b.Vector == nil {
		b.Vector = b.Vectors
	}
	if b.Vector != nil && len(b.Vector) == 0 {
		v.add(at+"vector", "must specify vector names to delete")
	}
}

func (b *vectorsDeleteBody) operation() (operation, error) {
	if b.Vector == nil {
		return nil, formatError("missing field `vector`")
	}
	sel, err := b.selector()
	return func(ctx context.Context, c *service.Collection, o engine.WriteOptions) (engine.WriteResult, error) {
		return c.DeleteVectors(ctx, sel, b.Vector, o)
	}, err
}

// payloadSetBody is the body of payload set and overwrite.
type payloadSetBody struct {
	selectorBody `json:",inline"`
	Payload      payloadBody `json:"payload"`
	Key          *string     `json:"key"`
	overwrite    bool
}

func (b *payloadSetBody) check(*violations, string) {}

func (b *payloadSetBody) operation() (operation, error) {
	if b.Payload == nil {
		return nil, formatError("missing field `payload`")
	}
	ch := engine.PayloadChange{Op: engine.SetPayload, Payload: b.Payload}
	if b.Key != nil && !b.overwrite {
		path, err := parsePath(*b.Key)
		if err != nil {
			return nil, err
		}
		ch.At = &path
	}
	if b.overwrite {
		ch.Op = engine.OverwritePayload
	}
	return b.payloadChange(ch)
}

func (b *selectorBody) payloadChange(ch engine.PayloadChange) (operation, error) {
	sel, err := b.selector()
	return func(ctx context.Context, c *service.Collection, o engine.WriteOptions) (engine.WriteResult, error) {
		return c.ChangePayload(ctx, sel, ch, o)
	}, err
}

// payloadDeleteBody is the body of points/payload/delete.
type payloadDeleteBody struct {
	selectorBody `json:",inline"`
	Keys         *pathList `json:"keys"`
}

type pathList []payload.Path

func (l *pathList) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return readPaths(dec, (*[]payload.Path)(l))
}

func (b *payloadDeleteBody) check(*violations, string) {}

func (b *payloadDeleteBody) operation() (operation, error) {
	if b.Keys == nil {
		return nil, formatError("missing field `keys`")
	}
	return b.payloadChange(engine.PayloadChange{Op: engine.DeleteKeys, Keys: *b.Keys})
}

// payloadClearBody is the body of points/payload/clear.
type payloadClearBody struct{ selectorBody }

func (b *payloadClearBody) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return json.UnmarshalDecode(dec, &b.selectorBody)
}

func (b *payloadClearBody) check(*violations, string) {}

func (b *payloadClearBody) operation() (operation, error) {
	return b.payloadChange(engine.PayloadChange{Op: engine.ClearPayload})
}

// batchUpdateBody is the body of points/batch: a list of objects with one operation each.
type batchUpdateBody struct {
	Operations []batchOperation `json:"operations"`
}

type batchOperation struct {
	name string
	body writeBody
}

func (b *batchOperation) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	err := readObject(dec, func(name string) error {
		if b.body != nil {
			return fmt.Errorf("one operation is expected, got `%s` and `%s`", b.name, clip(name))
		}
		b.name = name
		switch name {
		case "upsert":
			b.body = &upsertBody{}
		case "delete":
			b.body = &deleteBody{}
		case "set_payload":
			b.body = &payloadSetBody{}
		case "overwrite_payload":
			b.body = &payloadSetBody{overwrite: true}
		case "delete_payload":
			b.body = &payloadDeleteBody{}
		case "clear_payload":
			b.body = &payloadClearBody{}
		case "update_vectors":
			b.body = &vectorsUpdateBody{}
		case "delete_vectors":
			b.body = &vectorsDeleteBody{}
		default:
			return fmt.Errorf("data did not match any variant of untagged enum UpdateOperation: `%s`", clip(name))
		}
		return json.UnmarshalDecode(dec, b.body)
	})
	if err == nil && b.body == nil {
		err = fmt.Errorf("data did not match any variant of untagged enum UpdateOperation")
	}
	return err
}

func (b *batchUpdateBody) validate(v *violations) {
	for i, o := range b.Operations {
		o.body.check(v, fmt.Sprintf("operations[%d].%s.", i, o.name))
	}
}

func fieldCreation(def filter.FieldDef, params []byte) operation {
	return func(ctx context.Context, c *service.Collection, o engine.WriteOptions) (engine.WriteResult, error) {
		return c.CreateField(ctx, def, params, o)
	}
}

func fieldRemoval(name string) operation {
	return func(ctx context.Context, c *service.Collection, o engine.WriteOptions) (engine.WriteResult, error) {
		return c.DropField(ctx, name, o)
	}
}
