package slots

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
	"runtime"
	"slices"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/internal/vfs"
)

// manyFiles is how many files may hold pages before the smallest are rewritten into one.
const manyFiles = 16

// Saved names a saved table. Files are base names in the table's directory; Meta is opaque and goes
// into the manifest. The zero Saved is an empty table.
type Saved struct {
	Files []string
	Meta  []byte
}

// Save is the state of a table at BeginSave, on its way to disk.
type Save struct {
	table *Table
	pages []savePage
	image image // at BeginSave; Run makes it the new one
	saved Saved
	done  bool
	file  *pageFile // written by Run, nil if there was nothing to write
}

type savePage struct {
	index uint32
	page  *page
}

// BeginSave fixes the present state for Run. A save that was begun before and not finished is given
// up: its Run must have returned.
func (t *Table) BeginSave() *Save {
	t.abandon()
	sv := &Save{table: t, saved: t.saved}
	if len(t.dirty) == 0 && !t.changed {
		sv.done = true
		return sv
	}
	pages := *t.pages.Load()
	chosen := make([]bool, len(pages))
	for _, i := range t.dirty {
		chosen[i] = true
	}
	t.chooseRewrites(chosen)
	for i := range pages {
		if chosen[i] {
			p := pages[i].Load()
			p.frozen = true
			sv.pages = append(sv.pages, savePage{uint32(i), p})
		}
	}
	sv.image = image{high: t.High(), free: t.free.Clone(), where: slices.Clone(t.where)}
	t.dirty, t.changed, t.running = nil, false, sv
	return sv
}

// abandon takes back what a failed save was to write.
func (t *Table) abandon() {
	sv := t.running
	if sv == nil {
		return
	}
	t.running, t.changed = nil, true
	pages := *t.pages.Load()
	for _, s := range sv.pages {
		s.page.frozen = false
		if s.page.memory != nil && pages[s.index].Load() == s.page {
			t.dirty = append(t.dirty, s.index)
		}
	}
}

// chooseRewrites adds the live pages of files that are more than half superseded, and of the
// smallest files when there are many.
func (t *Table) chooseRewrites(chosen []bool) {
	live := map[*pageFile]uint32{}
	for i, at := range t.where {
		if at != nil && !chosen[i] {
			live[at.file]++
		}
	}
	var kept []*pageFile
	rewrite := map[*pageFile]bool{}
	for _, f := range t.files {
		if live[f] > 0 && live[f]*2 < f.pages {
			rewrite[f] = true
		} else if live[f] > 0 {
			kept = append(kept, f)
		}
	}
	if len(kept) >= manyFiles {
		slices.SortStableFunc(kept, func(a, b *pageFile) int { return cmp.Compare(live[a], live[b]) })
		for _, f := range kept[:manyFiles/2] {
			rewrite[f] = true
		}
	}
	for i, at := range t.where {
		if at != nil && rewrite[at.file] {
			chosen[i] = true
		}
	}
}

// Run writes the state of BeginSave to a new file in dir, durably, and says what the table consists
// of now. nextFile gives an unused base name. It may run in another goroutine than the writer's; it
// deletes nothing. After an error the next BeginSave begins anew.
func (sv *Save) Run(fsys vfs.FS, dir string, nextFile func() string) (Saved, error) {
	if sv.done {
		return sv.saved, nil
	}
	if err := sv.table.Damage(); err != nil {
		return Saved{}, fmt.Errorf("slots: save: %w", err)
	}
	f := &pageFile{name: nextFile(), id: rand.Uint64(), pages: uint32(len(sv.pages))}
	if err := sv.write(fsys, dir, f); err != nil {
		return Saved{}, fmt.Errorf("slots: save %s: %w", f.name, err)
	}
	sv.file, sv.done = f, true
	return sv.saved, nil
}

// write makes and publishes the file, and maps it.
func (sv *Save) write(fsys vfs.FS, dir string, f *pageFile) (err error) {
	name := path.Join(dir, f.name)
	tmp := name + vfs.TempSuffix
	if err := fsys.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := fsys.Create(tmp)
	if err != nil {
		return err
	}
	err = sv.fill(file, f)
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, fsys.Remove(tmp))
	}
	if err := vfs.RenameDurably(fsys, tmp, name); err != nil {
		return err
	}
	return f.open(fsys, dir)
}

