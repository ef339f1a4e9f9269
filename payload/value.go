package payload

import (
	"encoding/binary"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/isobath/isobath/internal/binfmt"
)

// The layout of keys and values is described in FORMAT.md.
const (
	prefixValue = 1 // user key -> whole value or the head of a split one
	prefixPiece = 2 // user key, piece number -> piece
	prefixSplit = 3 // user key -> number of pieces; finds pieces that an overwrite has to remove
	prefixMark  = 4 // nothing -> number of the last Sync (mark.go)

	formatWhole = 1 // the value itself
	formatSplit = 2 // u64 length of the value, which lies in pieces

	frameBytes = 5
	pieceBytes = 512 << 10
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

func (b *batch) key(prefix byte, key []byte, suffix ...byte) []byte {
	b.room(1 + len(key) + len(suffix))
	start := len(b.buf)
	b.buf = append(append(append(b.buf, prefix), key...), suffix...)
	return b.buf[start:len(b.buf):len(b.buf)]
}

func (b *batch) set(key []byte, seq uint64, format byte, body []byte) error {
	b.room(frameBytes + len(body))
	start := len(b.buf)
	b.buf = append(b.buf, format)
	b.buf = binary.LittleEndian.AppendUint32(b.buf, frameSum(key, seq, format, body))
	b.buf = append(b.buf, body...)
	return b.wb.SetEntryAt(badger.NewEntry(key, b.buf[start:len(b.buf):len(b.buf)]), seq)
}

// frameSum covers all that identifies a value, so that one that turns up under another key or
// another version is noticed.
func frameSum(key []byte, seq uint64, format byte, body []byte) uint32 {
	var fixed [9]byte
	binary.LittleEndian.PutUint64(fixed[:], seq)
	fixed[8] = format
	return binfmt.Checksum(key, fixed[:], body)
}

func pieceSuffix(i uint32) []byte { return binary.BigEndian.AppendUint32(nil, i) }

// put writes one op and removes the pieces that an older, longer value of the key may have.
func (s *Store) put(op *Op) error {
	b, pieces := &s.batch, uint32(0)
	old := s.split[string(op.Key)]
	switch {
	case op.Delete:
		if err := b.wb.DeleteAt(b.key(prefixValue, op.Key), op.Seq); err != nil {
			return err
		}
	case len(op.Value) <= pieceBytes:
		if err := b.set(b.key(prefixValue, op.Key), op.Seq, formatWhole, op.Value); err != nil {
			return err
		}
	default:
		var err error
		if pieces, err = s.putPieces(op); err != nil {
			return err
		}
	}
	for i := pieces; i < old; i++ {
		if err := b.wb.DeleteAt(b.key(prefixPiece, op.Key, pieceSuffix(i)...), op.Seq); err != nil {
			return err
		}
	}
	if old > 0 && pieces == 0 {
		delete(s.split, string(op.Key))
		return b.wb.DeleteAt(b.key(prefixSplit, op.Key), op.Seq)
	}
	return nil
}

func (s *Store) putPieces(op *Op) (pieces uint32, err error) {
	b := &s.batch
	for rest := op.Value; len(rest) > 0; pieces++ {
		n := min(len(rest), pieceBytes)
		if err := b.set(b.key(prefixPiece, op.Key, pieceSuffix(pieces)...), op.Seq, formatWhole, rest[:n]); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	s.split[string(op.Key)] = pieces
	if err := b.set(b.key(prefixSplit, op.Key), op.Seq, formatWhole, binary.LittleEndian.AppendUint32(nil, pieces)); err != nil {
		return 0, err
	}
	head := binary.LittleEndian.AppendUint64(nil, uint64(len(op.Value)))
	return pieces, b.set(b.key(prefixValue, op.Key), op.Seq, formatSplit, head)
}

// open checks the frame of a stored value and returns what is inside, borrowed.
func (s *Store) open(key, stored []byte, seq uint64) (format byte, body []byte, err error) {
	if len(stored) < frameBytes {
		return 0, nil, s.corrupt("value of %d bytes at record %d", len(stored), seq)
	}
	format, body = stored[0], stored[frameBytes:]
	if frameSum(key, seq, format, body) != binary.LittleEndian.Uint32(stored[1:]) {
		return 0, nil, s.corrupt("checksum of a value of record %d does not match", seq)
	}
	if format != formatWhole && format != formatSplit {
		return 0, nil, fmt.Errorf("payload: value of record %d: %w", seq, &binfmt.VersionError{Version: uint32(format), Known: formatSplit})
	}
	return format, body, nil
}

// appendValue appends the whole value of an item found under key, a key of prefixValue.
func (s *Store) appendValue(txn *badger.Txn, item *badger.Item, key, dst []byte) ([]byte, error) {
	seq, length, split := item.Version(), uint64(0), false
	err := item.Value(func(stored []byte) error {
		format, body, err := s.open(key, stored, seq)
		switch {
		case err != nil:
			return err
		case format == formatWhole:
			dst = append(dst, body...)
		case len(body) != 8:
			return s.corrupt("head of %d bytes at record %d", len(body), seq)
		default:
			length, split = binary.LittleEndian.Uint64(body), true
		}
		return nil
	})
	if err != nil || !split {
		return dst, err
	}
	return s.appendPieces(txn, key, seq, length, dst)
}

func (s *Store) appendPieces(txn *badger.Txn, key []byte, seq, length uint64, dst []byte) ([]byte, error) {
	base := len(dst)
	for i := uint32(0); uint64(len(dst)-base) < length; i++ {
		k := append([]byte{prefixPiece}, key[1:]...)
		k = append(k, pieceSuffix(i)...)
		item, err := txn.Get(k)
		if err != nil || item.Version() != seq {
			return nil, s.corrupt("piece %d of a value of record %d is missing", i, seq)
		}
		err = item.Value(func(stored []byte) error {
			_, body, err := s.open(k, stored, seq)
			if err == nil && len(body) == 0 {
				err = s.corrupt("piece %d of a value of record %d is empty", i, seq)
			}
			dst = append(dst, body...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if uint64(len(dst)-base) != length {
		return nil, s.corrupt("value of record %d is too long", seq)
	}
	return dst, nil
}

// loadSplit reads which keys may have pieces. It looks at every version: after a crash the newest
// one may belong to a record whose other effects are still to be replayed.
func (s *Store) loadSplit() error {
	return s.guard(func() error {
		txn := s.db.NewTransactionAt(^uint64(0), false)
		defer txn.Discard()
		it := txn.NewIterator(badger.IteratorOptions{AllVersions: true, Prefix: []byte{prefixSplit}})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			item := it.Item()
			if item.IsDeletedOrExpired() {
				continue
			}
			key := item.Key()
			err := item.Value(func(stored []byte) error {
				_, body, err := s.open(key, stored, item.Version())
				if err != nil {
					return err
				}
				if len(body) != 4 {
					return s.corrupt("piece count of %d bytes at record %d", len(body), item.Version())
				}
				s.split[string(key[1:])] = max(s.split[string(key[1:])], binary.LittleEndian.Uint32(body))
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}
