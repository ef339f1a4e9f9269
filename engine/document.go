package engine

import (
	"encoding/binary"
	"iter"

	"github.com/isobath/isobath/internal/binfmt"
)

// Kind is the type of a document. Numbers are stored on disk and never reused.
type Kind uint8

// Kinds of documents.
const (
	KindString Kind = 1
	KindHash   Kind = 2
	KindJSON   Kind = 3 // reserved
)

// Document is the stored form of a key of the RESP protocol.
type Document struct {
	Kind   Kind
	Number uint64 // key number: insertion order, and the point id in FT collections
	Expire int64  // unix milliseconds, 0 never
	Body   []byte // KindString: the bytes; KindHash: see AppendHashField
}

// AppendHashField appends one field to a hash body: uvarint length and bytes of the field,
// then of the value. Fields stand in insertion order and occur once.
func AppendHashField(body, field, value []byte) []byte {
	body = binary.AppendUvarint(body, uint64(len(field)))
	body = append(body, field...)
	body = binary.AppendUvarint(body, uint64(len(value)))
	return append(body, value...)
}

// HashFields iterates over field and value of a hash body; both are borrowed from it.
// Iteration ends early at damage, which the store's checksums have ruled out.
func HashFields(body []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(field, value []byte) bool) {
		for len(body) > 0 {
			field, rest, ok := cutBytes(body)
			if !ok {
				return
			}
			value, rest, ok := cutBytes(rest)
			if !ok || !yield(field, value) {
				return
			}
			body = rest
		}
	}
}

func cutBytes(b []byte) (head, rest []byte, ok bool) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, nil, false
	}
	return b[w : w+int(n)], b[w+int(n):], true
}

func decodeStoredDocument(value []byte) (Document, error) {
	r := binfmt.NewReader(value)
	d := decodeDocument(r)
	return d, r.Err()
}

// mostStored is the length of the stored form, or a few bytes more.
func (d *Document) mostStored() int { return 1 + 4*binary.MaxVarintLen64 + len(d.Body) }

// appendStored appends the form that badger keeps.
func (d Document) appendStored(dst []byte) []byte {
	w := binfmt.Writer{Buf: dst}
	d.encode(&w)
	return w.Buf
}