// fill writes header, pages and table section, and syncs.
func (sv *Save) fill(file vfs.File, f *pageFile) error {
	// Checksums come first: the table section holds them, and space is taken for all of it at once.
	for n, s := range sv.pages {
		if !s.page.ready.Load() && sv.table.verified(s.page) == nil {
			return sv.table.Damage()
		}
		err := mmap.Guard(f.name, func() error {
			crc := pageChecksum(f.id, uint32(n), s.index, bytesOf(s.page.data))
			sv.image.where[s.index] = &location{file: f, n: uint32(n), crc: crc}
			return nil
		})
		if err != nil {
			return err
		}
	}
	sv.image.files = sv.liveFiles(f)
	section, err := sv.image.encode()
	if err != nil {
		return err
	}
	m := meta{file: f.name, off: uint64(pageOffset(f.pages)), length: uint64(len(section)), crc: binfmt.Checksum(section)}
	if err := file.Allocate(0, int64(m.off)+int64(len(section))); err != nil {
		return err
	}
	header := binfmt.EncodeHeader(binfmt.Header{Magic: fileMagic, Version: formatVersion, FileID: f.id})
	if _, err := file.WriteAt(header, 0); err != nil {
		return err
	}
	if err := sv.writePages(file, f); err != nil {
		return err
	}
	if _, err := file.WriteAt(section, int64(m.off)); err != nil {
		return err
	}
	sv.saved = Saved{Meta: m.encode()}
	for _, live := range sv.image.files {
		sv.saved.Files = append(sv.saved.Files, live.name)
	}
	return file.Sync()
}

func (sv *Save) writePages(file vfs.File, f *pageFile) error {
	buf := make([]byte, pageBytes) // a fault in a mapping must not happen inside a system call
	for n, s := range sv.pages {
		err := mmap.Guard(f.name, func() error {
			copy(buf, bytesOf(s.page.data))
			return nil
		})
		if err != nil {
			return err
		}
		if _, err := file.WriteAt(buf, pageOffset(uint32(n))); err != nil {
			return err
		}
	}
	return nil
}

// liveFiles returns the files that hold pages of the new state, and the new file.
func (sv *Save) liveFiles(newest *pageFile) []*pageFile {
	live := map[*pageFile]bool{}
	for _, at := range sv.image.where {
		if at != nil {
			live[at.file] = true
		}
	}
	live[newest] = true
	var files []*pageFile
	for _, f := range sv.table.files {
		if live[f] {
			files = append(files, f)
		}
	}
	return append(files, newest)
}

// FinishSave takes over what Run has written: pages that nobody changed since BeginSave are read
// from the file from now on. After an error of Run it takes the save back.
func (t *Table) FinishSave(sv *Save) {
	if t.running != sv {
		return
	}
	if !sv.done {
		t.abandon()
		return
	}
	t.running = nil
	t.saved = sv.saved
	t.files = sv.image.files
	copy(t.where, sv.image.where) // the table may have grown, these are its first pages
	pages := *t.pages.Load()
	for _, s := range sv.pages {
		entry := &pages[s.index]
		if entry.Load() != s.page {
			s.page.frozen = false
			continue
		}
		p := mappedPage(s.index, sv.image.where[s.index])
		p.ready.Store(true)
		t.replace(entry, s.page, p)
	}
	sv.pages = nil
}

// open maps a page file and checks its header.
func (f *pageFile) open(fsys vfs.FS, dir string) error {
	file, err := fsys.OpenRead(path.Join(dir, f.name))
	if err != nil {
		return err
	}
	err = f.mapPages(file)
	return errors.Join(err, file.Close())
}

func (f *pageFile) mapPages(file vfs.File) error {
	size, err := file.Size()
	if err != nil {
		return err
	}
	if size < pageOffset(f.pages) {
		return binfmt.Corrupt(f.name, size, "file ends before page %d", f.pages)
	}
	b := make([]byte, binfmt.HeaderSize)
	if _, err := file.ReadAt(b, 0); err != nil {
		return err
	}
	h, err := binfmt.DecodeHeader(b, fileMagic, formatVersion)
	var version *binfmt.VersionError
	switch {
	case errors.As(err, &version):
		return fmt.Errorf("%s: %w", f.name, err)
	case err != nil:
		return &binfmt.CorruptError{File: f.name, Err: err}
	case h.FileID != f.id:
		return binfmt.Corrupt(f.name, 16, "this is another file: id %x, want %x", h.FileID, f.id)
	}
	if f.region, err = mmap.Map(file, fileStart, int(f.pages)*pageBytes); err != nil {
		return err
	}
	_ = f.region.Advise(mmap.Random) // hints, here and at a page's first use: otherwise one page reads megabytes
	// Pages refer to their file: when none is left, nobody reads the mapping.
	runtime.AddCleanup(f, func(r *mmap.Region) { _ = r.Close() }, f.region)
	return nil
}
