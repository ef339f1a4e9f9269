package payload

import (
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrJSON is returned by Validate, and by the functions that rewrite documents, for input that is
// not one JSON object as Validate describes it.
var ErrJSON = errors.New("payload: not a valid JSON object")

// Validate accepts one JSON object (RFC 8259) in UTF-8 without duplicate names, at most 1000 levels
// deep, with nothing but white space around it. Escapes that name half of a surrogate pair are
// refused like other text that is not Unicode.
func Validate(doc []byte) error {
	i := skipSpace(doc, 0)
	if i >= len(doc) || doc[i] != '{' {
		return jsonError(i, "an object is expected")
	}
	return validateValue(doc)
}

// validateValue accepts one JSON value of any kind under the rules of Validate.
func validateValue(doc []byte) error {
	c := checker{b: doc}
	i, err := c.value(skipSpace(doc, 0), 1)
	if err != nil {
		return err
	}
	if i = skipSpace(doc, i); i < len(doc) {
		return jsonError(i, "data after the value")
	}
	return nil
}

func jsonError(at int, what string) error {
	return fmt.Errorf("%w: %s at byte %d", ErrJSON, what, at)
}

// checker is the strict reader. Each method gets the index where its construct begins and returns
// the index after it.
type checker struct{ b []byte }

func (c *checker) at(i int) byte {
	if i < len(c.b) {
		return c.b[i]
	}
	return 0 // no construct begins with or contains NUL
}

func (c *checker) value(i, depth int) (int, error) {
	switch ch := c.at(i); {
	case ch == '"':
		return c.str(i)
	case ch == '{':
		return c.object(i, depth)
	case ch == '[':
		return c.array(i, depth)
	case ch == '-' || digit(ch):
		return c.number(i)
	case ch == 't':
		return c.literal(i, "true")
	case ch == 'f':
		return c.literal(i, "false")
	case ch == 'n':
		return c.literal(i, "null")
	}
	return 0, jsonError(i, "a value is expected")
}

func (c *checker) literal(i int, word string) (int, error) {
	if end := i + len(word); end <= len(c.b) && string(c.b[i:end]) == word {
		return end, nil
	}
	return 0, jsonError(i, "a value is expected")
}

func (c *checker) array(i, depth int) (int, error) {
	if depth > maxDepth {
		return 0, jsonError(i, "nesting too deep")
	}
	if i = skipSpace(c.b, i+1); c.at(i) == ']' {
		return i + 1, nil
	}
	for {
		end, err := c.value(i, depth+1)
		if err != nil {
			return 0, err
		}
		switch i = skipSpace(c.b, end); c.at(i) {
		case ',':
			i = skipSpace(c.b, i+1)
		case ']':
			return i + 1, nil
		default:
			return 0, jsonError(i, "',' or ']' is expected")
		}
	}
}

func (c *checker) object(i, depth int) (int, error) {
	if depth > maxDepth {
		return 0, jsonError(i, "nesting too deep")
	}
	if i = skipSpace(c.b, i+1); c.at(i) == '}' {
		return i + 1, nil
	}
	var names nameSet
	for {
		if c.at(i) != '"' {
			return 0, jsonError(i, "a name is expected")
		}
		end, err := c.str(i)
		if err != nil {
			return 0, err
		}
		if !names.add(c.b[i+1 : end-1]) {
			return 0, jsonError(i, "duplicate name")
		}
		if i = skipSpace(c.b, end); c.at(i) != ':' {
			return 0, jsonError(i, "':' is expected")
		}
		if end, err = c.value(skipSpace(c.b, i+1), depth+1); err != nil {
			return 0, err
		}
		switch i = skipSpace(c.b, end); c.at(i) {
		case ',':
			i = skipSpace(c.b, i+1)
		case '}':
			return i + 1, nil
		default:
			return 0, jsonError(i, "',' or '}' is expected")
		}
	}
}

func (c *checker) number(i int) (int, error) {
	start := i
	if c.at(i) == '-' {
		i++
	}
	if c.at(i) == '0' {
		i++
	} else if n := c.digits(i); n > i {
		i = n
	} else {
		return 0, jsonError(start, "malformed number")
	}
	if c.at(i) == '.' {
		n := c.digits(i + 1)
		if n == i+1 {
			return 0, jsonError(start, "malformed number")
		}
		i = n
	}
	if ch := c.at(i); ch == 'e' || ch == 'E' {
		i++
		if ch := c.at(i); ch == '+' || ch == '-' {
			i++
		}
		n := c.digits(i)
		if n == i {
			return 0, jsonError(start, "malformed number")
		}
		i = n
	}
	return i, nil
}

func (c *checker) digits(i int) int {
	for digit(c.at(i)) {
		i++
	}
	return i
}

func digit(ch byte) bool { return '0' <= ch && ch <= '9' }

func (c *checker) str(i int) (int, error) {
	start, b := i, c.b
	for i++; i < len(b); {
		switch ch := b[i]; {
		case ch == '"':
			return i + 1, nil
		case ch == '\\':
			n := escapeLen(b[i:])
			if n == 0 {
				return 0, jsonError(i, "malformed escape")
			}
			i += n
		case ch < ' ':
			return 0, jsonError(i, "control character in a string")
		case ch < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				return 0, jsonError(i, "text is not UTF-8")
			}
			i += n
		}
	}
	return 0, jsonError(start, "string without end")
}

// escapeLen returns the length of the escape (of both, for a surrogate pair) at the start of b,
// 0 when it is malformed.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		r := hex4(b[2:])
		switch {
		case r < 0:
			return 0
		case !utf16.IsSurrogate(r):
			return 6
		case len(b) >= 12 && b[6] == '\\' && b[7] == 'u' && utf16.DecodeRune(r, hex4(b[8:])) != utf8.RuneError:
			return 12
		}
	}
	return 0
}

// nameSet finds a name that occurs twice in one object. Names are raw; a name with escapes is
// compared by what it means.
type nameSet struct {
	few  [8][]byte
	n    int
	many map[string]struct{} // from the ninth name on
}

func (s *nameSet) add(raw []byte) bool {
	for _, ch := range raw {
		if ch == '\\' {
			raw = unescape(nil, raw)
			break
		}
	}
	if s.many == nil {
		for _, name := range s.few[:s.n] {
			if string(name) == string(raw) {
				return false
			}
		}
		if s.n < len(s.few) {
			s.few[s.n] = raw
			s.n++
			return true
		}
		s.many = make(map[string]struct{}, 4*s.n)
		for _, name := range s.few {
			s.many[borrow(name)] = struct{}{}
		}
	}
	if _, ok := s.many[borrow(raw)]; ok {
		return false
	}
	s.many[borrow(raw)] = struct{}{}
	return true
}
