package payload

import "bytes"

// The functions of this file rewrite documents that Validate accepted; the result is valid too.
// They copy what they do not change byte for byte, so numbers keep their digits and members their
// order. An empty document counts as {}.

// Merge returns doc with the members of patch set at the top level, without merging deeper; a null
// in patch removes the member. Both must be objects.
func Merge(doc, patch []byte) ([]byte, error) {
	return MergeAt(doc, Path{}, patch)
}

// MergeAt merges patch into the object that at selects and creates what is missing on the way:
// objects for keys, an empty array for `[]` and `[n]`. What stands in the way with another type is
// replaced. Elements of arrays are merged into but never created.
func MergeAt(doc []byte, at Path, patch []byte) ([]byte, error) {
	v, err := object(doc)
	if err != nil {
		return nil, err
	}
	p, err := object(patch)
	if err != nil {
		return nil, err
	}
	out := appendMerged(make([]byte, 0, len(v.Raw)+len(p.Raw)+len(at.text)+8), v, at.steps, p)
	if len(at.steps) > 0 && nesting(out) > maxDepth {
		return nil, jsonError(0, "nesting too deep after the merge")
	}
	return out, nil
}

// object reads doc as one object; nothing at all is an empty one.
func object(doc []byte) (Value, error) {
	if len(doc) == 0 {
		return Value{Kind: Object, Raw: []byte("{}")}, nil
	}
	v, end, ok := valueAt(doc, 0)
	if !ok || v.Kind != Object || skipSpace(doc, end) != len(doc) {
		return Value{}, jsonError(0, "an object is expected")
	}
	return v, nil
}

func appendMerged(out []byte, v Value, steps []step, patch Value) []byte {
	if len(steps) == 0 {
		return appendPatched(out, v, patch)
	}
	st, rest := &steps[0], steps[1:]
	if st.kind == stepKey {
		l := list{out: append(out, '{')}
		found := false
		v.eachMember(func(key, val Value) bool {
			l.name(key.Raw)
			if !found && keyIs(inside(key), st.key) {
				found = true
				l.out = appendMerged(l.out, val, rest, patch)
			} else {
				l.out = append(l.out, val.Raw...)
			}
			return true
		})
		if !found {
			l.name(appendQuoted(nil, st.key))
			l.out = appendMerged(l.out, Value{}, rest, patch)
		}
		return append(l.out, '}')
	}
	l := list{out: append(out, '[')}
	i := 0
	v.EachElem(func(e Value) bool {
		l.next()
		if st.kind == stepEach || st.index == i {
			l.out = appendMerged(l.out, e, rest, patch)
		} else {
			l.out = append(l.out, e.Raw...)
		}
		i++
		return true
	})
	return append(l.out, ']')
}

// appendPatched appends v with the members of patch; v counts as {} unless it is an object.
func appendPatched(out []byte, v, patch Value) []byte {
	changes := members(patch)
	l := list{out: append(out, '{')}
	v.eachMember(func(key, val Value) bool {
		if i := changes.find(key); i >= 0 {
			changes.used[i] = true
			val = changes.vals[i]
			if val.Kind == Null {
				return true
			}
		}
		l.name(key.Raw)
		l.out = append(l.out, val.Raw...)
		return true
	})
	for i, val := range changes.vals {
		if !changes.used[i] && val.Kind != Null {
			l.name(changes.keys[i].Raw)
			l.out = append(l.out, val.Raw...)
		}
	}
	return append(l.out, '}')
}

// memberList is an object taken apart, for lookups by name.
type memberList struct {
	keys, vals []Value
	used       []bool
	byName     map[string]int // only for many members
}

func members(v Value) *memberList {
	m := &memberList{}
	v.eachMember(func(key, val Value) bool {
		m.keys, m.vals = append(m.keys, key), append(m.vals, val)
		return true
	})
	m.used = make([]bool, len(m.keys))
	if len(m.keys) > 8 {
		m.byName = make(map[string]int, len(m.keys))
		for i, key := range m.keys {
			m.byName[key.Str()] = i
		}
	}
	return m
}

// find returns the index of the member with that name, -1 when there is none.
func (m *memberList) find(key Value) int {
	if m.byName != nil {
		if i, ok := m.byName[key.Str()]; ok {
			return i
		}
		return -1
	}
	for i := range m.keys {
		if bytes.Equal(m.keys[i].Raw, key.Raw) {
			return i
		}
	}
	for i := range m.keys { // the same name spelt with escapes
		if _, plain := m.keys[i].plain(); plain && bytes.IndexByte(key.Raw, '\\') < 0 {
			continue
		}
		if m.keys[i].Str() == key.Str() {
			return i
		}
	}
	return -1
}

// Remove returns doc without what p selects: a last key removes the member, a last `[]` empties the
// array, a last `[n]` changes nothing.
func Remove(doc []byte, p Path) ([]byte, error) {
	v, err := object(doc)
	if err != nil {
		return nil, err
	}
	if len(p.steps) == 0 {
		return bytes.Clone(v.Raw), nil
	}
	return appendRemoved(make([]byte, 0, len(v.Raw)), v, p.steps), nil
}

func appendRemoved(out []byte, v Value, steps []step) []byte {
	st, last := &steps[0], len(steps) == 1
	switch {
	case st.kind == stepKey && v.Kind == Object:
		l := list{out: append(out, '{')}
		v.eachMember(func(key, val Value) bool {
			hit := keyIs(inside(key), st.key)
			if hit && last {
				return true
			}
			l.name(key.Raw)
			if hit {
				l.out = appendRemoved(l.out, val, steps[1:])
			} else {
				l.out = append(l.out, val.Raw...)
			}
			return true
		})
		return append(l.out, '}')
	case st.kind == stepEach && last && v.Kind == Array:
		return append(out, "[]"...)
	case st.kind != stepKey && !last && v.Kind == Array:
		l, i := list{out: append(out, '[')}, 0
		v.EachElem(func(e Value) bool {
			l.next()
			if st.kind == stepEach || st.index == i {
				l.out = appendRemoved(l.out, e, steps[1:])
			} else {
				l.out = append(l.out, e.Raw...)
			}
			i++
			return true
		})
		return append(l.out, ']')
	}
	return append(out, v.Raw...)
}

// list writes the commas of an object or array.
type list struct {
	out  []byte
	some bool
}

func (l *list) next() {
	if l.some {
		l.out = append(l.out, ',')
	}
	l.some = true
}

func (l *list) name(raw []byte) {
	l.next()
	l.out = append(append(l.out, raw...), ':')
}

// inside returns the text between the quotes of a raw string.
func inside(key Value) []byte { return key.Raw[1 : len(key.Raw)-1] }

// appendQuoted appends s as a JSON string.
func appendQuoted(out []byte, s string) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c < ' ':
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
