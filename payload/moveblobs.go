package payload

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/isobath/isobath/internal/binfmt"
)

type moving struct {
	key      []byte
	version  uint64
	from, to blobRef
}

// move copies what is needed of files and changes the references.
func (s *Store) move(files []finishedFile) error {
	from := map[uint64]bool{}
	for _, f := range files {
		from[f.number] = true
	}
	var chunk []moving
	size := int64(0)
	err := s.eachBlob(func(key []byte, version uint64, ref blobRef) error {
		if !from[ref.file] {
			return nil
		}
		chunk = append(chunk, moving{key: bytes.Clone(key), version: version, from: ref})
		if size += ref.length; size < chunkBytes && len(chunk) < chunkBlobs {
			return nil
		}
		err := s.moveChunk(chunk)
		chunk, size = chunk[:0], 0
		return err
	})
	if err != nil {
		return err
	}
	return s.moveChunk(chunk)
}

func (s *Store) moveChunk(chunk []moving) error {
	if s.roomToMove() < chunkBytes {
		return errNoRoom
	}
	var value []byte
	for i := range chunk {
		m := &chunk[i]
		var err error
		if value, err = s.readVerified(m.from, m.key, seqOf(m.version), value[:0]); err != nil {
			if c := (*binfmt.CorruptError)(nil); errors.As(err, &c) {
				s.collector.damaged[m.from.file] = true
			}
			return err
		}
		if m.to, err = s.collector.writer.append(value, m.from.sum); err != nil {
			return err
		}
	}
	if err := s.collector.writer.flush(); err != nil {
		return err
	}
	if err := s.blobs.sync(); err != nil { // no record of the log would bring them back
		s.failed.Store(true)
		return err
	}
	for part := range slices.Chunk(chunk, lockBlobs) {
		if s.stopped() {
			return errStopped
		}
		if err := s.refer(part); err != nil {
			return err
		}
	}
	return nil
}

// refer writes the references of keys anew that were not written meanwhile, as later rewrites of their
// records. Badger has no newer version of them, so that none, a delete above all, can come to lie below.
func (s *Store) refer(part []moving) error {
	s.applyMu.Lock()
	defer s.applyMu.Unlock()
	if s.failed.Load() {
		return ErrFailed
	}
	txn := s.db.NewTransactionAt(^uint64(0), false)
	defer txn.Discard()
	wb := s.db.NewManagedWriteBatch()
	s.batch.reset(wb)
	for _, m := range part {
		same, err := s.isNewest(txn, m)
		if err == nil && same {
			var version uint64
			if version, err = rewriteOf(m.version); err == nil {
				var body [blobRefBytes]byte
				err = s.batch.set(m.key, version, formatBlob, m.to.append(body[:0]))
			}
		}
		if err != nil {
			wb.Cancel()
			return err
		}
	}
	if err := wb.Flush(); err != nil {
		return fmt.Errorf("payload: collect: %w", err)
	}
	return nil
}

func (s *Store) isNewest(txn *badger.Txn, m moving) (same bool, err error) {
	err = s.guard(func() error {
		item, err := txn.Get(m.key)
		if errors.Is(err, badger.ErrKeyNotFound) {
			return nil
		}
		if err != nil || item.Version() != m.version {
			return err
		}
		ref, err := s.blobOf(item)
		same = err == nil && ref != nil && *ref == m.from
		return err
	})
	return same, err
}
