package filter

import (
	"errors"
	"slices"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/invariant"
	"github.com/isobath/isobath/internal/mmap"
	"github.com/isobath/isobath/internal/vfs"
)

// Saved names the files of a saved state and says what is in them.
type Saved struct {
	Files []string // every file of the image, new ones and old ones; others may be deleted
	Meta  []byte   // for Load
}

// Save writes one state to files, beside the writer.
type Save struct {
	state  *State
	sets   *setFile
	tables []table // what replaces the tables of state
	done   bool
}

// BeginSave marks what is to be saved: exactly s. Called by the writer, with the newest state.
func (s *State) BeginSave() *Save {
	if n := len(s.tables); n > 0 {
		if t, ok := s.tables[n-1].(*memTable); ok {
			t.sealed = true
		}
	}
	return &Save{state: s}
}

// mergeFactor: a save merges the file below while it is not larger than this many times what is
// merged anyway, so that files stay logarithmic in number and each entry is rewritten as often.
const mergeFactor = 2

// Run writes what is not in files yet and syncs it. nextFile gives unused names within dir. It
// deletes nothing but its own files when it fails. Once, on any goroutine.
func (sv *Save) Run(fs vfs.FS, dir string, nextFile func() string) (Saved, error) {
	var created []string
	next := func() string {
		name := nextFile()
		created = append(created, name)
		return name
	}
	if err := sv.run(fs, dir, next); err != nil {
		for _, name := range created {
			_ = fs.Remove(dir + "/" + name) // an unnamed file does no harm
		}
		return Saved{}, err
	}
	sv.done = true
	out := Saved{Meta: sv.encodeMeta(), Files: []string{sv.sets.name}}
	for _, t := range sv.tables {
		out.Files = append(out.Files, t.(*frozenTable).name)
	}
	return out, nil
}

func (sv *Save) run(fs vfs.FS, dir string, next func() string) error {
	s := sv.state
	if err := vfs.MkdirDurably(fs, dir); err != nil {
		return err
	}
	sv.sets = s.saved
	if !s.saved.holds(s) {
		sv.sets = s.sets()
		if err := sv.sets.write(fs, dir, next()); err != nil {
			return err
		}
	}
	if err := sv.writeTables(fs, dir, next); err != nil {
		return err
	}
	return fs.SyncDir(dir)
}

// writeTables merges the tables in memory, and the files below that are not much larger, into a
// new file.
func (sv *Save) writeTables(fs vfs.FS, dir string, next func() string) error {
	tables := sv.state.tables
	first, total := len(tables), int64(0)
	for first > 0 {
		if _, ok := tables[first-1].(*memTable); !ok {
			break
		}
		first--
		total += tables[first].bytes()
	}
	if first == len(tables) {
		sv.tables = slices.Clone(tables)
		return nil
	}
	for first > 0 && tables[first-1].bytes() <= mergeFactor*total {
		first--
		total += tables[first].bytes()
	}
	advise(tables[first:], mmap.Normal)
	defer advise(tables[first:], mmap.Random)
	var t *frozenTable
	err := sv.state.guard(func() (err error) {
		t, err = freeze(fs, dir, next(), func(add func([]byte, posting) error) error {
			return merge(tables[first:], "", first == 0, sv.state.live(), add)
		})
		return err
	})
	if err != nil {
		return err
	}
	sv.tables = slices.Clone(tables[:first])
	if t != nil {
		sv.tables = append(sv.tables, t)
	}
	return nil
}

func advise(tables []table, a mmap.Advice) {
	for _, t := range tables {
		if f, ok := t.(*frozenTable); ok {
			_ = f.region.Advise(a) // a hint
		}
	}
}

// FinishSave returns s with the saved files in the place of what they hold. Called by the writer
// after Run succeeded, with the newest state, which descends from the saved one; an Editor begun
// before is void. One save at a time.
func (s *State) FinishSave(sv *Save) *State {
	if !sv.done {
		return s
	}
	kept := s.tables
	if n := len(sv.state.tables); n > 0 {
		i := slices.Index(s.tables, sv.state.tables[n-1])
		invariant.Assertf(i >= 0, "filter: FinishSave on a state that does not descend from the saved one")
		if i < 0 {
			return s
		}
		kept = s.tables[i+1:]
	}
	out := *s
	out.tables = append(slices.Clone(sv.tables), kept...)
	out.saved = sv.sets
	return &out
}

