package keyspace

import (
	"bytes"
	"slices"

	"github.com/isobath/isobath/engine"
)

// linearFields is the number of fields that are searched one by one before a map is made.
const linearFields = 16

// hash is a hash body taken apart.
type hash struct {
	fields []Field
	at     map[string]int // position by name, once there are many
}

func parseHash(body []byte) *hash {
	h := &hash{}
	for f, v := range engine.HashFields(body) {
		h.fields = append(h.fields, Field{f, v})
	}
	return h
}

// hashField finds one field without taking the body apart.
func hashField(body, field []byte) ([]byte, bool) {
	for f, v := range engine.HashFields(body) {
		if bytes.Equal(f, field) {
			return notNil(v), true
		}
	}
	return nil, false
}

func (h *hash) find(field []byte) (int, bool) {
	if len(h.fields) <= linearFields {
		for i := range h.fields {
			if bytes.Equal(h.fields[i].Name, field) {
				return i, true
			}
		}
		return 0, false
	}
	if h.at == nil {
		h.at = make(map[string]int, len(h.fields))
		for i := range h.fields {
			h.at[string(h.fields[i].Name)] = i
		}
	}
	i, ok := h.at[string(field)]
	return i, ok
}

// set writes a field and says whether it is new.
func (h *hash) set(f Field) bool {
	if i, ok := h.find(f.Name); ok {
		h.fields[i].Value = f.Value
		return false
	}
	h.fields = append(h.fields, f)
	if h.at != nil {
		h.at[string(f.Name)] = len(h.fields) - 1
	}
	return true
}

// remove drops the fields that are there and returns their number.
func (h *hash) remove(fields [][]byte) int {
	drop := map[int]bool{}
	for _, f := range fields {
		if i, ok := h.find(f); ok {
			drop[i] = true
		}
	}
	if len(drop) == 0 {
		return 0
	}
	kept := make([]Field, 0, len(h.fields)-len(drop))
	for i, f := range h.fields {
		if !drop[i] {
			kept = append(kept, f)
		}
	}
	h.fields, h.at = kept, nil
	return len(drop)
}

// body puts the hash together in fresh memory.
func (h *hash) body() []byte {
	n := 0
	for _, f := range h.fields {
		n += len(f.Name) + len(f.Value) + 10
	}
	b := make([]byte, 0, n)
	for _, f := range h.fields {
		b = engine.AppendHashField(b, f.Name, f.Value)
	}
	return b
}

// HSet writes fields, the later of equal names wins, and returns how many are new.
func (tx *Tx) HSet(key []byte, fields ...Field) (int, error) {
	d, h, err := tx.hash(key)
	if err != nil {
		return 0, err
	}
	h.fields = slices.Grow(h.fields, len(fields))
	added := 0
	for _, f := range fields {
		if h.set(f) {
			added++
		}
	}
	return added, tx.putHash(key, d, h)
}

// HSetNX writes a field that is not there and says whether it did.
func (tx *Tx) HSetNX(key []byte, f Field) (bool, error) {
	d, h, err := tx.hash(key)
	if err != nil {
		return false, err
	}
	if _, ok := h.find(f.Name); ok {
		return false, nil
	}
	h.set(f)
	return true, tx.putHash(key, d, h)
}

// HDel removes fields and returns how many were there. A hash without fields is no key.
func (tx *Tx) HDel(key []byte, fields ...[]byte) (int, error) {
	d, h, err := tx.hash(key)
	if err != nil {
		return 0, err
	}
	n := h.remove(fields)
	if n == 0 {
		return 0, nil
	}
	return n, tx.putHash(key, d, h)
}

// HGetDel removes fields and returns the values they had, nil for those that were absent.
func (tx *Tx) HGetDel(key []byte, fields ...[]byte) ([][]byte, error) {
	values, err := tx.HMGet(key, fields...)
	if err != nil {
		return nil, err
	}
	_, err = tx.HDel(key, fields...)
	return values, err
}

// HIncrBy adds to an integer field; an absent one counts as 0.
func (tx *Tx) HIncrBy(key, field []byte, by int64) (int64, error) {
	d, h, err := tx.hash(key)
	if err != nil {
		return 0, err
	}
	var old []byte
	if i, ok := h.find(field); ok {
		old = h.fields[i].Value
	}
	n, err := addInt(old, by, ErrHashNotInteger)
	if err != nil {
		return 0, err
	}
	h.set(Field{field, formatInt(n)})
	return n, tx.putHash(key, d, h)
}

// HIncrByFloat adds to a numeric field and returns the new text.
func (tx *Tx) HIncrByFloat(key, field, by []byte) ([]byte, error) {
	switch f, ok := parseFloat(by); {
	case !ok:
		return nil, ErrNotFloat
	case f.IsInf():
		return nil, ErrInfinite
	}
	d, h, err := tx.hash(key)
	if err != nil {
		return nil, err
	}
	var old []byte
	if i, ok := h.find(field); ok {
		old = h.fields[i].Value
	}
	sum, err := addFloat(old, by, ErrHashNotFloat)
	if err != nil {
		return nil, err
	}
	h.set(Field{field, sum})
	return sum, tx.putHash(key, d, h)
}

// hash loads a hash for writing; an absent key is an empty hash.
func (tx *Tx) hash(key []byte) (engine.Document, *hash, error) {
	d, ok, err := tx.typed(key, engine.KindHash)
	if err != nil {
		return engine.Document{}, nil, err
	}
	if !ok {
		d = engine.Document{Kind: engine.KindHash}
	}
	return d, parseHash(d.Body), nil
}

func (tx *Tx) putHash(key []byte, d engine.Document, h *hash) error {
	if len(h.fields) == 0 {
		_, err := tx.remove(key)
		return err
	}
	d.Body = h.body()
	return tx.put(key, d)
}
