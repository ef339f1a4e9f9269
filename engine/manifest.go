package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"sync"

	"github.com/isobath/isobath/engine/slots"
	"github.com/isobath/isobath/engine/vectorindex"
	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/internal/vfs"
)

// The manifest is one file, replaced as a whole; FORMAT.md draws it.
const (
	manifestName    = "MANIFEST"
	manifestVersion = 1
)

var manifestMagic = binfmt.Magic8("ISOMANIF")

// manifest is the checkpointed state of the database and the list of its live files. The
// segments are those of now, everything else is as of seq.
type manifest struct {
	seq         uint64
	nums        uint32
	keyNum      uint64
	nextFile    uint64
	databases   map[int]database
	aliases     map[string]string
	collections map[uint32]collectionEntry
	segments    map[uint32]map[string]vectorindex.Saved
	garbage     []garbagePrefix
}

type collectionEntry struct {
	num       uint32
	name      string
	schema    Schema
	operation uint64
	fields    map[string]fieldDef
	feed      *feedState
	filter    filter.Saved
	slots     slots.Saved
}

func newManifest() *manifest {
	return &manifest{databases: map[int]database{}, aliases: map[string]string{}, collections: map[uint32]collectionEntry{},
		segments: map[uint32]map[string]vectorindex.Saved{}, nextFile: 1}
}

// manifestStore guards the current manifest and writes the next one.
type manifestStore struct {
	mu      sync.Mutex
	fs      vfs.FS
	dir     string
	current *manifest
	fresh   bool // there was none
}

func (ms *manifestStore) open(fsys vfs.FS, dir string) error {
	ms.fs, ms.dir = fsys, dir
	data, err := vfs.ReadFile(fsys, path.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		ms.current, ms.fresh = newManifest(), true
		return nil
	}
	if err == nil {
		ms.current, err = decodeManifest(data)
	}
	if err != nil {
		return fmt.Errorf("engine: manifest: %w", err)
	}
	return nil
}

// update writes a changed copy of the manifest; after an error the old one stands.
func (ms *manifestStore) update(change func(m *manifest)) error {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	m := ms.current.clone()
	change(m)
	if err := vfs.WriteFile(ms.fs, path.Join(ms.dir, manifestName), m.encode()); err != nil {
		return fmt.Errorf("engine: write manifest: %w", err)
	}
	ms.current = m
	return nil
}

// file returns a name for a new file; no name is ever used twice.
func (ms *manifestStore) file(kind string) string {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	n := ms.current.nextFile
	ms.current.nextFile++
	return fmt.Sprintf("%s-%08d", kind, n)
}

func (ms *manifestStore) get() *manifest {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	return ms.current
}

func (m *manifest) clone() *manifest {
	c := *m
	c.databases, c.aliases = maps.Clone(m.databases), maps.Clone(m.aliases)
	c.collections, c.segments = maps.Clone(m.collections), maps.Clone(m.segments)
	c.garbage = slices.Clone(m.garbage)
	return &c
}

// addGarbage puts a prefix on the list unless it is there.
func (m *manifest) addGarbage(p garbagePrefix) {
	if !slices.Contains(m.garbage, p) {
		m.garbage = append(m.garbage, p)
	}
}

func (m *manifest) encode() []byte {
	w := binfmt.Writer{Buf: binfmt.EncodeHeader(binfmt.Header{Magic: manifestMagic, Version: manifestVersion, Seq: m.seq})}
	w.U32(m.nums)
	w.Uvarint(m.keyNum)
	w.Uvarint(m.nextFile)
	w.Uvarint(uint64(len(m.databases)))
	for _, n := range slices.Sorted(maps.Keys(m.databases)) {
		d := m.databases[n]
		w.Uvarint(uint64(n))
		w.U32(d.generation)
		w.Uvarint(uint64(d.keys))
		w.Uvarint(uint64(d.expires))
	}
	encodeAliases(&w, m.aliases)
	w.Uvarint(uint64(len(m.collections)))
	for _, num := range slices.Sorted(maps.Keys(m.collections)) {
		e := m.collections[num]
		e.encode(&w)
	}
	w.Uvarint(uint64(len(m.segments)))
	for _, num := range slices.Sorted(maps.Keys(m.segments)) {
		w.U32(num)
		encodeSegments(&w, m.segments[num])
	}
	w.Uvarint(uint64(len(m.garbage)))
	for _, g := range m.garbage {
		w.U8(g.prefix)
		w.U32(g.num)
	}
	w.U32(binfmt.Checksum(w.Buf))
	return w.Buf
}

