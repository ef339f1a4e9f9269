package payload

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"github.com/dgraph-io/badger/v4"

	"github.com/isobath/isobath/internal/binfmt"
)

// The layout of keys and values is described in FORMAT.md.
const (
	prefixValue = 1 // user key -> value or reference to a blob
	prefixMark  = 4 // nothing -> number of the last Sync (mark.go)

	formatWhole = 1 // the value itself
	formatBlob  = 2 // blobRef of the value

	frameBytes = 5
)

// frameSum covers all that identifies a value, so that one that turns up under another key or
// another version is noticed.
func frameSum(key []byte, seq uint64, format byte, body []byte) uint32 {
	var fixed [9]byte
	binary.LittleEndian.PutUint64(fixed[:], seq)
	fixed[8] = format
	return binfmt.Checksum(key, fixed[:], body)
}

// open checks the frame of a value that is stored at a timestamp and returns what is inside, borrowed.
func (s *Store) open(key, stored []byte, version uint64) (format byte, body []byte, err error) {
	seq := seqOf(version)
	if len(stored) < frameBytes {
		return 0, nil, s.corrupt("value of %d bytes at record %d", len(stored), seq)
	}
	format, body = stored[0], stored[frameBytes:]
	if frameSum(key, seq, format, body) != binary.LittleEndian.Uint32(stored[1:]) {
		return 0, nil, s.corrupt("checksum of a value of record %d does not match", seq)
	}
	if format != formatWhole && format != formatBlob {
		return 0, nil, fmt.Errorf("payload: value of record %d: %w", seq, &binfmt.VersionError{Version: uint32(format), Known: formatBlob})
	}
	return format, body, nil
}

// appendValue appends the value of an item that txn found under key, a key of prefixValue. A blob may
// have been moved since: then the newest value that txn's timestamp admits is looked up again, and
// ErrNotFound returned when that is a delete by now.
func (s *Store) appendValue(txn *badger.Txn, item *badger.Item, key, dst []byte) ([]byte, error) {
	ref, out, err := s.appendStored(item, key, dst)
	for err == nil && ref != nil {
		seq := seqOf(item.Version())
		if out, err = s.readVerified(*ref, key, seq, dst); !errors.Is(err, errMoved) {
			return out, err
		}
		gone := *ref
		again := s.db.NewTransactionAt(txn.ReadTs(), false)
		defer again.Discard()
		if item, err = again.Get(key); err != nil {
			break
		}
		if ref, out, err = s.appendStored(item, key, dst); err == nil && ref != nil && *ref == gone {
			return nil, &binfmt.CorruptError{File: s.blobs.name(gone.file), Err: fs.ErrNotExist}
		}
	}
	if errors.Is(err, badger.ErrKeyNotFound) {
		err = ErrNotFound
	}
	return out, err
}

// readVerified appends the blob of a key, errMoved when its file is gone.
func (s *Store) readVerified(ref blobRef, key []byte, seq uint64, dst []byte) ([]byte, error) {
	out, err := s.blobs.read(ref, dst)
	if err == nil && frameSum(key, seq, formatWhole, out[len(dst):]) != ref.sum {
		return nil, binfmt.Corrupt(s.blobs.name(ref.file), ref.offset, "payload: checksum of a value of record %d does not match", seq)
	}
	return out, err
}

// appendStored appends the value that badger itself holds, or returns where the blob is.
func (s *Store) appendStored(item *badger.Item, key, dst []byte) (ref *blobRef, out []byte, err error) {
	err = item.Value(func(stored []byte) error {
		format, body, err := s.open(key, stored, item.Version())
		if err != nil {
			return err
		}
		if format == formatWhole {
			out = append(dst, body...)
			return nil
		}
		r, err := decodeBlobRef(body)
		if err != nil {
			return s.corrupt("reference of a value of record %d: %w", seqOf(item.Version()), err)
		}
		ref = &r
		return nil
	})
	return ref, out, err
}
