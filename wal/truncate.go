package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// TruncatePrefix drops files that hold only records up to upTo. The last file goes too if it is larger than a first one,
// after one as small as that was begun. Appending and syncing go on meanwhile.
func (l *Log) TruncatePrefix(upTo uint64) error {
	l.dropMu.Lock()
	defer l.dropMu.Unlock()
	if err := l.dropUpTo(upTo); err != nil { // first: it makes room
		return err
	}
	if begun, err := l.beginSmall(upTo); err != nil || !begun {
		return err
	}
	return l.dropUpTo(upTo)
}

// dropUpTo drops the files before the last one that hold only records up to upTo. dropMu is held.
func (l *Log) dropUpTo(upTo uint64) error {
	l.mu.Lock()
	if l.failed != nil {
		defer l.mu.Unlock()
		return l.failed
	}
	n := 0
	for n+1 < len(l.files) && l.files[n].last <= upTo {
		n++
	}
	drop := l.files[:n:n]
	l.files = slices.Clone(l.files[n:])
	l.mu.Unlock()
	if err := l.removeFiles(drop); err != nil {
		return l.fail(fmt.Errorf("truncate the log up to %d: %w", upTo, err))
	}
	return nil
}

// beginSmall begins a small file if the last one is larger and nothing after upTo was appended. Where there is no room for one the
// log goes on as it is.
func (l *Log) beginSmall(upTo uint64) (begun bool, err error) {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	l.mu.Lock()
	n, last := len(l.files), l.last
	begin := l.failed == nil && n > 0 && l.files[n-1].size > l.smallest() && last <= upTo && l.durable == last
	l.mu.Unlock()
	if !begin {
		return false, nil
	}
	if err = l.startFile(last+1, l.smallest()); err == nil {
		return true, nil
	}
	// A file that has its name, durably or not, would take the place of what is appended to the one before.
	if _, there := l.o.FS.Stat(fileName(l.o.Dir, l.current().number+1)); errors.Is(there, fs.ErrNotExist) {
		l.o.Log.Warn("log keeps its size", "err", err)
		return false, nil
	}
	return false, l.fail(fmt.Errorf("truncate the log up to %d: %w", upTo, err))
}

// TruncateSuffix drops every record after after, durable or not. On return they cannot come back;
// after a crash during the call either all or none of them are there. Append and Replay must not run
// meanwhile.
func (l *Log) TruncateSuffix(after uint64) error {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	if err := l.syncLocked(); err != nil {
		return err
	}
	l.mu.Lock()
	first, last := l.firstLocked(), l.last
	l.mu.Unlock()
	if after >= last {
		return nil
	}
	if after+1 < first {
		return fmt.Errorf("%w: %d, the first is %d", ErrRange, after, first)
	}
	if err := l.startFile(after+1, l.nextSize()); err != nil {
		return l.fail(fmt.Errorf("truncate the log after %d: %w", after, err))
	}
	drop := l.supersede(after)
	if err := l.removeFiles(drop); err != nil {
		return l.fail(fmt.Errorf("truncate the log after %d: %w", after, err))
	}
	return nil
}

// supersede takes the effect of the newest file on those before it into account and returns the
// files that have no records left.
func (l *Log) supersede(after uint64) (drop []*logFile) {
	l.mu.Lock()
	defer l.mu.Unlock()
	newest := l.files[len(l.files)-1]
	kept := make([]*logFile, 0, len(l.files))
	for _, f := range l.files {
		if f != newest && f.start > after {
			drop = append(drop, f)
			continue
		}
		f.last = min(f.last, after)
		kept = append(kept, f)
	}
	l.files = kept
	l.last, l.durable = after, after
	return drop
}

// SetStart makes seq the number of the next record of an empty log, durably.
func (l *Log) SetStart(seq uint64) error { return l.startAt(seq, false) }

// Reset drops all records and makes seq, which lies above them, the number of the next one,
// durably. After a crash during the call some of the records may still be there.
func (l *Log) Reset(seq uint64) error { return l.startAt(seq, true) }

func (l *Log) startAt(seq uint64, drop bool) error {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	l.mu.Lock()
	err, empty, files, last := l.failed, l.firstLocked() == l.last+1 && len(l.pending.records) == 0, l.files, l.last
	l.mu.Unlock()
	switch {
	case err != nil:
		return err
	case seq == 0 || drop && seq <= last:
		return fmt.Errorf("%w: %d after %d", ErrOrder, seq, last)
	case !empty && !drop:
		return ErrNotEmpty
	}
	// A file that begins later would turn an empty older one into a gap: that one goes first.
	number := uint64(1)
	if len(files) > 0 {
		number = files[len(files)-1].number + 1
		if err := l.removeFiles(files); err != nil {
			return l.fail(fmt.Errorf("start the log at %d: %w", seq, err))
		}
	}
	f, err := createFile(l.o.FS, l.o.Dir, logFile{number: number, start: seq, epoch: l.newEpoch(), size: l.smallest()}, nil)
	if err != nil {
		return l.fail(fmt.Errorf("start the log at %d: %w", seq, err))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files = []*logFile{f}
	l.pending.buf, l.pending.records = l.pending.buf[:0], l.pending.records[:0]
	l.last, l.durable, l.proven = seq-1, seq-1, seq-1
	return nil
}
