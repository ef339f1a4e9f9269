package payload

import (
	"bytes"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/dgraph-io/badger/v4"
)

// ScanOptions selects the keys of a scan.
type ScanOptions struct {
	Prefix   []byte // only keys that begin with it
	From     []byte // the first key, inclusive, whole and not relative to Prefix; nil = from the end where the scan begins
	Reverse  bool   // descending order
	KeysOnly bool   // fn gets nil values, which are neither read nor verified
}

// Scan calls fn for the keys that live at seq, in the order of their bytes, until fn returns false
// or an error. Key and value are borrowed until fn returns. fn may read the store but a value that
// is damaged ends the scan with its *binfmt.CorruptError.
func (s *Store) Scan(seq uint64, o ScanOptions, fn func(key, value []byte) (bool, error)) error {
	if !s.enter() {
		return ErrClosed
	}
	defer s.leave()
	inside := false
	return s.guardUnless(&inside, func() error {
		txn := s.db.NewTransactionAt(upTo(seq), false)
		defer txn.Discard()
		c := newCursor(txn, o)
		defer c.it.Close()
		var value []byte
		for ; c.valid(); c.it.Next() {
			item := c.it.Item()
			key := item.Key()
			var borrowed []byte
			if !o.KeysOnly {
				var err error
				value, err = s.appendValue(txn, item, key, value[:0])
				if errors.Is(err, ErrNotFound) {
					continue
				}
				if err != nil {
					return err
				}
				borrowed = value
			}
			inside = true
			more, err := fn(key[1:], borrowed)
			inside = false
			if err != nil || !more {
				return err
			}
		}
		return nil
	})
}

// cursor walks the keys of prefixValue within a scan's prefix.
type cursor struct {
	it     *badger.Iterator
	prefix []byte
}

func newCursor(txn *badger.Txn, o ScanOptions) cursor {
	prefix := append([]byte{prefixValue}, o.Prefix...)
	var from []byte
	if o.From != nil {
		from = append([]byte{prefixValue}, o.From...)
	}
	if !o.Reverse {
		c := cursor{it: txn.NewIterator(badger.IteratorOptions{Prefix: prefix}), prefix: prefix}
		if bytes.Compare(from, prefix) < 0 {
			from = prefix
		}
		c.it.Seek(from)
		return c
	}
	// Badger's own prefix is of no use backwards: a seek behind the last key of the prefix may land
	// on a key outside, where it would end the iteration. The seek goes to the first key behind.
	c := cursor{it: txn.NewIterator(badger.IteratorOptions{Reverse: true}), prefix: prefix}
	behind := successor(prefix)
	if from == nil || bytes.Compare(from, behind) > 0 {
		from = behind
	}
	for c.it.Seek(from); c.it.Valid() && bytes.Compare(c.it.Item().Key(), behind) >= 0; {
		c.it.Next()
	}
	return c
}

func (c *cursor) valid() bool { return c.it.ValidForPrefix(c.prefix) }

// successor returns the smallest key above every key that begins with prefix. The first byte of
// prefix is ours and never 255.
func successor(prefix []byte) []byte {
	out := bytes.Clone(prefix)
	for out[len(out)-1] == 0xff {
		out = out[:len(out)-1]
	}
	out[len(out)-1]++
	return out
}

// guard runs fn, which reads through badger, and returns faults of its maps and panics on damaged
// tables as errors.
func (s *Store) guard(fn func() error) error {
	never := false
	return s.guardUnless(&never, fn)
}

// guardUnless is guard, but lets a panic through that happens while *foreign is set.
func (s *Store) guardUnless(foreign *bool, fn func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		if *foreign {
			return
		}
		if v := recover(); v != nil {
			err = s.corrupt("badger cannot read its files: %w", panicError(v))
		}
	}()
	return fn()
}

func panicError(v any) error {
	if err, ok := v.(error); ok {
		return err
	}
	return fmt.Errorf("%v", v)
}
