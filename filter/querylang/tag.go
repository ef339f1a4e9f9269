package querylang

import (
	"bytes"
	"unicode"

	"github.com/isobath/isobath/filter"
)

// tagTerm is one tag of a list.
type tagTerm struct {
	value  []byte
	prefix bool
	quoted bool
}

// tags reads the list after the opening bracket, closing bracket included.
func (p *parser) tags(f fieldRef, closing byte) (filter.Expr, error) {
	p.skipSpace()
	open := p.pos
	var values []filter.Value
	var prefixes []filter.Expr
	for {
		off := p.pos
		t, ok, err := p.tag(closing)
		if err != nil {
			return nil, err
		}
		if !t.prefix && ok {
			values = append(values, filter.StringValue(f.fold(t.value)))
		}
		if t.prefix {
			if len(t.value) < p.opt.MinPrefix {
				return nil, p.syntaxAt(off)
			}
			if err := p.count(); err != nil {
				return nil, err
			}
			prefixes = append(prefixes, filter.Prefix{Field: f.Name, Prefix: f.fold(t.value)})
		}
		if p.at('|') {
			p.pos++
			continue
		}
		break
	}
	p.pos++ // the closing bracket: tag stops nowhere else
	return tagExpr(f, values, prefixes, p.syntaxAt(open))
}

func tagExpr(f fieldRef, values []filter.Value, prefixes []filter.Expr, none error) (filter.Expr, error) {
	switch {
	case len(values) == 1:
		prefixes = append([]filter.Expr{filter.Match{Field: f.Name, Value: values[0]}}, prefixes...)
	case len(values) > 1:
		prefixes = append([]filter.Expr{filter.MatchAny{Field: f.Name, Values: values}}, prefixes...)
	}
	switch len(prefixes) {
	case 0:
		return nil, none
	case 1:
		return prefixes[0], nil
	}
	return filter.Or{Exprs: prefixes}, nil
}

// fold brings a tag into the form in which the index holds it.
func (f fieldRef) fold(tag []byte) string {
	if f.CaseSensitive {
		return string(tag)
	}
	return filter.Fold(string(tag))
}

// tag reads one tag and stops at '|' or the closing bracket. ok is false for an empty one.
func (p *parser) tag(closing byte) (t tagTerm, ok bool, err error) {
	p.skipSpace()
	start := p.pos
	switch {
	case p.at('"'), p.at('\''):
		t, err = p.quotedTag()
	case p.at('$'):
		t, err = p.paramTag()
	default:
		return p.bareTag(closing)
	}
	if err != nil {
		return tagTerm{}, false, err
	}
	if p.at('*') {
		p.pos++
		t.prefix = true
	}
	p.skipSpace()
	if !p.at('|') && !p.at(closing) {
		return tagTerm{}, false, p.syntaxAt(start)
	}
	if !t.prefix {
		t.value = bytes.TrimSpace(t.value)
	}
	return t, len(t.value) > 0 || t.quoted, nil
}

func (p *parser) quotedTag() (tagTerm, error) {
	start := p.pos
	quote := p.text[p.pos]
	p.pos++
	var out []byte
	for !p.eof() {
		c := p.text[p.pos]
		p.pos++
		switch {
		case c == quote:
			return tagTerm{value: out, quoted: true}, nil
		case c == '\\' && !p.eof():
			out = append(out, p.text[p.pos])
			p.pos++
		default:
			out = append(out, c)
		}
	}
	return tagTerm{}, p.syntaxAt(start)
}

func (p *parser) paramTag() (tagTerm, error) {
	v, err := p.param()
	return tagTerm{value: v, quoted: true}, err
}

// bareTag reads bytes with escapes. A star counts only as the last byte, and only if it is not escaped.
func (p *parser) bareTag(closing byte) (tagTerm, bool, error) {
	start := p.pos
	var out []byte
	star, stars := -1, 0 // where the last unescaped star stands in out; how many stand in a row there
	for {
		if p.eof() {
			return tagTerm{}, false, p.syntaxAt(len(p.text))
		}
		c := p.text[p.pos]
		if c == '|' || c == closing {
			break
		}
		p.pos++
		if c == '\\' && !p.eof() {
			c = p.text[p.pos]
			p.pos++
		} else if c == '*' {
			if star != len(out)-1 || star < 0 {
				stars = 0
			}
			star = len(out)
			stars++
		}
		out = append(out, c)
	}
	t := tagTerm{value: bytes.TrimSpace(out)}
	left := len(out) - len(bytes.TrimLeftFunc(out, unicode.IsSpace))
	if star >= 0 && star == left+len(t.value)-1 {
		if stars > 1 {
			return tagTerm{}, false, p.syntaxAt(start)
		}
		t.prefix = true
		t.value = t.value[:len(t.value)-1]
	}
	if len(t.value) > 0 && p.text[start] == '*' {
		return tagTerm{}, false, p.syntaxAt(start) // *suffix
	}
	return t, len(t.value) > 0, nil
}
