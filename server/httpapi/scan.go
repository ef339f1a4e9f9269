package httpapi

import (
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/isobath/isobath/payload"
)

// scanner reads the plain form of the bodies that are long because of their vectors, in one pass. It accepts nothing that the
// decoder would refuse, and refuses much: then the decoder reads the body from its start and words the errors. Escapes in
// names, unknown members and anything given twice are left to the decoder.
type scanner struct {
	b     []byte
	i     int
	slab  []float32 // where vectors are put, so that a thousand short ones are a few allocations
	width int       // of the newest vector
}

// slabFloats is the length of a slab.
const slabFloats = 16 << 10

// take skips white space and reports whether c follows, which it passes.
func (s *scanner) take(c byte) bool {
	if s.i = skipSpace(s.b, s.i); s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// peek returns the byte that follows white space, 0 at the end.
func (s *scanner) peek() byte {
	if s.i = skipSpace(s.b, s.i); s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

// end reports whether nothing but white space follows.
func (s *scanner) end() bool { return skipSpace(s.b, s.i) == len(s.b) }

// list reads elements up to and including the byte after the last one; the first byte was taken.
func (s *scanner) list(end byte, element func() bool) bool {
	if s.take(end) {
		return true
	}
	for element() {
		if !s.take(',') {
			return s.take(end)
		}
	}
	return false
}

// text reads a string of ASCII without escapes.
func (s *scanner) text() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	for start := s.i; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.b[start : s.i-1], true
		case c == '\\' || c < ' ' || c > '~':
			return nil, false
		}
	}
	return nil, false
}

// name reads the name of a member and the colon.
func (s *scanner) name() ([]byte, bool) {
	name, ok := s.text()
	return name, ok && s.take(':')
}

// object reads an object as it stands.
func (s *scanner) object() ([]byte, bool) {
	if s.peek() != '{' {
		return nil, false
	}
	v := payload.Parse(s.b[s.i:])
	if v.Kind != payload.Object || len(v.Raw) > leastKeyBytes*maxPayloadKeys || payload.Validate(v.Raw) != nil {
		return nil, false
	}
	s.i += len(v.Raw)
	return slices.Clone(v.Raw), true
}

// id reads the id of a point.
func (s *scanner) id() (payload.PointID, bool) {
	if s.peek() == '"' {
		text, ok := s.text()
		if !ok {
			return payload.PointID{}, false
		}
		id, err := payload.ParsePointID(string(text))
		return id, err == nil && id.IsUUID()
	}
	start := s.i
	for s.i < len(s.b) && isDigit(s.b[s.i]) {
		s.i++
	}
	if s.i-start > 1 && s.b[start] == '0' || s.i < len(s.b) && !endsValue(s.b[s.i]) {
		return payload.PointID{}, false
	}
	n, err := strconv.ParseUint(string(s.b[start:s.i]), 10, 64)
	return payload.NumID(n), err == nil
}

func endsValue(c byte) bool { return endsNumber(c) || c == '}' }

// vector reads an array of numbers.
func (s *scanner) vector() ([]float32, bool) {
	if !s.take('[') {
		return nil, false
	}
	if cap(s.slab)-len(s.slab) < s.width {
		s.slab = make([]float32, 0, max(slabFloats, s.width))
	}
	start := len(s.slab)
	if s.width == 0 {
		s.slab, start = nil, 0 // the length is unknown: let it grow
	}
	ok := s.list(']', func() bool {
		at := skipSpace(s.b, s.i)
		f, next, err := parseFloat(s.b, at)
		if err != nil || !plainNumber(s.b[at:next]) {
			return false
		}
		s.i = next
		s.slab = append(s.slab, f)
		return true
	})
	s.width = len(s.slab) - start
	if s.width == 0 {
		return []float32{}, ok
	}
	return s.slab[start:len(s.slab):len(s.slab)], ok
}

// plainNumber says whether text, which parseFloat has accepted, is a number of JSON too.
func plainNumber(text []byte) bool {
	if text[0] == '-' {
		text = text[1:]
	}
	return len(text) > 0 && isDigit(text[0]) && isDigit(text[len(text)-1]) && (len(text) == 1 || text[0] != '0' || !isDigit(text[1]))
}

// scannable is a body with a plain form. scan reports whether it read the body; if not, it has changed nothing.
type scannable interface{ scan(body []byte) bool }

func (b *upsertBody) scan(body []byte) bool {
	points, ok := scanUpsert(body)
	if ok {
		b.Points = points
	}
	return ok
}

func (b *queryBody) scan(body []byte) bool {
	rest, v, ok := cutVector(body, "query")
	if !ok {
		return false
	}
	var others queryBody
	if json.Unmarshal(rest, &others, bodyOptions) != nil || others.Query != nil {
		return false
	}
	*b = others
	b.Query = &queryInput{vector: v}
	return true
}

// scanUpsert reads an upsert of points with the unnamed vector.
func scanUpsert(body []byte) (points []pointBody, ok bool) {
	s := scanner{b: body}
	if !s.take('{') {
		return nil, false
	}
	if name, ok := s.name(); !ok || string(name) != "points" || !s.take('[') {
		return nil, false
	}
	points = []pointBody{}
	ok = s.list(']', func() bool {
		p, ok := s.point()
		points = append(points, p)
		return ok
	})
	return points, ok && s.take('}') && s.end()
}

func (s *scanner) point() (p pointBody, ok bool) {
	if !s.take('{') {
		return p, false
	}
	ok = s.list('}', func() bool {
		name, ok := s.name()
		if !ok {
			return false
		}
		switch {
		case string(name) == "id" && p.ID == nil:
			id, ok := s.id()
			p.ID = &pointID{id}
			return ok
		case string(name) == "vector" && p.Vector == nil:
			v, ok := s.vector()
			p.Vector = &vectorsBody{map[string][]float32{"": v}}
			return ok
		case string(name) == "payload" && p.Payload == nil:
			p.Payload, ok = s.object()
			return ok
		}
		return false
	})
	return p, ok && p.ID != nil && p.Vector != nil
}

// cutVector takes the member called name, an array of numbers, out of a body and returns what is left for the decoder.
func cutVector(body []byte, name string) (rest []byte, v []float32, ok bool) {
	s := scanner{b: body}
	if !s.take('{') {
		return nil, nil, false
	}
	rest = []byte{'{'}
	found := false
	ok = s.list('}', func() bool {
		s.peek()
		start := s.i
		member, ok := s.name()
		if !ok {
			return false
		}
		if string(member) == name {
			if found {
				return false
			}
			found = true
			v, ok = s.vector()
			return ok
		}
		s.peek()
		value := payload.Parse(s.b[s.i:])
		if s.i += len(value.Raw); value.Kind == payload.Invalid {
			return false
		}
		if len(rest) > 1 {
			rest = append(rest, ',')
		}
		rest = append(rest, s.b[start:s.i]...)
		return true
	})
	return append(rest, '}'), v, ok && found && s.end()
}
