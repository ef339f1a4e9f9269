package wal

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/vfs"
)

// survey is what the files of a directory say, read without changing anything.
type survey struct {
	files      []*logFile // in order, without superseded ones; closed
	superseded []*logFile
	unfinished []string // names of files that were never published
	highest    uint64   // file number ever seen
	synced     uint64   // highest record that some frame or header calls durable
	torn       bool     // bytes stand behind the last record
	damage     *binfmt.CorruptError
}

// Open opens the log in o.Dir and brings it to a state after a possible crash, see the package
// comment. With damage in the middle it succeeds and Damage is not nil.
func Open(o Options) (*Log, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	if err := vfs.MkdirDurably(o.FS, o.Dir); err != nil {
		return nil, fmt.Errorf("wal: open: %w", err)
	}
	sv, err := inspect(o.FS, o.Dir)
	if err != nil {
		return nil, fmt.Errorf("wal: open %s: %w", o.Dir, err)
	}
	l := &Log{o: o, newEpoch: randomEpoch, files: sv.files, damage: sv.damage}
	l.room.L = &l.mu
	if sv.damage != nil {
		o.Log.Error("log is damaged", "err", sv.damage)
		l.failed = fmt.Errorf("%w: %w", ErrReadOnly, sv.damage)
	} else if err := l.recover(sv); err != nil {
		return nil, fmt.Errorf("wal: recover %s: %w", o.Dir, err)
	}
	if n := len(l.files); n > 0 {
		l.last = l.files[n-1].last
		l.durable, l.proven = l.last, sv.synced
	}
	return l, nil
}

// inspect reads every record of every file.
func inspect(fsys vfs.FS, dir string) (*survey, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return nil, err
	}
	sv := &survey{}
	var found []*logFile
	var badHeader *binfmt.CorruptError // what stands before it is still read
	for _, base := range names {
		if number, ok := parseFileName(base); ok {
			f, err := readFileHeader(fsys, dir, number)
			if badHeader != nil || errors.As(err, &badHeader) {
				continue
			}
			if err != nil {
				return nil, err
			}
			found = append(found, f)
		} else if number, ok := parseFileName(strings.TrimSuffix(base, vfs.TempSuffix)); ok {
			sv.unfinished = append(sv.unfinished, fileName(dir, number)+vfs.TempSuffix)
		}
	}
	// A file supersedes every record from its start on in the files before it.
	for _, f := range slices.Backward(found) {
		sv.highest = max(sv.highest, f.number)
		if len(sv.files) > 0 && f.start >= sv.files[0].start {
			sv.superseded = append(sv.superseded, f)
			continue
		}
		sv.files = slices.Insert(sv.files, 0, f)
		sv.synced = max(sv.synced, f.start-1)
	}
	for i := range sv.files {
		if err := sv.readFile(fsys, i); err != nil {
			return nil, err
		}
		if sv.damage != nil {
			sv.files = sv.files[:i+1]
			break
		}
	}
	sv.damage = cmp.Or(sv.damage, badHeader)
	return sv, nil
}

// readFileHeader describes a file and leaves it closed.
func readFileHeader(fsys vfs.FS, dir string, number uint64) (*logFile, error) {
	f, err := openFile(fsys, dir, number, false)
	if err != nil {
		return nil, err
	}
	return f, f.close()
}

