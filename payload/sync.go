package payload

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// Sync returns when everything applied before the call survives a power cut. Badger's own Sync covers
// only the newest memtable log and no directory entry, so every file is synced by its path. After a
// file could not be synced the store takes no more writes.
func (s *Store) Sync() error {
	if !s.enter() {
		return ErrClosed
	}
	defer s.leave()
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	if s.failed.Load() {
		return ErrFailed
	}
	moved := s.collector.list()
	seq, marked, err := s.putMark()
	if err != nil {
		return fmt.Errorf("payload: sync: %w", err)
	}
	if err := errors.Join(s.blobs.sync(), s.db.Sync()); err != nil {
		s.failed.Store(true)
		return fmt.Errorf("payload: sync: %w", err)
	}
	if err := s.syncFilesLocked(); err != nil {
		return err
	}
	s.collector.durable(moved)
	if marked {
		if err := s.saveMarkLocked(seq); err != nil {
			return fmt.Errorf("payload: sync: %w", err)
		}
	}
	return nil
}

func (s *Store) syncFilesLocked() error {
	for {
		again, err := s.syncListedLocked()
		if err != nil {
			return fmt.Errorf("payload: sync: %w", err)
		}
		if !again {
			break
		}
	}
	if err := syncPath(s.o.Dir, &s.failed); err != nil {
		return fmt.Errorf("payload: sync: %w", err)
	}
	return nil
}

// syncListedLocked syncs the files that are there now. A memtable log may vanish meanwhile because its
// content moved to a new table, and a table because compaction replaced it: then it asks for
// another round, which finds the new file.
func (s *Store) syncListedLocked() (again bool, err error) {
	entries, err := os.ReadDir(s.o.Dir)
	if err != nil {
		return false, err
	}
	present := make(map[string]bool, len(entries))
	for _, e := range entries {
		name := e.Name()
		table := strings.HasSuffix(name, tableSuffix)
		if name == "LOCK" || e.IsDir() || table && s.synced[name] {
			present[name] = table
			continue
		}
		err := syncPath(filepath.Join(s.o.Dir, name), &s.failed)
		if errors.Is(err, fs.ErrNotExist) {
			again = true
			continue
		}
		if err != nil {
			return false, err
		}
		present[name] = table
	}
	s.synced = present
	return again, nil
}

// syncPath makes a file or directory durable. A failed sync, which sets failed, is never repeated: the
// kernel reports it once and may have dropped what it could not write.
func syncPath(name string, failed *atomic.Bool) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		failed.Store(true)
	}
	return errors.Join(err, f.Close())
}
