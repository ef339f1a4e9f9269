package httpapi

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/isobath/isobath/payload"
)

// updateBody is the body of PATCH. Settings that the engine acts on cannot change yet: a value
// that differs from the one in force is refused, never kept without effect.
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

// apply changes c.
func (b *updateBody) apply(c *collectionConfig) error {
	if given(b.Sparse) && !empty(b.Sparse) {
		return unsupported("sparse vectors are")
	}
	if err := b.applyVectors(c); err != nil {
		return err
	}
	if err := fixedHNSW(b.HNSW, c.HNSW, "hnsw_config"); err != nil {
		return err
	}
	c.HNSW = b.HNSW.over(c.HNSW)
	if err := b.fixedOptimizer(c.Optimizer); err != nil {
		return err
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
	var found violations
	if err := b.Quantization.check(&found, "quantization_config"); err != nil {
		return err
	}
	if err := found.err("JSON body"); err != nil {
		return err
	}
	c.Quantization = changedQuantization(b.Quantization, c.Quantization)
	return b.applyObjects(c)
}

// changedQuantization returns the quantization in force after a change; "Disabled" removes it.
func changedQuantization(change, old *quantizationBody) *quantizationBody {
	switch {
	case change == nil:
		return old
	case change.raw == nil:
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
		base := v.HNSW.over(c.HNSW)
		if err := fixedHNSW(change.HNSW, base, "vectors."+name+".hnsw_config"); err != nil {
			return err
		}
		if change.HNSW != nil {
			own := hnswConfig{}
			if v.HNSW != nil {
				own = *v.HNSW
			}
			own = change.HNSW.over(own)
			v.HNSW = &own
		}
		if given(change.Multi) || change.Size != nil && *change.Size != *v.Size || change.Distance != nil && *change.Distance != *v.Distance {
			return badRequest("size, distance and multivector_config of a vector cannot change")
		}
		var found violations
		if err := change.Quantization.check(&found, anyVector+".quantization_config"); err != nil {
			return err
		}
		if err := found.err("JSON body"); err != nil {
			return err
		}
		v.Quantization = changedQuantization(change.Quantization, v.Quantization)
		v.OnDisk, v.Memory = or(change.OnDisk, v.OnDisk), or(change.Memory, v.Memory)
	}
	return nil
}

// fixedHNSW refuses to change what shapes the graph.
func fixedHNSW(change *hnswConfig, now hnswConfig, at string) error {
	if change == nil {
		return nil
	}
	for _, p := range []struct {
		name        string
		change, now *uint64
	}{{"m", change.M, now.M}, {"ef_construct", change.EfConstruct, now.EfConstruct}, {"full_scan_threshold", change.FullScanThreshold, now.FullScanThreshold}} {
		if p.change != nil && (p.now == nil || *p.change != *p.now) {
			return unsupported(fmt.Sprintf("changing %s.%s of an existing collection is", at, p.name))
		}
	}
	return nil
}

func (b *updateBody) fixedOptimizer(now optimizerConfig) error {
	o := b.Optimizers
	switch {
	case o == nil:
		return nil
	case o.Indexing != nil && *o.Indexing != *now.Indexing:
		return unsupported("changing indexing_threshold of an existing collection is")
	case o.Prevent != nil && *o.Prevent:
		return unsupported("prevent_unoptimized is")
	case o.MaxThreads != nil && isOff(o.MaxThreads) != isOff(now.MaxThreads):
		return unsupported("changing max_optimization_threads to or from 0 for an existing collection is")
	}
	return nil
}

func isOff(t *threads) bool { return t != nil && t.n != nil && *t.n == 0 }

// decodeConfig reads what Schema.Config keeps.
func decodeConfig(raw []byte) (collectionConfig, error) {
	var c collectionConfig
	if err := json.Unmarshal(bytes.Clone(raw), &c); err != nil {
		return c, fmt.Errorf("httpapi: configuration of the collection: %w", err)
	}
	return c, nil
}
