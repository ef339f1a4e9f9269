package querylang

import (
	"bytes"
	"strings"
)

// The cursor: peeking at and taking bytes. Nothing here knows the grammar.

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f'
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// special are the bytes that end a bare word.
const special = "()|-~@{}[]:;,'\"*=<>!$%+&/#^?"

func (p *parser) eof() bool { return p.pos >= len(p.text) }

// peek is the byte at the cursor, 0 at the end.
func (p *parser) peek() byte {
	if p.eof() {
		return 0
	}
	return p.text[p.pos]
}

func (p *parser) at(c byte) bool { return !p.eof() && p.text[p.pos] == c }

func (p *parser) atString(s string) bool { return bytes.HasPrefix(p.text[p.pos:], []byte(s)) }

// atWord tells whether the cursor is at the keyword, in any letter case, as a whole word.
func (p *parser) atWord(word string) bool {
	rest := p.text[p.pos:]
	if len(rest) < len(word) || !strings.EqualFold(string(rest[:len(word)]), word) {
		return false
	}
	return len(rest) == len(word) || !isNameByte(rest[len(word)])
}

func (p *parser) skipSpace() {
	for !p.eof() && isSpace(p.text[p.pos]) {
		p.pos++
	}
}

// take steps over c if it is next, after white space.
func (p *parser) take(c byte) bool {
	p.skipSpace()
	if !p.at(c) {
		return false
	}
	p.pos++
	return true
}

func (p *parser) expect(c byte) error {
	if !p.take(c) {
		return p.syntax()
	}
	return nil
}

func (p *parser) takeString(s string) bool {
	p.skipSpace()
	if !p.atString(s) {
		return false
	}
	p.pos += len(s)
	return true
}

// until takes bytes up to white space or one of the stops, undoing escapes if unescape is set.
func (p *parser) until(stops string, unescape bool) []byte {
	start := p.pos
	var out []byte
	for !p.eof() {
		c := p.text[p.pos]
		if unescape && c == '\\' && p.pos+1 < len(p.text) {
			if out == nil {
				out = append([]byte{}, p.text[start:p.pos]...)
			}
			out = append(out, p.text[p.pos+1])
			p.pos += 2
			continue
		}
		if isSpace(c) || strings.IndexByte(stops, c) >= 0 {
			break
		}
		if out != nil {
			out = append(out, c)
		}
		p.pos++
	}
	if out != nil {
		return out
	}
	return p.text[start:p.pos]
}

// param reads the name after a '$' at the cursor and returns its value.
func (p *parser) param() ([]byte, error) {
	start := p.pos
	p.pos++ // the '$'
	for !p.eof() && isNameByte(p.text[p.pos]) {
		p.pos++
	}
	name := p.text[start+1 : p.pos]
	if len(name) == 0 {
		return nil, p.syntaxAt(start)
	}
	v, ok := p.params[string(name)]
	if !ok {
		return nil, errorf(start, "No such parameter `%s`", name)
	}
	return v, nil
}

// syntax is the error for whatever stands at the cursor.
func (p *parser) syntax() error {
	p.skipSpace()
	return p.syntaxAt(p.pos)
}

func (p *parser) syntaxAt(off int) error {
	if off >= len(p.text) {
		return errorf(len(p.text), "Syntax error at offset %d near end of query", len(p.text))
	}
	return errorf(off, "Syntax error at offset %d near %s", off, token(p.text[off:]))
}

// token is the word or the single mark a text begins with, for messages; long ones are cut.
func token(b []byte) []byte {
	const longest = 64
	n := 0
	if strings.IndexByte("$@-+", b[0]) >= 0 {
		n = 1
	}
	for n < len(b) && n < longest && !isSpace(b[n]) && (strings.IndexByte(special, b[n]) < 0) {
		n++
	}
	return b[:max(n, 1)]
}
