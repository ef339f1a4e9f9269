package keyspace

import (
	"math/rand/v2"
	"time"

	"github.com/isobath/isobath/engine"
)

// Reader is what both a View and a Tx can do. Byte slices in results must not be changed; they stay valid.
type Reader interface {
	Now() time.Time
	DBSize() int
	Type(key []byte) (engine.Kind, error)
	Exists(key []byte) (bool, error)
	Expiry(key []byte) (millis int64, exists bool, err error)
	Encoding(key []byte) (name string, exists bool, err error)
	Get(key []byte) (value []byte, exists bool, err error)
	HGet(key, field []byte) (value []byte, exists bool, err error)
	HMGet(key []byte, fields ...[]byte) ([][]byte, error)
	HGetAll(key []byte) ([]Field, error)
	HLen(key []byte) (int, error)
	HStrLen(key, field []byte) (int, error)
	HRandField(key []byte, count int) ([]Field, error)
}

// Field is one field of a hash.
type Field struct{ Name, Value []byte }

// TypeName returns the name TYPE gives a kind; "none" for no document.
func TypeName(k engine.Kind) string {
	switch k {
	case engine.KindString:
		return "string"
	case engine.KindHash:
		return "hash"
	case engine.KindJSON:
		return "ReJSON-RL"
	}
	return "none"
}

// source finds documents of one database, expired ones included.
type source interface {
	load(key []byte) (engine.Document, bool, error)
}

// reads are the read methods that View and Tx share.
type reads struct {
	src source
	now int64 // unix milliseconds
}

// Now returns the moment by which expiry is judged.
func (r *reads) Now() time.Time { return time.UnixMilli(r.now) }

func (r *reads) expired(d engine.Document) bool { return d.Expire != 0 && d.Expire <= r.now }

// document returns the document of a living key.
func (r *reads) document(key []byte) (engine.Document, bool, error) {
	d, ok, err := r.src.load(key)
	if err != nil || !ok || r.expired(d) {
		return engine.Document{}, false, err
	}
	return d, true, nil
}

// typed is document for commands that want one kind.
func (r *reads) typed(key []byte, k engine.Kind) (engine.Document, bool, error) {
	d, ok, err := r.document(key)
	if err != nil || !ok {
		return engine.Document{}, false, err
	}
	if d.Kind != k {
		return engine.Document{}, false, ErrWrongType
	}
	return d, true, nil
}

// Document returns the stored form of a living key.
func (r *reads) Document(key []byte) (engine.Document, bool, error) { return r.document(key) }

// Type returns the kind of a key, 0 if it is absent.
func (r *reads) Type(key []byte) (engine.Kind, error) {
	d, _, err := r.document(key)
	return d.Kind, err
}

// Exists says whether a key is there.
func (r *reads) Exists(key []byte) (bool, error) {
	_, ok, err := r.document(key)
	return ok, err
}

// Expiry returns when a key expires, in unix milliseconds, 0 for never.
func (r *reads) Expiry(key []byte) (millis int64, exists bool, err error) {
	d, ok, err := r.document(key)
	return d.Expire, ok, err
}

// Encoding returns the name OBJECT ENCODING gives, by the limits other servers have.
func (r *reads) Encoding(key []byte) (name string, exists bool, err error) {
	d, ok, err := r.document(key)
	if err != nil || !ok {
		return "", false, err
	}
	switch d.Kind {
	case engine.KindString:
		if _, isInt := parseInt(d.Body); isInt {
			return "int", true, nil
		}
		if len(d.Body) <= 44 {
			return "embstr", true, nil
		}
		return "raw", true, nil
	case engine.KindHash:
		n := 0
		for f, v := range engine.HashFields(d.Body) {
			if n++; n > 128 || len(f) > 64 || len(v) > 64 {
				return "hashtable", true, nil
			}
		}
		return "listpack", true, nil
	}
	return "raw", true, nil
}

// Get returns a string.
func (r *reads) Get(key []byte) (value []byte, exists bool, err error) {
	d, ok, err := r.typed(key, engine.KindString)
	return d.Body, ok, err
}

// HGet returns one field of a hash.
func (r *reads) HGet(key, field []byte) (value []byte, exists bool, err error) {
	d, ok, err := r.typed(key, engine.KindHash)
	if err != nil || !ok {
		return nil, false, err
	}
	value, exists = hashField(d.Body, field)
	return value, exists, nil
}

// HMGet returns the values of fields, nil for those that are absent.
func (r *reads) HMGet(key []byte, fields ...[]byte) ([][]byte, error) {
	d, _, err := r.typed(key, engine.KindHash)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(fields))
	h := parseHash(d.Body)
	for i, f := range fields {
		if at, ok := h.find(f); ok {
			out[i] = notNil(h.fields[at].Value)
		}
	}
	return out, nil
}

// HGetAll returns all fields of a hash in insertion order.
func (r *reads) HGetAll(key []byte) ([]Field, error) {
	d, _, err := r.typed(key, engine.KindHash)
	return parseHash(d.Body).fields, err
}

// HLen returns the number of fields.
func (r *reads) HLen(key []byte) (int, error) {
	d, _, err := r.typed(key, engine.KindHash)
	n := 0
	for range engine.HashFields(d.Body) {
		n++
	}
	return n, err
}

// HStrLen returns the length of a field's value, 0 if it is absent.
func (r *reads) HStrLen(key, field []byte) (int, error) {
	v, _, err := r.HGet(key, field)
	return len(v), err
}

// HRandField returns up to count different fields in random order, or with a negative count exactly -count fields, repeats
// allowed.
func (r *reads) HRandField(key []byte, count int) ([]Field, error) {
	all, err := r.HGetAll(key)
	if err != nil || len(all) == 0 || count == 0 {
		return nil, err
	}
	if count < 0 {
		out := make([]Field, 0, -count)
		for range -count {
			out = append(out, all[rand.IntN(len(all))])
		}
		return out, nil
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(count, len(all))], nil
}

// View reads one database at one published moment. It belongs to one goroutine and must be closed.
type View struct {
	reads
	KeyList
}

func (v *View) load(key []byte) (engine.Document, bool, error) { return v.keys.Get(v.database, key) }

// Close releases the view. It may be called twice.
func (v *View) Close() { v.keys.Close() }

// DBSize returns the number of keys, expired ones that are not yet swept included.
func (v *View) DBSize() int { return v.keys.Len(v.database) }

// Expires returns the number of keys with an expiry.
func (v *View) Expires() int { return v.keys.Expires(v.database) }

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