const metaVersion = 1

// Bounds of what Meta may hold.
const (
	maxFields = 1 << 16
	maxTables = 1 << 12
)

func (sv *Save) encodeMeta() []byte {
	w := binfmt.Writer{}
	w.U8(metaVersion)
	w.U32(sv.state.nextField)
	w.Uvarint(uint64(len(sv.state.fields)))
	for _, f := range sv.state.fields {
		w.U32(f.id)
		w.String(f.def.Name)
		w.U8(uint8(f.def.Kind))
		w.U8(boolByte(f.def.FoldCase) | boolByte(f.def.Building)<<1)
		w.LenBytes(f.def.Options)
	}
	w.String(sv.sets.name)
	w.Uvarint(uint64(len(sv.tables)))
	for _, t := range sv.tables {
		w.String(t.(*frozenTable).name)
	}
	w.U32(binfmt.Checksum(w.Buf))
	return w.Buf
}

// meta is what Saved.Meta says.
type meta struct {
	nextField uint32
	fields    map[string]field
	sets      string
	tables    []string
}

var errMeta = errors.New("filter: malformed description of a saved state")

func decodeMeta(b []byte) (meta, error) {
	if len(b) < 4 {
		return meta{}, errMeta
	}
	body, sum := b[:len(b)-4], binfmt.NewReader(b[len(b)-4:])
	r := binfmt.NewReader(body)
	version := r.U8()
	if sum.U32() != binfmt.Checksum(body) {
		return meta{}, errors.Join(errMeta, binfmt.ErrChecksum)
	}
	if version != metaVersion {
		return meta{}, &binfmt.VersionError{Version: uint32(version), Known: metaVersion}
	}
	m := meta{nextField: r.U32(), fields: map[string]field{}}
	n := r.Uvarint()
	for i := uint64(0); i < min(n, maxFields) && r.Err() == nil; i++ {
		f := field{id: r.U32()}
		f.def.Name = r.String()
		f.def.Kind = Kind(r.U8())
		bits := r.U8()
		f.def.FoldCase, f.def.Building = bits&1 != 0, bits&2 != 0
		f.def.Options = slices.Clone(r.LenBytes())
		if f.id == allFields || f.id >= m.nextField {
			r.Fail(errMeta)
		}
		m.fields[f.def.Name] = f
	}
	m.sets = r.String()
	tables := r.Uvarint()
	for i := uint64(0); i < min(tables, maxTables) && r.Err() == nil; i++ {
		m.tables = append(m.tables, r.String())
	}
	if r.Err() != nil || n > maxFields || tables > maxTables || r.Remaining() > 0 || uint64(len(m.fields)) != n {
		return meta{}, errors.Join(errMeta, r.Err())
	}
	return m, nil
}

// Load opens a saved state. Tables are mapped, not read; their damage shows when it is met.
func Load(fs vfs.FS, dir string, sv Saved) (*State, error) {
	m, err := decodeMeta(sv.Meta)
	if err != nil {
		return nil, err
	}
	s := &State{fields: m.fields, nextField: m.nextField}
	if s.saved, err = readSets(fs, dir, m.sets); err != nil {
		return nil, err
	}
	s.all = slotSet{read: s.saved.all}
	s.has = make(map[string]slotSet, len(s.saved.has))
	for name, bm := range s.saved.has {
		s.has[name] = slotSet{read: bm}
	}
	for _, name := range m.tables {
		t, err := openTable(fs, dir, name)
		if err != nil {
			return nil, err
		}
		s.tables = append(s.tables, t)
	}
	return s, nil
}

// Verify reads every byte of a saved state and checks it.
func Verify(fs vfs.FS, dir string, sv Saved) error {
	s, err := Load(fs, dir, sv)
	if err != nil {
		return err
	}
	var damage []error
	for _, t := range s.tables {
		damage = append(damage, s.guard(t.(*frozenTable).verify))
	}
	return errors.Join(damage...)
}