// readFile reads the records of file i up to its end, or to where the next file takes over.
func (sv *survey) readFile(fsys vfs.FS, i int) error {
	f := sv.files[i]
	file, err := fsys.OpenRead(f.name)
	if err != nil {
		return err
	}
	defer file.Close()
	r := newRecordReader(f, file)
	limit := ^uint64(0)
	if i+1 < len(sv.files) {
		limit = sv.files[i+1].start
	}
	for r.next < limit {
		if _, ok := r.read(); !ok {
			break
		}
	}
	f.end, f.last = r.off, r.next-1
	sv.synced = max(sv.synced, r.synced)
	if r.err != nil {
		return fmt.Errorf("read %s: %w", f.name, r.err)
	}
	if r.next == limit {
		return nil
	}
	// Record r.next is bad or absent. A file that another one follows was flushed to its end first.
	later, dirty := r.later(r.off)
	if r.err != nil {
		return fmt.Errorf("read %s: %w", f.name, r.err)
	}
	sv.synced = max(sv.synced, later)
	if sv.synced >= r.next {
		sv.damage = binfmt.Corrupt(f.name, r.off, "record %d is unreadable, but records up to %d were durable", r.next, sv.synced)
		return nil
	}
	sv.torn = dirty
	return nil
}

// recover removes what a crash left over and opens the last file for writing, or makes a new one.
func (l *Log) recover(sv *survey) error {
	for _, name := range sv.unfinished {
		if err := l.o.FS.Remove(name); err != nil {
			return err
		}
	}
	if err := l.removeFiles(sv.superseded); err != nil {
		return err
	}
	if len(l.files) == 0 {
		return nil
	}
	f := l.files[len(l.files)-1]
	if sv.torn || sv.synced < f.last {
		return l.continueInNewFile(sv, f)
	}
	open, err := openFile(l.o.FS, l.o.Dir, f.number, true)
	if err != nil {
		return err
	}
	f.file = open.file
	return nil
}

// continueInNewFile makes a file that holds the records whose durability nothing proves and
// supersedes whatever stands behind the last proven one.
func (l *Log) continueInNewFile(sv *survey, old *logFile) error {
	content, provenEnd, err := l.copyUnproven(sv, old)
	if err != nil {
		return err
	}
	next := logFile{number: sv.highest + 1, start: sv.synced + 1, epoch: l.newEpoch(), size: min(l.o.FileBytes, max(l.o.first, old.size))}
	f, err := createFile(l.o.FS, l.o.Dir, next, content)
	if err != nil { // a full disk should not keep us from starting
		next.size = 0
		if f, err = createFile(l.o.FS, l.o.Dir, next, content); err != nil {
			return err
		}
	}
	f.last = old.last
	l.o.Log.Warn("log ended in a crash", "file", old.name, "offset", old.end, "last", old.last, "torn", sv.torn)
	if old.start >= f.start {
		l.files[len(l.files)-1] = f
		return l.removeFiles([]*logFile{old})
	}
	old.last, old.end = f.start-1, provenEnd
	l.files = append(l.files, f)
	return l.trim(old)
}

// copyUnproven returns the frames of the records after sv.synced, and where they begin in old.
func (l *Log) copyUnproven(sv *survey, old *logFile) (content []byte, provenEnd int64, err error) {
	file, err := l.o.FS.OpenRead(old.name)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	r := newRecordReader(old, file)
	provenEnd = r.off
	for r.next <= old.last {
		rec, ok := r.read()
		if !ok {
			return nil, 0, errors.Join(binfmt.Corrupt(old.name, r.off, "record %d has changed since it was read", r.next), r.err)
		}
		if rec.Seq <= sv.synced {
			provenEnd = r.off
			continue
		}
		content = appendRecord(content, rec)
	}
	return content, provenEnd, nil
}

// trim gives back what stands behind the end of a file that a newer one supersedes.
func (l *Log) trim(f *logFile) error {
	file, err := l.o.FS.Open(f.name)
	if err != nil {
		return err
	}
	f.size = f.end
	return errors.Join(file.Truncate(f.end), file.Close())
}

// removeFiles removes files durably, one after the other: a crash must not leave an older one
// behind a gap.
func (l *Log) removeFiles(files []*logFile) error {
	for _, f := range files {
		if err := errors.Join(f.close(), l.o.FS.Remove(f.name)); err != nil {
			return err
		}
		if err := l.o.FS.SyncDir(path.Clean(l.o.Dir)); err != nil {
			return err
		}
	}
	return nil
}
