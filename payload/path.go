package payload

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrPath is returned by ParsePath for text that is no path.
var ErrPath = errors.New("payload: not a JSON path")

// maxDepth bounds the nesting of documents and the steps of paths; recursion below stays small.
const maxDepth = 1000

// Path is a parsed JSON path such as `a.b`, `a[].b`, `a[0]` or `"odd key".b`. It selects zero or
// more values of a document: `[]` visits each element of an array, `[n]` one, and a step onto a
// value of another type selects nothing. A Path is immutable and safe for concurrent use; the zero
// Path selects the whole document.
type Path struct {
	steps []step
	text  string
}

type step struct {
	kind  stepKind
	key   string // stepKey only
	index int    // stepIndex only
}

type stepKind uint8

const (
	stepKey stepKind = iota
	stepIndex
	stepEach
)

// ParsePath reads a path: keys separated by dots, each followed by any number of `[]` and `[n]`.
// A key is bare (letters, digits, `_`, `-`) or in double quotes, between which every character but
// the quote stands for itself.
func ParsePath(s string) (Path, error) {
	p := Path{}
	for rest, first := s, true; first || rest != ""; first = false {
		if !first {
			if rest[0] != '.' {
				return Path{}, pathError(s, len(s)-len(rest))
			}
			rest = rest[1:]
		}
		key, n := parseKey(rest)
		if n == 0 {
			return Path{}, pathError(s, len(s)-len(rest))
		}
		p.steps = append(p.steps, step{kind: stepKey, key: key})
		rest = rest[n:]
		for rest != "" && rest[0] == '[' {
			st, n := parseBrackets(rest)
			if n == 0 {
				return Path{}, pathError(s, len(s)-len(rest))
			}
			p.steps = append(p.steps, st)
			rest = rest[n:]
		}
		if len(p.steps) > maxDepth {
			return Path{}, fmt.Errorf("%w: more than %d steps", ErrPath, maxDepth)
		}
	}
	p.text = formatSteps(p.steps)
	return p, nil
}

func pathError(s string, at int) error {
	return fmt.Errorf("%w: %q at byte %d", ErrPath, clip(s), at)
}

// parseKey returns the key at the start of s and the bytes it takes, 0 when there is none.
func parseKey(s string) (string, int) {
	if strings.HasPrefix(s, `"`) {
		end := strings.IndexByte(s[1:], '"')
		if end < 0 || !utf8.ValidString(s[1:1+end]) {
			return "", 0
		}
		return s[1 : 1+end], end + 2
	}
	for i, r := range s {
		if !bareRune(r) {
			return s[:i], i
		}
	}
	return s, len(s)
}

func bareRune(r rune) bool {
	return r == '_' || r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r)
}

// parseBrackets reads `[]` or `[n]` at the start of s; 0 bytes when neither stands there.
func parseBrackets(s string) (step, int) {
	end := strings.IndexByte(s, ']')
	if end < 0 {
		return step{}, 0
	}
	digits := s[1:end]
	if digits == "" {
		return step{kind: stepEach}, 2
	}
	if !digitsOnly(digits) {
		return step{}, 0
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil {
		return step{}, 0
	}
	return step{kind: stepIndex, index: int(n)}, end + 1
}

func formatSteps(steps []step) string {
	var b strings.Builder
	for i, st := range steps {
		switch st.kind {
		case stepEach:
			b.WriteString("[]")
		case stepIndex:
			b.WriteString("[" + strconv.Itoa(st.index) + "]")
		case stepKey:
			if i > 0 {
				b.WriteByte('.')
			}
			if _, n := parseKey(st.key); n == len(st.key) && n > 0 {
				b.WriteString(st.key)
			} else {
				b.WriteString(`"` + st.key + `"`)
			}
		}
	}
	return b.String()
}

// String returns the canonical text of the path; ParsePath reads it back.
func (p Path) String() string { return p.text }

// IsZero says whether the path has no step and so selects the whole document.
func (p Path) IsZero() bool { return len(p.steps) == 0 }

// EndsInEach says whether the last step is `[]`.
func (p Path) EndsInEach() bool {
	return len(p.steps) > 0 && p.steps[len(p.steps)-1].kind == stepEach
}

// WithEach returns the path with `[]` appended.
func (p Path) WithEach() Path {
	steps := append(p.steps[:len(p.steps):len(p.steps)], step{kind: stepEach})
	return Path{steps: steps, text: formatSteps(steps)}
}

// Each calls fn for every value of doc that the path selects, in document order, until fn returns
// false. An array at the end of the path is one value. Values borrow from doc. A document that
// Validate would refuse gives some of its values or none.
func (p Path) Each(doc []byte, fn func(v Value) bool) {
	v, _, ok := valueAt(doc, 0)
	if ok {
		each(v, p.steps, fn)
	}
}

// each reports whether the walk goes on.
func each(v Value, steps []step, fn func(v Value) bool) bool {
	if len(steps) == 0 {
		return fn(v)
	}
	st := &steps[0]
	switch {
	case st.kind == stepKey && v.Kind == Object:
		if m, ok := v.member(st.key); ok {
			return each(m, steps[1:], fn)
		}
	case st.kind == stepIndex && v.Kind == Array:
		i, more := 0, true
		v.EachElem(func(e Value) bool {
			if i == st.index {
				more = each(e, steps[1:], fn)
				return false
			}
			i++
			return true
		})
		return more
	case st.kind == stepEach && v.Kind == Array:
		more := true
		v.EachElem(func(e Value) bool {
			more = each(e, steps[1:], fn)
			return more
		})
		return more
	}
	return true
}
