package hnsw

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/isobath/isobath/internal/binfmt"
)

// Verify checks every block and the whole structure. Errors are *binfmt.CorruptError.
func (m *Mapped) Verify() error {
	if err := m.blocks.verify(); err != nil {
		return err
	}
	if err := m.check(); err != nil {
		return &binfmt.CorruptError{File: fileName, Offset: headBytes, Err: err}
	}
	for ord := range m.limit {
		if m.at[ord] == 0 {
			return &binfmt.CorruptError{File: fileName, Offset: headBytes, Err: fmt.Errorf("hnsw: no node %d", ord)}
		}
	}
	return nil
}

// check walks over all rows of a graph: links lead to other nodes that exist on that level, none twice, and the entry
// point is on the top level. No insert may run meanwhile.
func (g *links) check() error {
	entry, top := g.start()
	if entry == NoOrd {
		return nil
	}
	if entry >= g.limit || g.level(entry) != top {
		return errors.New("hnsw: the entry point is not on the top level")
	}
	stamps, stamp := make([]uint32, g.limit), uint32(0) // stamps[v] == stamp: seen in this row
	for ord := range g.limit {
		level := g.level(ord)
		if level < 0 {
			continue
		}
		if level > top {
			return fmt.Errorf("hnsw: node %d is above the top level", ord)
		}
		if a := int(g.at[ord]) - 2; a >= 0 && (level == 0 || a+1+level*g.m > len(g.upper)) {
			return fmt.Errorf("hnsw: node %d has a bad record", ord)
		}
		for l := range level + 1 {
			stamp++
			if err := g.checkRow(ord, l, stamps, stamp); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *links) checkRow(ord uint32, level int, stamps []uint32, stamp uint32) error {
	row, ended := g.row(ord, level), false
	for i := range row {
		w := atomic.LoadUint32(&row[i])
		if w == 0 {
			ended = true
			continue
		}
		v := w&linkMask - 1
		switch {
		case ended:
			return fmt.Errorf("hnsw: node %d level %d: a gap in the links", ord, level)
		case v >= g.limit || g.level(v) < level:
			return fmt.Errorf("hnsw: node %d level %d: link to %d, which is not there", ord, level, v)
		case v == ord || stamps[v] == stamp:
			return fmt.Errorf("hnsw: node %d level %d: link to %d twice or to itself", ord, level, v)
		}
		stamps[v] = stamp
	}
	return nil
}
