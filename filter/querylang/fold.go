package querylang

import (
	"strings"
	"unicode/utf8"
)

// foldCase brings a tag into the form in which an index without case keeps it: lower case as Unicode has it, and where the
// bytes are no UTF-8, of the ASCII letters only, so that no byte is lost.
func foldCase(s string) string {
	if utf8.ValidString(s) {
		return strings.ToLower(s)
	}
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
