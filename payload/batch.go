package payload

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/dgraph-io/badger/v4"
)

// batch turns ops into badger's entries. Keys and values live in its buffer until the flush.
type batch struct {
	wb  *badger.WriteBatch
	buf []byte
}

const (
	batchChunk = 1 << 20
	batchKeep  = 4 << 20
)

func (b *batch) reset(wb *badger.WriteBatch) {
	b.wb = wb
	if cap(b.buf) > batchKeep {
		b.buf = nil
	}
	b.buf = b.buf[:0]
}

// room makes sure that n bytes can be appended without moving what was handed out before.
func (b *batch) room(n int) {
	if cap(b.buf)-len(b.buf) < n {
		b.buf = make([]byte, 0, max(n, batchChunk))
	}
}

func (b *batch) key(prefix byte, key []byte) []byte {
	b.room(1 + len(key))
	start := len(b.buf)
	b.buf = append(append(b.buf, prefix), key...)
	return b.buf[start:len(b.buf):len(b.buf)]
}

// set writes an entry of the record of version.
func (b *batch) set(key []byte, version uint64, format byte, body []byte) error {
	b.room(frameBytes + len(body))
	start := len(b.buf)
	b.buf = append(b.buf, format)
	b.buf = binary.LittleEndian.AppendUint32(b.buf, frameSum(key, seqOf(version), format, body))
	b.buf = append(b.buf, body...)
	return b.wb.SetEntryAt(badger.NewEntry(key, b.buf[start:len(b.buf):len(b.buf)]), version)
}

// put writes one op, of which blob is where its long value lies.
func (b *batch) put(op *Op, blob placed) error {
	key := b.key(prefixValue, op.Key)
	switch {
	case op.Delete:
		return b.wb.DeleteAt(key, upTo(op.Seq)) // above what was written anew
	case !isBlob(op):
		return b.set(key, stamp(op.Seq), formatWhole, op.Value)
	case blob.known:
		return nil
	}
	var body [blobRefBytes]byte
	return b.set(key, blob.version, formatBlob, blob.ref.append(body[:0]))
}

func isBlob(op *Op) bool { return !op.Delete && len(op.Value) > blobBytes }

// placed says where the blob of an op lies and at which timestamp badger hears of it.
type placed struct {
	ref     blobRef
	version uint64
	known   bool // badger has the reference: the record is replayed and its blob was not lost
}

// writeBlobs writes the long values of ops, before badger hears of any: in their order.
func (s *Store) writeBlobs(ops []Op) ([]placed, error) {
	blobs := s.placed[:0]
	for i := range ops {
		op := &ops[i]
		if !isBlob(op) {
			continue
		}
		s.key = append(append(s.key[:0], prefixValue), op.Key...)
		sum := frameSum(s.key, op.Seq, formatWhole, op.Value)
		blob := placed{version: stamp(op.Seq)}
		var err error
		if op.Seq <= s.newest {
			if blob, err = s.placedBefore(s.key, op, sum); err != nil {
				return nil, err
			}
		}
		if !blob.known {
			if blob.ref, err = s.writer.append(op.Value, sum); err != nil {
				return nil, err
			}
		}
		blobs = append(blobs, blob)
	}
	s.placed = blobs
	return blobs, s.writer.flush()
}

// placedBefore looks for what an earlier time has left of a blob that is written again.
func (s *Store) placedBefore(key []byte, op *Op, sum uint32) (blob placed, err error) {
	blob.version = stamp(op.Seq)
	err = s.guard(func() error {
		txn := s.db.NewTransactionAt(upTo(op.Seq), false)
		defer txn.Discard()
		item, err := txn.Get(key)
		if errors.Is(err, badger.ErrKeyNotFound) || err == nil && seqOf(item.Version()) != op.Seq {
			return nil
		}
		if err != nil {
			return err
		}
		ref, err := s.blobOf(item)
		if err != nil {
			return err
		}
		if ref != nil && ref.sum == sum && ref.length == int64(len(op.Value)) {
			if _, err := s.readVerified(*ref, key, op.Seq, nil); err == nil {
				blob = placed{*ref, item.Version(), true}
				return nil
			}
		}
		blob.version, err = rewriteOf(item.Version())
		return err
	})
	return blob, err
}

// lastOfRecord returns ops without those whose key a later op of the same record writes as well: their entries would have
// one timestamp.
func lastOfRecord(ops []Op, last map[string]int) []Op {
	out, copied := ops, false
	for from, to := 0, 0; from < len(ops); from = to {
		for to = from + 1; to < len(ops) && ops[to].Seq == ops[from].Seq; to++ {
		}
		record := ops[from:to]
		dropped := lastOfKeys(record, last)
		if dropped && !copied {
			out, copied = slices.Clone(ops[:from]), true
		}
		if !copied {
			continue
		}
		for i := range record {
			if !dropped || isLast(record, i, last) {
				out = append(out, record[i])
			}
		}
	}
	return out
}

// fewOps of a record are compared one by one: the map is as large as the largest record was, and clearing it takes as long.
const fewOps = 8

// lastOfKeys tells whether a key of the record is written more than once. Of a long one it finds the last op of each key.
func lastOfKeys(record []Op, last map[string]int) bool {
	if len(record) <= fewOps {
		for i := range record {
			if !isLast(record, i, nil) {
				return true
			}
		}
		return false
	}
	clear(last)
	for i := range record {
		last[string(record[i].Key)] = i
	}
	return len(last) < len(record)
}

func isLast(record []Op, i int, last map[string]int) bool {
	if len(record) > fewOps {
		return last[string(record[i].Key)] == i
	}
	return !slices.ContainsFunc(record[i+1:], func(op Op) bool { return bytes.Equal(op.Key, record[i].Key) })
}
