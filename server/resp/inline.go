package resp

import (
	"bytes"
	"fmt"
)

// readInline reads a line of words, the form in which people and health checks type.
func (r *Reader) readInline() error {
	r.body, r.ends = r.body[:0], r.ends[:0]
	var line []byte
	for {
		c, err := r.br.ReadByte()
		if err != nil {
			return err
		}
		if c == '\n' {
			break
		}
		if len(line) == 0 && !startsInline(c) || len(line) > 0 && c < ' ' && c != '\t' && c != '\r' {
			return &ProtocolError{fmt.Sprintf("unexpected byte 0x%02x", c)}
		}
		if len(line) >= r.limits.InlineBytes {
			return &ProtocolError{"too big inline request"}
		}
		line = append(line, c)
	}
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if looksLikeHTTP(line) {
		return &ProtocolError{"this port speaks RESP, not HTTP"}
	}
	if !r.splitInline(line) {
		return &ProtocolError{"unbalanced quotes in request"}
	}
	if len(r.ends) > r.limits.Args {
		return &ProtocolError{"invalid multibulk length"}
	}
	return nil
}

// startsInline tells the first byte of a typed command from that of some other protocol.
func startsInline(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isSpace(c) || c == '"' || c == '\''
}

// looksLikeHTTP recognises a request line and a header line. A browser that is made to send
// them here must not have the lines of its body executed.
func looksLikeHTTP(line []byte) bool {
	words := bytes.Fields(line)
	if len(words) == 0 {
		return false
	}
	return len(words) >= 3 && bytes.HasPrefix(words[len(words)-1], []byte("HTTP/")) ||
		bytes.HasSuffix(words[0], []byte{':'}) || bytes.EqualFold(words[0], []byte("POST"))
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }

// splitInline splits a line at white space. Words may be quoted: "..." knows \n \r \t \b \a
// \xHH, '...' knows \'. It is false when a quote is not closed or not followed by a space.
func (r *Reader) splitInline(line []byte) bool {
	for {
		for len(line) > 0 && isSpace(line[0]) {
			line = line[1:]
		}
		if len(line) == 0 {
			return true
		}
		var ok bool
		if line, ok = r.inlineWord(line); !ok {
			return false
		}
		r.ends = append(r.ends, len(r.body))
	}
}

func (r *Reader) inlineWord(line []byte) (rest []byte, ok bool) {
	for len(line) > 0 && !isSpace(line[0]) {
		quote := line[0]
		if quote != '"' && quote != '\'' {
			r.body = append(r.body, quote)
			line = line[1:]
			continue
		}
		if line, ok = r.inlineQuoted(line[1:], quote); !ok {
			return nil, false
		}
		return line, len(line) == 0 || isSpace(line[0])
	}
	return line, true
}

func (r *Reader) inlineQuoted(line []byte, quote byte) (rest []byte, ok bool) {
	for len(line) > 0 {
		c := line[0]
		switch {
		case c == quote:
			return line[1:], true
		case c != '\\' || len(line) < 2:
			r.body = append(r.body, c)
			line = line[1:]
		case quote == '\'':
			if line[1] == '\'' {
				r.body = append(r.body, '\'')
				line = line[2:]
				continue
			}
			r.body = append(r.body, '\\')
			line = line[1:]
		default:
			b, n := unescape(line[1:])
			r.body = append(r.body, b)
			line = line[1+n:]
		}
	}
	return nil, false
}

// unescape decodes what follows a backslash and returns the byte and the bytes consumed.
func unescape(s []byte) (b byte, n int) {
	switch s[0] {
	case 'n':
		return '\n', 1
	case 'r':
		return '\r', 1
	case 't':
		return '\t', 1
	case 'b':
		return '\b', 1
	case 'a':
		return '\a', 1
	case 'x':
		if len(s) >= 3 && isHex(s[1]) && isHex(s[2]) {
			return hexValue(s[1])<<4 | hexValue(s[2]), 3
		}
	}
	return s[0], 1
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func hexValue(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	default:
		return c - 'A' + 10
	}
}
