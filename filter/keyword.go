package filter

import (
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/isobath/isobath/payload"
)

// Fold maps texts that differ only in case to one text: ASCII letters become small, other runes the
// least of their simple folding orbit. Bytes that are no UTF-8 stay.
func Fold(s string) string {
	if !needsFold(s) {
		return s
	}
	out := make([]byte, 0, len(s)+4)
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			out = append(out, s[0])
		} else {
			out = utf8.AppendRune(out, foldRune(r))
		}
		s = s[n:]
	}
	return string(out)
}

func needsFold(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || c >= 'A' && c <= 'Z' {
			return true
		}
	}
	return false
}

func foldRune(r rune) rune {
	least := r
	if r >= utf8.RuneSelf {
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
	}
	if least >= 'A' && least <= 'Z' {
		return least + 'a' - 'A'
	}
	return least
}

// normal is the form in which the field compares a keyword.
func (d FieldDef) normal(s string) string {
	if d.FoldCase {
		return Fold(s)
	}
	return s
}

func parseUUID(s string) (uuid.UUID, bool) {
	u, err := uuid.Parse(s)
	return u, err == nil
}

// uuidMatch is a match through a UUID index in a residual: any spelling of an id is equal.
type uuidMatch struct {
	field  string
	ids    map[uuid.UUID]struct{}
	except bool
	others func(payload.Value) bool // what else is in the list of an except; may be nil
}

func (uuidMatch) isExpr() {}

func (m uuidMatch) test(v payload.Value) bool {
	if v.Kind == payload.Null {
		return false
	}
	in := m.others != nil && m.others(v)
	if v.Kind == payload.String {
		if u, ok := parseUUID(v.Str()); ok {
			_, found := m.ids[u]
			in = in || found
		}
	}
	return in != m.except
}
