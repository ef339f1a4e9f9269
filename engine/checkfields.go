package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/payload"
)

// verifyCommit is the number of points after which verifyFields commits what it has built.
const verifyCommit = 4096

// verifyFields builds every payload index anew from the payloads or documents and compares.
func (v *view) verifyFields(ctx context.Context, r *Report, where string) error {
	var defs []filter.FieldDef
	edit := filter.NewState().Edit()
	for _, info := range v.filter.Fields() {
		if !info.Def.Building {
			defs = append(defs, info.Def)
			edit.AddField(info.Def)
		}
	}
	if len(defs) == 0 {
		return nil
	}
	n := 0
	var feed *feedState
	if v.feed != nil {
		feed = v.feed.clone() // its conversions count failures
	}
	err := v.c.db.kv.Scan(v.seq, payload.ScanOptions{Prefix: storeKey(nil, prefixSlot, v.c.num, nil)}, func(key, value []byte) (bool, error) {
		if n++; n%verifyCommit == 0 {
			edit = edit.Commit().Edit()
		}
		id, err := payload.DecodeKeyID(key[storePrefixBytes:])
		if err != nil || len(value) != 4 {
			return ctx.Err() == nil, ctx.Err() // reported by verify
		}
		slot := binary.BigEndian.Uint32(value)
		edit.Add(slot)
		doc, _, err := readPayload(v.c.db.kv, v.seq, v.c.num, id)
		if err != nil {
			return ctx.Err() == nil, ctx.Err() // the same
		}
		var values map[string]filter.Values
		if feed != nil {
			d, _, err := readDocument(v.c.db.kv, v.seq, storeKey(nil, prefixDocument, feed.generation, doc))
			if err != nil {
				r.add(where, err)
				return true, nil
			}
			values = feed.row(doc, d).values
		}
		for _, def := range defs {
			if feed != nil {
				edit.Put(def.Name, slot, values[def.Name])
			} else {
				edit.Put(def.Name, slot, filter.Extract(def, doc))
			}
		}
		return ctx.Err() == nil, ctx.Err()
	})
	if err != nil {
		return err
	}
	fresh := edit.Commit()
	for _, def := range defs {
		r.add(fmt.Sprintf("%s, payload index %q", where, def.Name), sameField(def.Name, fresh, v.filter))
	}
	return nil
}

// sameField compares one payload index of two states, value by value.
func sameField(name string, want, got *filter.State) error {
	values := map[filter.Value][]uint32{}
	err := want.EachValue(name, func(x filter.Value, s filter.Slots) bool {
		values[x] = s.AppendTo(nil)
		return true
	})
	if err != nil {
		return err
	}
	wrong := 0
	err = got.EachValue(name, func(x filter.Value, s filter.Slots) bool {
		if !slices.Equal(values[x], s.AppendTo(nil)) {
			wrong++
		}
		delete(values, x)
		return true
	})
	if wrong += len(values); err == nil && wrong > 0 {
		err = fmt.Errorf("%d values name other points than the payloads say", wrong)
	}
	return err
}
