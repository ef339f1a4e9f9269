package vectorindex

// Memory is the anonymous memory of an index in bytes, by what it holds.
type Memory struct {
	Codes, Links int64 // of segments held in memory
	Heads        int64 // parts: codes and graphs of rows that are in no segment
	Merges       int64 // the running merge
	Degraded     int   // segments read from their mapped file although memory was wanted
}

// Total is the sum of all kinds.
func (m Memory) Total() int64 { return m.Codes + m.Links + m.Heads + m.Merges }

// Memory estimates the anonymous memory in use.
func (ix *Index) Memory() Memory {
	s := ix.pin()
	defer s.release()
	m := Memory{Merges: ix.merging.Load()}
	for _, p := range s.parts {
		m.Heads += p.charged.Load()
	}
	wanted := ix.wantedPlace()
	for _, sg := range s.segments {
		if sg.inRAM.codes {
			m.Codes += int64(len(sg.codes))
		}
		if sg.inRAM.links {
			m.Links += sg.linkBytes()
		}
		if (wanted.codes && !sg.inRAM.codes) || (wanted.links && !sg.inRAM.links && sg.graph != nil) {
			m.Degraded++
		}
	}
	return m
}
