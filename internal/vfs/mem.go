package vfs

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
)

// ErrStopped is returned by every mutating call of a Mem from the operation given to StopAt.
var ErrStopped = errors.New("vfs: the file system was stopped")

// sector is the unit in which unsynced writes survive a power cut, each on its own.
const sector = 512

// Mem is a file system in memory that remembers what was synced. Crash makes the disk as it may be
// found after a power cut.
type Mem struct {
	mu     sync.Mutex
	root   *memNode
	names  []nameOp // unsynced name operations, in order
	ops    int
	stopAt int
}

// memNode is a file or a directory, independent of its names.
type memNode struct {
	dir     bool
	entries map[string]*memNode // directory: names as they are now
	durable map[string]*memNode // directory: names as they were synced
	file    memData
}

// nameOp is one change of names; on disk it happens whole or not at all.
type nameOp struct {
	edits []nameEdit
}

type nameEdit struct {
	dir  *memNode
	name string
	node *memNode // nil removes the name
}

// NewMem returns an empty file system.
func NewMem() *Mem { return &Mem{root: newDirNode()} }

func newDirNode() *memNode {
	return &memNode{dir: true, entries: map[string]*memNode{}, durable: map[string]*memNode{}}
}

// Ops returns the number of mutating operations so far.
func (m *Mem) Ops() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ops
}

// StopAt makes every mutating call fail with ErrStopped from mutating operation n on (the first is
// number 1); operation n itself may be half done. 0 means never.
func (m *Mem) StopAt(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopAt = n
}

// verdict says what becomes of a mutating operation.
type verdict uint8

const (
	proceed verdict = iota
	half            // do a part (or, if it has no parts, all of it) and report ErrStopped
	refuse
)

// mutateLocked counts one mutating operation.
func (m *Mem) mutateLocked() verdict {
	m.ops++
	switch {
	case m.stopAt == 0 || m.ops < m.stopAt:
		return proceed
	case m.ops == m.stopAt && mix(uint64(m.ops))&1 == 0:
		return half
	}
	return refuse
}

// mix is splitmix64: half of the stopped operations happen, chosen by their number.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// applyNamesLocked performs a name operation and remembers it as unsynced.
func (m *Mem) applyNamesLocked(edits ...nameEdit) error {
	v := m.mutateLocked()
	if v == refuse {
		return ErrStopped
	}
	for _, e := range edits {
		e.apply(e.dir.entries)
	}
	m.names = append(m.names, nameOp{edits})
	if v == half {
		return ErrStopped
	}
	return nil
}

func (e nameEdit) apply(names map[string]*memNode) {
	if e.node == nil {
		delete(names, e.name)
		return
	}
	names[e.name] = e.node
}

// split returns the directory node and the base name of a slash path.
func (m *Mem) split(op, name string) (*memNode, string, error) {
	clean := clean(name)
	if clean == "" {
		return nil, "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	dir, base := path.Split(clean)
	n := m.lookup(dir)
	if n == nil || !n.dir {
		return nil, "", &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return n, base, nil
}

// clean turns "/a/b", "a/b/" and "./a/b" into "a/b", the root into "".
func clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}

func (m *Mem) lookup(name string) *memNode {
	n := m.root
	for part := range strings.SplitSeq(clean(name), "/") {
		if part == "" {
			continue
		}
		if n == nil || !n.dir {
			return nil
		}
		n = n.entries[part]
	}
	return n
}

// Create implements FS.
func (m *Mem) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.split("create", name)
	if err != nil {
		return nil, err
	}
	if dir.entries[base] != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	n := &memNode{}
	if err := m.applyNamesLocked(nameEdit{dir, base, n}); err != nil {
		return nil, err
	}
	return &memFile{fs: m, node: n, name: name}, nil
}

// Open implements FS.
func (m *Mem) Open(name string) (File, error) { return m.open(name, false) }

// OpenRead implements FS.
func (m *Mem) OpenRead(name string) (File, error) { return m.open(name, true) }

func (m *Mem) open(name string, readOnly bool) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.lookup(name)
	if n == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if n.dir {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	return &memFile{fs: m, node: n, name: name, readOnly: readOnly}, nil
}

// Rename implements FS.
func (m *Mem) Rename(oldName, newName string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	oldDir, oldBase, err := m.split("rename", oldName)
	if err != nil {
		return err
	}
	newDir, newBase, err := m.split("rename", newName)
	if err != nil {
		return err
	}
	n, target := oldDir.entries[oldBase], newDir.entries[newBase]
	if n == nil {
		return &fs.PathError{Op: "rename", Path: oldName, Err: fs.ErrNotExist}
	}
	if n == target {
		return nil
	}
	if target != nil && (target.dir != n.dir || len(target.entries) > 0) {
		return &fs.PathError{Op: "rename", Path: newName, Err: fs.ErrExist}
	}
	return m.applyNamesLocked(nameEdit{newDir, newBase, n}, nameEdit{oldDir, oldBase, nil})
}

// Remove implements FS.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.split("remove", name)
	if err != nil {
		return err
	}
	n := dir.entries[base]
	if n == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	if len(n.entries) > 0 {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrExist}
	}
	return m.applyNamesLocked(nameEdit{dir, base, nil})
}

// RemoveAll implements FS: one operation for each name, leaves first.
func (m *Mem) RemoveAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.split("remove", name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return m.removeTreeLocked(dir, base)
}

func (m *Mem) removeTreeLocked(dir *memNode, base string) error {
	n := dir.entries[base]
	if n == nil {
		return nil
	}
	for _, child := range slices.Sorted(maps.Keys(n.entries)) {
		if err := m.removeTreeLocked(n, child); err != nil {
			return err
		}
	}
	return m.applyNamesLocked(nameEdit{dir, base, nil})
}

// MkdirAll implements FS.
func (m *Mem) MkdirAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.root
	for part := range strings.SplitSeq(clean(name), "/") {
		if part == "" {
			continue
		}
		child := n.entries[part]
		if child == nil {
			child = newDirNode()
			if err := m.applyNamesLocked(nameEdit{n, part, child}); err != nil {
				return err
			}
		}
		if !child.dir {
			return &fs.PathError{Op: "mkdir", Path: name, Err: fs.ErrExist}
		}
		n = child
	}
	return nil
}

// List implements FS.
func (m *Mem) List(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.lookup(dir)
	if n == nil || !n.dir {
		return nil, &fs.PathError{Op: "list", Path: dir, Err: fs.ErrNotExist}
	}
	return slices.Sorted(maps.Keys(n.entries)), nil
}

// Stat implements FS.
func (m *Mem) Stat(name string) (Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.lookup(name)
	if n == nil {
		return Info{}, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return Info{Size: int64(len(n.file.bytes)), IsDir: n.dir}, nil
}

// SyncDir implements FS. An operation that touches two directories becomes durable with either, as
// in a journal.
func (m *Mem) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.lookup(dir)
	if n == nil || !n.dir {
		return &fs.PathError{Op: "syncdir", Path: dir, Err: fs.ErrNotExist}
	}
	v := m.mutateLocked()
	if v == refuse {
		return ErrStopped
	}
	m.names = slices.DeleteFunc(m.names, func(op nameOp) bool {
		touches := slices.ContainsFunc(op.edits, func(e nameEdit) bool { return e.dir == n })
		if touches {
			for _, e := range op.edits {
				e.apply(e.dir.durable)
			}
		}
		return touches
	})
	if v == half {
		return ErrStopped
	}
	return nil
}
