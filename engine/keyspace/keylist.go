package keyspace

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/isobath/isobath/engine"
)

// KeyList visits the keys of one database: those of a View, or with At those that a place in an Update sees. It is valid until
// the view is closed.
type KeyList struct {
	space    *Space
	keys     *engine.KeyView
	database int
	moment   int64 // unix milliseconds, for expiry

	// of the Update, with At
	flushed bool       // nothing in keys counts
	changed []keyState // sorted; they hide what keys has of them
}

// keyState is a key as a transaction left it.
type keyState struct {
	key string
	doc engine.Document // kind 0: the key is gone; no body
}

// Moment is a place between the writes of an Update.
type Moment struct {
	record   *record
	writes   int // before it
	database int
}

// Moment returns the place that the Tx has come to.
func (tx *Tx) Moment() Moment { return Moment{tx.record, len(tx.written), tx.database} }

// At returns the keys of the database that was in use at m: what v has of them, under the writes before m. The Update need not
// have been published when v was taken.
func (v *View) At(m Moment) KeyList {
	l := KeyList{space: v.space, keys: v.keys, database: m.database, moment: v.moment}
	states := map[string]engine.Document{}
	for _, w := range m.record.written[:m.writes] {
		switch {
		case w.database != m.database:
		case w.flush:
			l.flushed = true
			clear(states)
		default:
			states[w.key] = engine.Document{Kind: w.kind, Expire: w.expire}
		}
	}
	for key, d := range states {
		l.changed = append(l.changed, keyState{key, d})
	}
	slices.SortFunc(l.changed, func(a, b keyState) int { return strings.Compare(a.key, b.key) })
	return l
}

func (l *KeyList) dead(d engine.Document) bool { return d.Expire != 0 && d.Expire <= l.moment }

// scan visits the keys, expired ones included, in byte order until fn returns false. Key and document are borrowed, and the
// document may lack its body.
func (l *KeyList) scan(o engine.KeyScan, fn func(key []byte, d engine.Document) (bool, error)) error {
	if !l.flushed && len(l.changed) == 0 {
		return l.keys.Scan(l.database, o, fn)
	}
	changed := slices.DeleteFunc(slices.Clone(l.changed), func(s keyState) bool {
		return s.key < string(o.From) || !strings.HasPrefix(s.key, string(o.Prefix))
	})
	going := true
	visit := func(key []byte, d engine.Document) (err error) {
		if d.Kind != 0 {
			going, err = fn(key, d)
		}
		return err
	}
	// until visits the changed keys before end.
	until := func(end func(key string) bool) error {
		for going && len(changed) > 0 && !end(changed[0].key) {
			next := changed[0]
			changed = changed[1:]
			if err := visit([]byte(next.key), next.doc); err != nil {
				return err
			}
		}
		return nil
	}
	if !l.flushed {
		o.KeysOnly = false // the kind tells whether a key is there
		err := l.keys.Scan(l.database, o, func(key []byte, d engine.Document) (bool, error) {
			if err := until(func(k string) bool { return k >= string(key) }); err != nil || !going {
				return false, err
			}
			if len(changed) > 0 && changed[0].key == string(key) {
				return true, nil // its turn comes with the next key
			}
			return going, visit(key, d)
		})
		if err != nil {
			return err
		}
	}
	return until(func(string) bool { return false })
}

// each visits the living keys. Key and document are borrowed.
func (l *KeyList) each(o engine.KeyScan, fn func(key []byte, d engine.Document) (bool, error)) error {
	return l.scan(o, func(key []byte, d engine.Document) (bool, error) {
		if l.dead(d) {
			return true, nil
		}
		return fn(key, d)
	})
}

// Keys returns the keys that match a glob pattern, in byte order.
func (l *KeyList) Keys(pattern []byte) ([][]byte, error) {
	var out [][]byte
	err := l.each(engine.KeyScan{Prefix: globPrefix(pattern)}, func(key []byte, _ engine.Document) (bool, error) {
		if Glob(pattern, key) {
			out = append(out, bytes.Clone(key))
		}
		return true, nil
	})
	return out, err
}

// randomReach bounds the keys RandomKey steps over.
const randomReach = 1000

// RandomKey returns one of the keys, nil if there is none. It begins at a random text and goes a random number of keys on, so
// that the choice is arbitrary, not uniform.
func (l *KeyList) RandomKey() ([]byte, error) {
	var found []byte
	skip := rand.IntN(max(1, min(l.keys.Len(l.database), randomReach)))
	pick := func(key []byte, _ engine.Document) (bool, error) {
		found = append(found[:0], key...)
		skip--
		return skip >= 0, nil
	}
	from := []byte{byte(rand.IntN(utf8.RuneSelf)), byte(rand.IntN(utf8.RuneSelf))}
	if err := l.each(engine.KeyScan{From: from}, pick); err != nil || skip < 0 {
		return found, err
	}
	return found, l.each(engine.KeyScan{}, pick) // past the end: on from the start
}
