package keyspace

import (
	"github.com/isobath/isobath/engine"
)

// SetOptions are the conditions and the expiry of Set.
type SetOptions struct {
	Expire  int64 // unix milliseconds, 0 for none
	KeepTTL bool  // keep the expiry the key has
	NX, XX  bool  // only if absent, only if present
	Get     bool  // the old value is wanted: another type is an error
}

// SetResult is the outcome of Set.
type SetResult struct {
	Done    bool
	Old     []byte // with Get
	Existed bool
}

// Set writes a string over whatever is at key. The value is kept: it must not change any more.
func (tx *Tx) Set(key, value []byte, o SetOptions) (SetResult, error) {
	d, ok, err := tx.document(key)
	if err != nil {
		return SetResult{}, err
	}
	r := SetResult{Existed: ok}
	if o.Get && ok {
		if d.Kind != engine.KindString {
			return SetResult{}, ErrWrongType
		}
		r.Old = notNil(d.Body)
	}
	if o.NX && ok || o.XX && !ok {
		return r, nil
	}
	n := engine.Document{Kind: engine.KindString, Expire: o.Expire, Body: notNil(value)}
	if o.KeepTTL {
		n.Expire = d.Expire
	}
	r.Done = true
	return r, tx.put(key, n)
}

// MSet writes strings and keeps the values.
func (tx *Tx) MSet(pairs ...Field) error {
	for _, p := range pairs {
		if _, err := tx.Set(p.Name, p.Value, SetOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// MSetNX writes strings if none of the keys exists, and says whether it did.
func (tx *Tx) MSetNX(pairs ...Field) (bool, error) {
	for _, p := range pairs {
		if ok, err := tx.Exists(p.Name); err != nil || ok {
			return false, err
		}
	}
	err := tx.MSet(pairs...)
	return err == nil, err
}

// GetDel returns a string and deletes it.
func (tx *Tx) GetDel(key []byte) ([]byte, bool, error) {
	v, ok, err := tx.Get(key)
	if err != nil || !ok {
		return nil, false, err
	}
	_, err = tx.remove(key)
	return v, err == nil, err
}

// GetEx returns a string and sets its expiry in unix milliseconds; 0 removes it. A moment that has passed deletes the key.
func (tx *Tx) GetEx(key []byte, millis int64) ([]byte, bool, error) {
	d, ok, err := tx.typed(key, engine.KindString)
	if err != nil || !ok {
		return nil, false, err
	}
	if d.Expire != millis {
		d.Expire = millis
		err = tx.put(key, d)
	}
	return d.Body, err == nil, err
}

// Append appends to a string and returns the new length.
func (tx *Tx) Append(key, value []byte) (int, error) {
	d, err := tx.str(key)
	if err != nil {
		return 0, err
	}
	if len(d.Body)+len(value) > maxBody {
		return 0, ErrTooLong
	}
	d.Body = append(append(make([]byte, 0, len(d.Body)+len(value)), d.Body...), value...)
	return len(d.Body), tx.put(key, d)
}

// SetRange overwrites a string from an offset on, filling a gap with zero bytes, and returns the new length.
func (tx *Tx) SetRange(key []byte, offset int, value []byte) (int, error) {
	if offset < 0 {
		return 0, ErrOffset
	}
	d, err := tx.str(key)
	if err != nil {
		return 0, err
	}
	switch {
	case len(value) == 0:
		return len(d.Body), nil
	case offset > maxBody-len(value):
		return 0, ErrTooLong
	}
	body := make([]byte, max(len(d.Body), offset+len(value)))
	copy(body, d.Body)
	copy(body[offset:], value)
	d.Body = body
	return len(body), tx.put(key, d)
}

// IncrBy adds to an integer; an absent key counts as 0. The expiry stays.
func (tx *Tx) IncrBy(key []byte, by int64) (int64, error) {
	d, err := tx.str(key)
	if err != nil {
		return 0, err
	}
	n, err := addInt(d.Body, by, ErrNotInteger)
	if err != nil {
		return 0, err
	}
	d.Body = formatInt(n)
	return n, tx.put(key, d)
}

// IncrByFloat adds to a number and returns the new text. The expiry stays.
func (tx *Tx) IncrByFloat(key, by []byte) ([]byte, error) {
	d, err := tx.str(key)
	if err != nil {
		return nil, err
	}
	sum, err := addFloat(d.Body, by, ErrNotFloat)
	if err != nil {
		return nil, err
	}
	d.Body = sum
	return sum, tx.put(key, d)
}

// str loads a string for writing; an absent key has no body, an empty string one without bytes.
func (tx *Tx) str(key []byte) (engine.Document, error) {
	d, ok, err := tx.typed(key, engine.KindString)
	if err != nil {
		return engine.Document{}, err
	}
	if !ok {
		return engine.Document{Kind: engine.KindString}, nil
	}
	d.Body = notNil(d.Body)
	return d, nil
}
