package engine

import "sync"

// viewSet counts the pinned views by sequence number. New pins come in growing order.
type viewSet struct {
	mu   sync.Mutex
	pins []pin
}

type pin struct {
	seq   uint64
	count int
}

func (s *viewSet) add(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.pins); n > 0 && s.pins[n-1].seq == seq {
		s.pins[n-1].count++
		return
	}
	s.pins = append(s.pins, pin{seq, 1})
}

func (s *viewSet) remove(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.pins {
		if s.pins[i].seq == seq {
			if s.pins[i].count--; s.pins[i].count == 0 {
				s.pins = append(s.pins[:i], s.pins[i+1:]...)
			}
			return
		}
	}
	panic("engine: view released twice")
}

// oldest returns the sequence number of the oldest pinned view, or otherwise.
func (s *viewSet) oldest(otherwise uint64) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pins) == 0 {
		return otherwise
	}
	return s.pins[0].seq
}

func (s *viewSet) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, p := range s.pins {
		n += p.count
	}
	return n
}
