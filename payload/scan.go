package payload

import "bytes"

// The functions here find where a value of a *valid* document ends. On other input they may stop
// early or accept nonsense, but they never read past the slice. Validate is the strict reader.

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the index after the string that opens at b[i], -1 when it has no end.
func skipString(b []byte, i int) int {
	i++
	for short := min(len(b), i+16); i < short; i++ { // names and tags are too short for a call
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	for quote := -1; i < len(b); {
		if quote < i { // searched once, so that text full of escapes stays linear
			n := bytes.IndexByte(b[i:], '"')
			if n < 0 {
				return -1
			}
			quote = i + n
		}
		escape := bytes.IndexByte(b[i:quote], '\\')
		if escape < 0 {
			return quote + 1
		}
		i += escape + 2
	}
	return -1
}

// skipValue returns the index after the value at b[i], -1 when there is none.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	start := i
	for i < len(b) && !endsScalar(b[i]) {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

func endsScalar(c byte) bool {
	return c <= ' ' || c == ',' || c == ']' || c == '}' || c == ':' || c == '"' || c == '{' || c == '['
}

func skipNested(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			if i = skipString(b, i); i < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return -1
}

// nesting returns how many levels of objects and arrays b has.
func nesting(b []byte) (deepest int) {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			if i = skipString(b, i) - 1; i < 0 {
				return deepest
			}
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		}
	}
	return deepest
}

// valueAt returns the value at b[i], spaces skipped, and the index after it.
func valueAt(b []byte, i int) (v Value, next int, ok bool) {
	i = skipSpace(b, i)
	next = skipValue(b, i)
	if next < 0 {
		return Value{}, i, false
	}
	raw := b[i:next]
	kind := kindOf(raw)
	if kind == Invalid {
		return Value{}, i, false
	}
	return Value{Kind: kind, Raw: raw}, next, true
}

func kindOf(raw []byte) Kind {
	switch c := raw[0]; {
	case c == '"':
		return String
	case c == '{':
		return Object
	case c == '[':
		return Array
	case c == '-' || '0' <= c && c <= '9':
		for _, c := range raw {
			if c == '.' || c == 'e' || c == 'E' {
				return Float
			}
		}
		return Int
	}
	switch string(raw) {
	case "null":
		return Null
	case "true", "false":
		return Bool
	}
	return Invalid
}
