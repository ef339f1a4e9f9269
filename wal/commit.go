package wal

import (
	"fmt"
	"sort"
)

// Sync makes everything durable that was appended before the call and returns the number of the
// last durable record. After an error nothing of the group may be acknowledged and the log is dead.
func (l *Log) Sync() (durable uint64, err error) {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	if err := l.syncLocked(); err != nil {
		return l.Durable(), err
	}
	return l.Durable(), nil
}

// syncLocked is Sync under syncMu.
func (l *Log) syncLocked() error {
	l.mu.Lock()
	if l.failed != nil {
		err := l.failed
		l.mu.Unlock()
		return err
	}
	group := l.pending
	l.pending, l.spare = l.spare, batch{}
	l.room.Broadcast()
	l.mu.Unlock()
	if len(group.records) > 0 {
		if err := l.write(group); err != nil {
			return l.fail(err)
		}
	}
	if cap(group.buf) <= keptPending {
		l.spare = batch{buf: group.buf[:0], records: group.records[:0]}
	}
	return nil
}

// fail kills the log.
func (l *Log) fail(cause error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == nil {
		l.failed = fmt.Errorf("%w: %w", ErrFailed, cause)
	}
	l.room.Broadcast()
	return l.failed
}

// write writes and flushes a group: one write and one flush, more where a file ends.
func (l *Log) write(group batch) error {
	from := 0 // of what is not yet written, in group.buf
	records := group.records
	for len(records) > 0 {
		f := l.current()
		n := 0
		if f != nil {
			room := f.size - f.end
			n = sort.Search(len(records), func(i int) bool { return int64(records[i].end-from) > room })
		}
		if n == 0 {
			if err := l.startFile(records[0].seq, max(l.nextSize(), dataStart+int64(records[0].end-from))); err != nil {
				return err
			}
			continue
		}
		end := records[n-1].end
		if err := l.writeFrames(f, group.buf[from:end], records[n-1].seq); err != nil {
			return err
		}
		from, records = end, records[n:]
	}
	return nil
}

// writeFrames appends complete frames to the current file and flushes it. last is the number of the
// last record after that.
func (l *Log) writeFrames(f *logFile, frames []byte, last uint64) error {
	synced := l.Durable()
	seal(frames, f.place(f.end), synced)
	if _, err := f.file.WriteAt(frames, f.end); err != nil {
		return err
	}
	if err := f.zeroAhead(f.end + int64(len(frames))); err != nil {
		return err
	}
	if err := f.file.Sync(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f.end += int64(len(frames))
	f.last, l.durable, l.proven = last, last, max(l.proven, synced)
	return nil
}

// zeroAhead writes zeros behind end from time to time. A write into space that was only allocated
// makes the flush wait for the file system's journal too; measured on ext4, groups of one small record
// take 0.42 ms with zeros and 0.55 ms without. Large groups gain nothing and are left alone.
func (f *logFile) zeroAhead(end int64) error {
	if end <= f.zeroed || end-f.end > zeroBytes/8 {
		return nil
	}
	n := min(f.size-end, zeroBytes)
	f.zeroed = end + n
	if n == 0 {
		return nil
	}
	_, err := f.file.WriteAt(zeros[:n], end)
	return err
}

var zeros [zeroBytes]byte

// current returns the last file.
func (l *Log) current() *logFile {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.files) == 0 {
		return nil
	}
	return l.files[len(l.files)-1]
}

// smallest is the size of a first file.
func (l *Log) smallest() int64 { return min(l.o.FileBytes, l.o.first) }

// nextSize is the size of a file that is begun because the last one is full.
func (l *Log) nextSize() int64 {
	if old := l.current(); old != nil {
		return min(l.o.FileBytes, max(l.o.first, 2*old.size))
	}
	return l.smallest()
}

// startFile makes the file that begins with record start. Everything before start is durable.
func (l *Log) startFile(start uint64, size int64) error {
	number := uint64(1)
	old := l.current()
	if old != nil {
		number = old.number + 1
	}
	f, err := createFile(l.o.FS, l.o.Dir, logFile{number: number, start: start, epoch: l.newEpoch(), size: size}, nil)
	if err != nil {
		return fmt.Errorf("start a log file at record %d: %w", start, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files = append(l.files, f)
	l.proven = start - 1
	if old != nil { // from now on TruncatePrefix may take it
		return old.close()
	}
	return nil
}

// markLocked writes a frame that says that everything is durable, so that the next Open has nothing
// to prove. Called under syncMu.
func (l *Log) markLocked() error {
	f := l.current()
	if f == nil || f.last < f.start || l.proven >= f.last {
		return nil
	}
	mark := appendFrame(nil, frame{typ: frameMark, seq: f.last})
	if f.size-f.end < int64(len(mark)) {
		return nil // the next Open proves it by copying
	}
	if err := l.writeFrames(f, mark, f.last); err != nil {
		return l.fail(err)
	}
	return nil
}
