package wal

import (
	"fmt"

	"github.com/isobath/isobath/internal/binfmt"
)

// Replay calls fn for every durable record from from on, in order; what is not retained any more is
// left out. r.Data is borrowed until fn returns. An error of fn ends the replay and is returned as
// it is. In a damaged log the replay ends before the damage without an error, see Damage; damage
// that appeared since Open is a *binfmt.CorruptError. fn may append but not truncate.
func (l *Log) Replay(from uint64, fn func(r Record) error) error {
	l.mu.Lock()
	files := make([]logFile, 0, len(l.files))
	for _, f := range l.files {
		if f.last >= from && f.last >= f.start {
			files = append(files, *f)
		}
	}
	l.mu.Unlock()
	for i := range files {
		if err := l.replayFile(&files[i], from, fn); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) replayFile(f *logFile, from uint64, fn func(r Record) error) error {
	file, err := l.o.FS.OpenRead(f.name)
	if err != nil {
		return fmt.Errorf("wal: replay: %w", err)
	}
	defer file.Close()
	r := newRecordReader(f, file)
	for r.next <= f.last {
		rec, ok := r.read()
		if !ok {
			if r.err != nil {
				return fmt.Errorf("wal: replay %s: %w", f.name, r.err)
			}
			return binfmt.Corrupt(f.name, r.off, "record %d is unreadable", r.next)
		}
		if rec.Seq >= from {
			if err := fn(rec); err != nil {
				return err
			}
		}
	}
	return nil
}
