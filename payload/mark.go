package payload

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/vfs"
)

// Badger takes a damaged record in a memtable log or in its manifest for the torn end of the file and
// drops everything behind it without a word. So every Sync numbers itself: it writes its number as the
// last entry before it syncs, and after the sync the same number into a file of ours. When Open finds
// an older number in badger than in the file, badger has lost what was durable.

// mark is guarded by Store.applyMu.
type mark struct {
	number  uint64 // of the last Sync
	seq     uint64 // at which to write the next one: the highest seen
	version uint64 // of the entry of the last one
	applied bool   // anything since the last Sync
}

func (m *mark) note(seq uint64) {
	m.applied, m.seq = true, max(m.seq, seq)
}

const (
	markFile    = "SYNCED"
	markVersion = 1
)

var markMagic = binfmt.Magic8("ISBpsync")

// putMark writes the number of the Sync that is under way and returns up to where all will be durable; false
// when there is nothing to sync.
func (s *Store) putMark() (seq uint64, marked bool, err error) {
	s.applyMu.Lock()
	defer s.applyMu.Unlock()
	if !s.mark.applied || s.damage != nil {
		return 0, false, nil
	}
	version := max(stamp(s.mark.seq), s.mark.version+1)
	wb := s.db.NewManagedWriteBatch()
	s.batch.reset(wb)
	body := s.space.append(binary.LittleEndian.AppendUint64(nil, s.mark.number+1))
	if err := s.batch.set(s.batch.key(prefixMark, nil), version, formatWhole, body); err != nil {
		wb.Cancel()
		return 0, false, err
	}
	if err := wb.Flush(); err != nil {
		return 0, false, err
	}
	s.mark.number++
	s.mark.version = version
	s.mark.applied = false
	return s.mark.seq, true, nil
}

func (s *Store) markPath() string { return filepath.ToSlash(filepath.Join(s.o.Dir, markFile)) }

// saveMarkLocked runs under syncMu, so the number is still that of the caller's putMark.
func (s *Store) saveMarkLocked(seq uint64) error {
	s.applyMu.Lock()
	h := binfmt.Header{Magic: markMagic, Version: markVersion, FileID: s.mark.number, Seq: seq}
	s.applyMu.Unlock()
	return vfs.WriteFile(vfs.OS, s.markPath(), binfmt.EncodeHeader(h))
}

// loadMark compares the numbers in badger and in the file, and reads what is known of blobs.
func (s *Store) loadMark() error {
	err := s.guard(func() error {
		return s.lookup(^uint64(0), prefixMark, nil, func(_ *badger.Txn, key []byte, item *badger.Item) error {
			s.mark.seq, s.mark.version = seqOf(item.Version()), item.Version()
			return item.Value(func(stored []byte) error {
				_, body, err := s.open(key, stored, item.Version())
				if err != nil {
					return err
				}
				r := binfmt.NewReader(body)
				s.mark.number = r.U64()
				s.space.decode(r)
				if r.Err() != nil || r.Remaining() > 0 {
					return s.corrupt("sync number of %d bytes", len(body))
				}
				return nil
			})
		})
	})
	if err != nil && !errors.Is(err, ErrNotFound) && !errors.As(err, &s.damage) {
		return err
	}
	want, err := readMark(s.markPath())
	if errors.As(err, &s.damage) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	s.durable = want.Seq
	if err == nil && s.damage == nil && s.mark.number < want.FileID {
		s.damage = binfmt.Corrupt(s.o.Dir, 0, "payload: records applied before sync %d (of %d) were durable and are lost", want.FileID, s.mark.number)
	}
	return err
}

// readMark returns number and Seq of the last Sync.
func readMark(name string) (h binfmt.Header, err error) {
	b, err := vfs.ReadFile(vfs.OS, name)
	if err != nil {
		return h, fmt.Errorf("payload: open: %w", err)
	}
	h, err = binfmt.DecodeHeader(b, markMagic, markVersion)
	var newer *binfmt.VersionError
	if err != nil && !errors.As(err, &newer) {
		return h, &binfmt.CorruptError{File: name, Err: err}
	}
	return h, err
}
