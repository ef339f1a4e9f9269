package httpapi

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/payload"
)

// updateBody is the body of PATCH: what is given replaces what is in force.
type updateBody struct {
	Vectors      map[string]*vectorConfig `json:"vectors"`
	Sparse       jsontext.Value           `json:"sparse_vectors"`
	Params       *paramsConfig            `json:"params"`
	HNSW         *hnswConfig              `json:"hnsw_config"`
	Optimizers   *optimizerConfig         `json:"optimizers_config"`
	Optimizer    *optimizerConfig         `json:"optimizer_config"`
	Quantization *quantizationBody        `json:"quantization_config"`
	StrictMode   strictBody               `json:"strict_mode_config"`
	Metadata     payloadBody              `json:"metadata"`
}

func (b *updateBody) validate(v *violations) {
	b.Optimizers = or(b.Optimizers, b.Optimizer)
	b.HNSW.check(v, "hnsw_config")
	b.Optimizers.check(v, "optimizers_config")
	if b.Params != nil {
		b.Params.check(v, "params.")
	}
	for _, name := range slices.Sorted(maps.Keys(b.Vectors)) {
		if p := b.Vectors[name]; p != nil {
			p.HNSW.check(v, anyVector+".hnsw_config")
			notPinned(v, anyVector+".memory", p.Memory)
		}
	}
}

// change returns the schema of a collection after the update.
func (b *updateBody) change(old engine.Schema) (engine.Schema, error) {
	config, err := decodeConfig(old.Config)
	if err != nil {
		return engine.Schema{}, err
	}
	if err := b.apply(&config); err != nil {
		return engine.Schema{}, err
	}
	to, err := config.schema(func(name string) bool { return old.Vectors[name].OnDisk })
	if err == nil {
		to.Config, err = config.encode()
	}
	return to, err
}

// apply changes c.
func (b *updateBody) apply(c *collectionConfig) error {
	if given(b.Sparse) && !empty(b.Sparse) {
		return unsupported("sparse vectors are")
	}
	if err := b.applyVectors(c); err != nil {
		return err
	}
	c.HNSW = b.HNSW.over(c.HNSW)
	if o := b.Optimizers; o != nil && o.Prevent != nil && *o.Prevent {
		return unsupported("prevent_unoptimized is")
	}
	auto := b.Optimizers != nil && b.Optimizers.MaxThreads != nil && b.Optimizers.MaxThreads.n == nil
	c.Optimizer = b.Optimizers.over(c.Optimizer)
	if auto {
		c.Optimizer.MaxThreads = nil
	}
	if p := b.Params; p != nil {
		c.Params.Replication = or(p.Replication, c.Params.Replication)
		c.Params.WriteConsistency = or(p.WriteConsistency, c.Params.WriteConsistency)
		c.Params.ReadFanOut = or(p.ReadFanOut, c.Params.ReadFanOut)
		c.Params.ReadFanOutDelay = or(p.ReadFanOutDelay, c.Params.ReadFanOutDelay)
		c.Params.OnDiskPayload = or(p.OnDiskPayload, c.Params.OnDiskPayload)
		c.Params.Payload = or(p.Payload, c.Params.Payload)
	}
	c.Quantization = changedQuantization(b.Quantization, c.Quantization)
	return b.applyObjects(c)
}

// changedQuantization returns the quantization in force after a change; "Disabled" removes it.
func changedQuantization(change, old *quantizationBody) *quantizationBody {
	switch {
	case change == nil:
		return old
	case !change.given():
		return nil
	}
	return change
}

// applyObjects merges metadata, where null removes a key, and the strict mode key by key.
func (b *updateBody) applyObjects(c *collectionConfig) error {
	var err error
	if b.Metadata != nil {
		if c.Metadata, err = mergeObject(c.Metadata, b.Metadata); err != nil {
			return err
		}
	}
	if b.StrictMode != nil {
		if c.StrictMode, err = mergeObject(c.StrictMode, b.StrictMode); err != nil {
			return err
		}
		if strictEnabled(c.StrictMode) {
			return unsupported("strict mode is")
		}
	}
	return nil
}

func mergeObject(old, change []byte) ([]byte, error) {
	if len(old) == 0 {
		old = []byte("{}")
	}
	merged, err := payload.Merge(old, change)
	if err != nil {
		return nil, formatError("%v", err)
	}
	return merged, nil
}

func (b *updateBody) applyVectors(c *collectionConfig) error {
	byName := c.Params.Vectors.byName()
	for _, name := range slices.Sorted(maps.Keys(b.Vectors)) {
		v, change := byName[name], b.Vectors[name]
		if v == nil {
			return wrongInput("Not existing vector name error: %s", name)
		}
		if change == nil {
			continue
		}
		switch {
		case change.HNSW == nil:
		case *change.HNSW == hnswConfig{}: // what the collection says counts again
			v.HNSW = nil
		case v.HNSW == nil:
			v.HNSW = change.HNSW
		default:
			own := change.HNSW.over(*v.HNSW)
			v.HNSW = &own
		}
		if given(change.Multi) || change.Size != nil && *change.Size != *v.Size || change.Distance != nil && *change.Distance != *v.Distance ||
			change.Datatype != nil && *change.Datatype != v.datatypeName() {
			return badRequest("size, distance, datatype and multivector_config of a vector cannot change")
		}
		v.Quantization = changedQuantization(change.Quantization, v.Quantization)
		v.OnDisk, v.Memory = or(change.OnDisk, v.OnDisk), or(change.Memory, v.Memory)
	}
	return nil
}

// decodeConfig reads what Schema.Config keeps.
func decodeConfig(raw []byte) (collectionConfig, error) {
	var c collectionConfig
	if err := json.Unmarshal(bytes.Clone(raw), &c); err != nil {
		return c, fmt.Errorf("httpapi: configuration of the collection: %w", err)
	}
	return c, nil
}