func decodeManifest(data []byte) (*manifest, error) {
	h, err := binfmt.DecodeHeader(data, manifestMagic, manifestVersion)
	if err != nil {
		return nil, &binfmt.CorruptError{File: manifestName, Err: err}
	}
	body := data[:max(len(data)-4, 0)]
	if len(body) < binfmt.HeaderSize || binfmt.NewReader(data[len(body):]).U32() != binfmt.Checksum(body) {
		return nil, &binfmt.CorruptError{File: manifestName, Offset: int64(len(body)), Err: binfmt.ErrChecksum}
	}
	r := binfmt.NewReader(body[binfmt.HeaderSize:])
	m := newManifest()
	m.seq = h.Seq
	m.nums, m.keyNum, m.nextFile = r.U32(), r.Uvarint(), r.Uvarint()
	for range r.Uvarint() {
		n := r.Uvarint()
		d := database{generation: r.U32(), keys: int(r.Uvarint()), expires: int(r.Uvarint())}
		if n >= maxDatabases {
			r.Fail(fmt.Errorf("database %d", n))
		}
		if r.Err() != nil {
			break
		}
		m.databases[int(n)] = d
	}
	m.aliases = decodeAliases(r)
	for range r.Uvarint() {
		e := decodeCollectionEntry(r)
		if r.Err() != nil {
			break
		}
		m.collections[e.num] = e
	}
	for range r.Uvarint() {
		num := r.U32()
		m.segments[num] = decodeSegments(r)
		if r.Err() != nil {
			break
		}
	}
	for range r.Uvarint() {
		g := garbagePrefix{r.U8(), r.U32()}
		if r.Err() != nil {
			break
		}
		m.garbage = append(m.garbage, g)
	}
	if err := r.Err(); err != nil {
		return nil, &binfmt.CorruptError{File: manifestName, Offset: int64(binfmt.HeaderSize + r.Offset()), Err: err}
	}
	return m, nil
}

func (e *collectionEntry) encode(w *binfmt.Writer) {
	w.U32(e.num)
	w.String(e.name)
	encodeSchema(w, e.schema)
	w.Uvarint(e.operation)
	w.Uvarint(uint64(len(e.fields)))
	for _, name := range slices.Sorted(maps.Keys(e.fields)) {
		e.fields[name].encode(w)
	}
	w.U8(boolByte(e.feed != nil))
	if e.feed != nil {
		e.feed.encode(w)
	}
	encodeFiles(w, e.filter.Files, e.filter.Meta)
	encodeFiles(w, e.slots.Files, e.slots.Meta)
}

func decodeCollectionEntry(r *binfmt.Reader) collectionEntry {
	e := collectionEntry{num: r.U32(), name: r.String(), schema: decodeSchema(r), operation: r.Uvarint(), fields: map[string]fieldDef{}}
	for range r.Uvarint() {
		f := decodeFieldDef(r)
		if r.Err() != nil {
			return e
		}
		f.def.Building = !f.ready
		e.fields[f.def.Name] = f
	}
	if r.U8() != 0 {
		e.feed = decodeFeed(r)
	}
	e.filter.Files, e.filter.Meta = decodeFiles(r)
	e.slots.Files, e.slots.Meta = decodeFiles(r)
	return e
}

func (f *feedState) encode(w *binfmt.Writer) {
	encodeIndexDef(w, f.def)
	w.U32(f.generation)
	w.U8(uint8(f.state))
	w.LenBytes(f.cursor)
	w.F64(f.progress)
	w.String(f.err)
	f.total.encode(w)
	for i := range f.failures {
		f.failures[i].encode(w)
	}
}

func decodeFeed(r *binfmt.Reader) *feedState {
	def, generation := decodeIndexDef(r), r.U32()
	if r.Err() != nil {
		return nil
	}
	f := newFeedState(def, generation)
	f.state, f.cursor, f.progress, f.err = BackfillState(r.U8()), slices.Clone(r.LenBytes()), r.F64(), r.String()
	f.total = decodeFailures(r)
	for i := range f.failures {
		f.failures[i] = decodeFailures(r)
	}
	return f
}

func (x IndexFailures) encode(w *binfmt.Writer) {
	w.Uvarint(x.Count)
	w.String(x.LastError)
	w.LenBytes(x.LastKey)
}

func decodeFailures(r *binfmt.Reader) IndexFailures {
	return IndexFailures{Count: r.Uvarint(), LastError: r.String(), LastKey: slices.Clone(r.LenBytes())}
}

func encodeFiles(w *binfmt.Writer, files []string, meta []byte) {
	w.Uvarint(uint64(len(files)))
	for _, f := range files {
		w.String(f)
	}
	w.LenBytes(meta)
}

func decodeFiles(r *binfmt.Reader) (files []string, meta []byte) {
	for range r.Uvarint() {
		f := r.String()
		if f != path.Base(f) {
			r.Fail(fmt.Errorf("file name %q", f))
		}
		if r.Err() != nil {
			return nil, nil
		}
		files = append(files, f)
	}
	return files, slices.Clone(r.LenBytes())
}

func encodeSegments(w *binfmt.Writer, segments map[string]vectorindex.Saved) {
	w.Uvarint(uint64(len(segments)))
	for _, name := range slices.Sorted(maps.Keys(segments)) {
		s := segments[name]
		w.String(name)
		w.Uvarint(s.NextFile)
		w.Uvarint(uint64(len(s.Segments)))
		for _, ref := range s.Segments {
			w.String(ref.File)
			w.U64(ref.ID)
			w.Uvarint(uint64(ref.Rows))
			w.Uvarint(uint64(ref.Bytes))
		}
	}
}

func decodeSegments(r *binfmt.Reader) map[string]vectorindex.Saved {
	segments := map[string]vectorindex.Saved{}
	for range r.Uvarint() {
		name := r.String()
		s := vectorindex.Saved{NextFile: r.Uvarint()}
		for range r.Uvarint() {
			ref := vectorindex.SegmentRef{File: r.String(), ID: r.U64(), Rows: int(r.Uvarint()), Bytes: int64(r.Uvarint())}
			if ref.File != path.Base(ref.File) {
				r.Fail(fmt.Errorf("file name %q", ref.File))
			}
			if r.Err() != nil {
				return nil
			}
			s.Segments = append(s.Segments, ref)
		}
		segments[name] = s
	}
	return segments
}
