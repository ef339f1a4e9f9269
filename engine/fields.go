package engine

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/payload"
)

// stepRows is the number of points or keys that one build or backfill step looks at.
const stepRows = 1000

// CreateField adds a payload index. Points that are there already are indexed in the
// background; the index serves searches when that is done. params is kept for FieldParams.
func (c *Collection) CreateField(ctx context.Context, def filter.FieldDef, params []byte, o WriteOptions) (WriteResult, error) {
	if c.IsIndex() {
		return WriteResult{}, ErrFTRequest
	}
	if _, err := payload.ParsePath(def.Name); err != nil {
		return WriteResult{}, &InputError{err.Error()}
	}
	def.Building = true
	return c.write(ctx, o, func(operation uint64) (op, error) {
		return opFieldCreate{num: c.num, operation: operation, field: fieldDef{def: def, params: params}}, nil
	})
}

// DropField removes a payload index; an unknown name is a success.
func (c *Collection) DropField(ctx context.Context, name string, o WriteOptions) (WriteResult, error) {
	if c.IsIndex() {
		return WriteResult{}, ErrFTRequest
	}
	return c.write(ctx, o, func(operation uint64) (op, error) {
		return opFieldDrop{num: c.num, operation: operation, name: name}, nil
	})
}

func (ap *applier) createField(o opFieldCreate) {
	b := ap.batch(o.num)
	if b == nil {
		return
	}
	st := b.state()
	st.operation = o.operation
	name := o.field.def.Name
	if old, ok := st.fields[name]; ok {
		if old.def.Kind == o.field.def.Kind && old.def.FoldCase == o.field.def.FoldCase {
			old.params = o.field.params // the same index again; the newest words for it are shown
			st.fields = maps.Clone(st.fields)
			st.fields[name] = old
			return
		}
		b.edit.DropField(name)
	}
	o.field.def.Building = true
	b.edit.AddField(o.field.def)
	st.fields = maps.Clone(st.fields)
	st.fields[name] = o.field
	ap.afterward = append(ap.afterward, ap.db.wakeWorkers)
}

func (ap *applier) dropField(o opFieldDrop) {
	b := ap.batch(o.num)
	if b == nil {
		return
	}
	st := b.state()
	st.operation = o.operation
	if _, ok := st.fields[o.name]; ok {
		b.edit.DropField(o.name)
		st.fields = maps.Clone(st.fields)
		delete(st.fields, o.name)
	}
}

// fieldStep indexes the points of one id range as they are right before the step.
func (ap *applier) fieldStep(seq uint64, o opFieldStep) error {
	b := ap.batch(o.num)
	if b == nil {
		return nil
	}
	f, ok := b.state().fields[o.name]
	if !ok || f.ready || !bytes.Equal(f.cursor, o.from) {
		return nil // of an index of this name that was dropped before the step came here
	}
	if err := ap.flush(); err != nil {
		return err
	}
	scan := payload.ScanOptions{Prefix: storeKey(nil, prefixPayload, o.num, nil)}
	if len(o.from) > 0 {
		scan.From = storeKey(nil, prefixPayload, o.num, o.from)
	}
	err := ap.db.kv.Scan(seq-1, scan, func(key, doc []byte) (bool, error) {
		if len(o.to) > 0 && string(key[storePrefixBytes:]) >= string(o.to) {
			return false, nil
		}
		id, err := payload.DecodeKeyID(key[storePrefixBytes:])
		if err != nil {
			return false, err
		}
		slot, ok, err := b.slotOf(seq, id)
		if err == nil && ok {
			b.edit.Put(o.name, slot, filter.Extract(f.def, doc))
		}
		return true, err
	})
	if err != nil {
		return fmt.Errorf("build of payload index %q: %w", o.name, err)
	}
	f.cursor = slices.Clone(o.to)
	if len(o.to) == 0 {
		f.ready, f.def.Building = true, false
		b.edit.SetReady(o.name)
	}
	b.state().fields = maps.Clone(b.state().fields)
	b.state().fields[o.name] = f
	return nil
}

// nextFieldStep logs the next step of the first payload index that is being built.
func (c *Collection) nextFieldStep(ctx context.Context) (bool, error) {
	v, err := c.pin()
	if err != nil {
		return false, nil
	}
	defer v.release()
	for _, name := range slices.Sorted(maps.Keys(v.fields)) {
		f := v.fields[name]
		if f.ready {
			continue
		}
		to, err := c.db.stepEnd(v.seq, prefixPayload, c.num, f.cursor)
		if err != nil {
			return false, err
		}
		return true, c.db.step(ctx, opFieldStep{c.num, name, f.cursor, to})
	}
	return false, nil
}

// stepEnd returns the key, without prefix and number, that ends a step that begins at from;
// nil when the step reaches the end.
func (db *DB) stepEnd(seq uint64, prefix byte, num uint32, from []byte) ([]byte, error) {
	scan := payload.ScanOptions{Prefix: storeKey(nil, prefix, num, nil), KeysOnly: true}
	if len(from) > 0 {
		scan.From = storeKey(nil, prefix, num, from)
	}
	var end []byte
	n := 0
	err := db.kv.Scan(seq, scan, func(key, _ []byte) (bool, error) {
		if n++; n > stepRows {
			end = slices.Clone(key[storePrefixBytes:])
			return false, nil
		}
		return true, nil
	})
	return end, err
}
