package vectorindex

import (
	"slices"
	"sync/atomic"
)

// pinned counts the users of a source; the last one frees it. The count starts at 0: the first user retains.
type pinned struct {
	refs   atomic.Int64
	onFree func()
}

func (pn *pinned) retain() { pn.refs.Add(1) }

func (pn *pinned) release() {
	if pn.refs.Add(-1) == 0 && pn.onFree != nil {
		pn.onFree()
	}
}

// coded is the codes of a source and whose they are.
type coded struct {
	book   *codebook
	slots  []uint32  // by ord
	codes  []byte    // by ord
	mapped *coldness // nil: the codes are in memory
}

func (p *part) coded() coded { return coded{book: p.book, slots: p.slots, codes: p.codes} }

func (sg *segment) coded() coded {
	c := coded{book: sg.book, slots: sg.slots, codes: sg.codes}
	if !sg.inRAM.codes {
		c.mapped = &sg.cold
	}
	return c
}

// sources is one immutable list of what a search reads. A slot is in one source at most. The list retains its members
// as long as somebody uses it.
type sources struct {
	pinned
	segments []*segment
	parts    []*part // oldest first; all but the last are frozen

	codebooks []*codebook // of all members, each once
}

func newSources(segments []*segment, parts []*part) *sources {
	s := &sources{segments: segments, parts: parts}
	for _, sg := range segments {
		sg.retain()
		s.addBook(sg.book)
	}
	for _, p := range parts {
		p.retain()
		s.addBook(p.book)
	}
	s.onFree = func() {
		for _, sg := range s.segments {
			sg.release()
		}
		for _, p := range s.parts {
			p.release()
		}
	}
	s.retain()
	return s
}

func (s *sources) addBook(b *codebook) {
	if !slices.Contains(s.codebooks, b) {
		s.codebooks = append(s.codebooks, b)
	}
}

// tail returns the part that takes rows, nil if there is none.
func (s *sources) tail() *part {
	if n := len(s.parts); n > 0 && !s.parts[n-1].frozen.Load() {
		return s.parts[n-1]
	}
	return nil
}

func (s *sources) rows() (n int) {
	for _, sg := range s.segments {
		n += sg.rows
	}
	for _, p := range s.parts {
		n += p.len()
	}
	return n
}

func (s *sources) deadRows() (n int) {
	for _, sg := range s.segments {
		n += int(sg.dead.Load())
	}
	for _, p := range s.parts {
		n += int(p.dead.Load())
	}
	return n
}

// without returns list less the members that are also in out.
func without[T comparable](list []T, out ...T) []T {
	kept := make([]T, 0, len(list))
next:
	for _, x := range list {
		for _, y := range out {
			if x == y {
				continue next
			}
		}
		kept = append(kept, x)
	}
	return kept
}
