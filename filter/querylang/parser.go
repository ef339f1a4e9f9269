package querylang

import "github.com/isobath/isobath/filter"

// parser is one cursor over one query.
type parser struct {
	text   []byte
	pos    int
	schema Schema
	params Params
	opt    Options
	depth  int
	nodes  int
}

// query := filter [ '=>' '[' knn ']' [ '=>' '{' attrs '}' ] ]
func (p *parser) query() (Query, error) {
	e, err := p.or()
	if err != nil {
		return Query{}, err
	}
	q := Query{Filter: e}
	if p.takeString("=>") {
		if q.KNN, err = p.knn(); err != nil {
			return Query{}, err
		}
	}
	p.skipSpace()
	if !p.eof() {
		return Query{}, p.syntax()
	}
	return q, nil
}

// or := and ( '|' and )*
func (p *parser) or() (filter.Expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	var terms []filter.Expr
	for {
		e, err := p.and()
		if err != nil {
			return nil, err
		}
		terms = append(terms, e)
		if !p.take('|') {
			break
		}
	}
	if len(terms) == 1 {
		return terms[0], nil
	}
	return filter.Or{Exprs: terms}, nil
}

// and := not ( not )*
func (p *parser) and() (filter.Expr, error) {
	var terms []filter.Expr
	for {
		e, err := p.not()
		if err != nil {
			return nil, err
		}
		terms = append(terms, e)
		p.skipSpace()
		if p.eof() || p.at('|') || p.at(')') || p.atString("=>") {
			break
		}
	}
	return conjunction(terms), nil
}

// conjunction drops the operands that every key satisfies.
func conjunction(terms []filter.Expr) filter.Expr {
	kept := terms[:0]
	for _, e := range terms {
		if _, all := e.(filter.All); !all {
			kept = append(kept, e)
		}
	}
	switch len(kept) {
	case 0:
		return filter.All{}
	case 1:
		return kept[0]
	}
	return filter.And{Exprs: kept}
}

// not := '-' not | '~' not | atom. What follows '~' affects relevance only, so every key satisfies it.
func (p *parser) not() (filter.Expr, error) {
	p.skipSpace()
	if !p.at('-') && !p.at('~') {
		return p.atom()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	op := p.peek()
	p.pos++
	e, err := p.not()
	if err != nil {
		return nil, err
	}
	if op == '~' {
		return filter.All{}, nil
	}
	return filter.Not{Expr: e}, nil
}

func (p *parser) atom() (filter.Expr, error) {
	if err := p.count(); err != nil {
		return nil, err
	}
	switch {
	case p.at('('):
		return p.group()
	case p.at('*'):
		return p.star()
	case p.at('@'):
		return p.field()
	case p.atWord("ismissing"):
		return p.isMissing()
	}
	return nil, p.syntax() // a bare term: there is no full-text search yet
}

// group := '(' or ')' [ '=>' '{' attrs '}' ]
func (p *parser) group() (filter.Expr, error) {
	p.pos++
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if err := p.expect(')'); err != nil {
		return nil, err
	}
	return e, p.filterAttributes()
}

// star is '*' as an operand; a star in front of a word would be a suffix term.
func (p *parser) star() (filter.Expr, error) {
	start := p.pos
	p.pos++
	if !p.eof() && !isSpace(p.peek()) && !p.at(')') && !p.at('|') && !p.at('@') && !p.at('-') && !p.at('(') && !p.atString("=>") {
		return nil, p.syntaxAt(start)
	}
	return filter.All{}, nil
}

// field is whatever begins with '@'.
func (p *parser) field() (filter.Expr, error) {
	f, err := p.fieldName()
	if err != nil {
		return nil, err
	}
	p.skipSpace()
	if !p.at(':') {
		return p.comparison(f)
	}
	p.pos++
	p.skipSpace()
	var e filter.Expr
	switch {
	case p.at('{'):
		if f.Type != Tag {
			return nil, f.mismatch("TAG")
		}
		p.pos++
		e, err = p.tags(f, '}')
	case p.at('['):
		e, err = p.bracket(f)
	default:
		return nil, p.syntax()
	}
	if err != nil {
		return nil, err
	}
	return e, p.filterAttributes()
}

// bracket := '[' range ']' | '[' tags ']' | '[' VECTOR_RANGE ... ']'
func (p *parser) bracket(f fieldRef) (filter.Expr, error) {
	p.pos++
	p.skipSpace()
	switch {
	case p.atWord("VECTOR_RANGE"):
		if f.Type != Vector {
			return nil, f.mismatch("VECTOR")
		}
		return nil, errorf(p.pos, "VECTOR_RANGE is not supported yet")
	case f.Type == Tag:
		return p.tags(f, ']')
	case f.Type == Numeric:
		return p.numericRange(f)
	}
	return nil, f.mismatch("NUMERIC")
}

// isMissing := 'ismissing(' '@' field ')'
func (p *parser) isMissing() (filter.Expr, error) {
	start := p.pos
	p.pos += len("ismissing")
	p.skipSpace()
	if !p.at('(') {
		return nil, p.syntaxAt(start)
	}
	p.pos++
	p.skipSpace()
	if !p.at('@') {
		return nil, p.syntax()
	}
	f, err := p.fieldName()
	if err != nil {
		return nil, err
	}
	if err := p.expect(')'); err != nil {
		return nil, err
	}
	if !f.IndexMissing {
		return nil, errorf(f.off, "'ismissing' requires defining the field '%s' with 'INDEXMISSING'", f.text)
	}
	if f.Type == Vector {
		return filter.Not{Expr: filter.HasVector{Name: f.Name}}, nil
	}
	return filter.IsEmpty{Field: f.Name}, nil
}

// fieldRef is a declared field and where the query names it.
type fieldRef struct {
	Field
	off  int
	text []byte
}

func (f fieldRef) mismatch(want string) error {
	return errorf(f.off, "Expected a %s field at offset %d near %s", want, f.off, f.text)
}

// fieldName reads '@name' at the cursor and finds the field.
func (p *parser) fieldName() (fieldRef, error) {
	off := p.pos
	p.pos++
	name := p.until(":=!<>])}", true)
	if len(name) == 0 {
		return fieldRef{}, p.syntaxAt(off)
	}
	f, ok := p.schema.Field(name)
	if !ok {
		return fieldRef{}, errorf(off, "Unknown field at offset %d near %s", off, name)
	}
	return fieldRef{Field: f, off: off, text: name}, nil
}

func (p *parser) enter() error {
	p.depth++
	if p.depth > maxDepth {
		return tooComplex(p.pos)
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

func (p *parser) count() error {
	p.nodes++
	if p.nodes > maxNodes {
		return tooComplex(p.pos)
	}
	return nil
}
