package querylang

import (
	"math"
	"strconv"
	"strings"

	"github.com/isobath/isobath/filter"
)

// bound is one end of a numeric range. An infinite one is never exclusive.
type bound struct {
	value     float64
	exclusive bool
}

// numericRange := bound sep bound ']' | bound ']', after the opening bracket.
func (p *parser) numericRange(f fieldRef) (filter.Expr, error) {
	open := p.pos
	lo, err := p.bound()
	if err != nil {
		return nil, err
	}
	hi := lo
	p.take(',')
	if p.skipSpace(); !p.at(']') {
		if hi, err = p.bound(); err != nil {
			return nil, err
		}
	}
	if err := p.expect(']'); err != nil {
		return nil, err
	}
	if lo.value > hi.value {
		return nil, errorf(f.off, "Invalid numeric range (min > max): @%s:[%s", f.text, p.text[open:p.pos])
	}
	return rangeExpr(f.Name, lo, hi), nil
}

func rangeExpr(field string, lo, hi bound) filter.Expr {
	r := filter.Range{Field: field}
	if lo.exclusive {
		r.Gt = &lo.value
	} else {
		r.Gte = &lo.value
	}
	if hi.exclusive {
		r.Lt = &hi.value
	} else {
		r.Lte = &hi.value
	}
	return r
}

// bound := '('? ( number | $p )
func (p *parser) bound() (bound, error) {
	exclusive := p.take('(')
	v, err := p.number()
	return bound{value: v, exclusive: exclusive && !math.IsInf(v, 0)}, err
}

// number reads a number or a parameter that holds one, sign before the '$' included.
func (p *parser) number() (float64, error) {
	p.skipSpace()
	start := p.pos
	sign := 1.0
	if (p.at('-') || p.at('+')) && p.pos+1 < len(p.text) && p.text[p.pos+1] == '$' {
		if p.at('-') {
			sign = -1
		}
		p.pos++
	}
	var text []byte
	if p.at('$') {
		v, err := p.param()
		if err != nil {
			return 0, err
		}
		text = v
	} else {
		text = p.until(",]|)}", false)
	}
	v, ok := parseNumber(string(text))
	if !ok {
		return 0, p.syntaxAt(start)
	}
	return sign * v, nil
}

// parseNumber accepts decimal integers, fixed and exponent form, and infinities; no NaN, no hexadecimal.
func parseNumber(s string) (float64, bool) {
	switch strings.ToLower(s) {
	case "inf", "+inf":
		return math.Inf(1), true
	case "-inf":
		return math.Inf(-1), true
	}
	if strings.Trim(s, "0123456789+-.eE") != "" || s == "" {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(v, 0) {
		return 0, false
	}
	return v, true
}

// comparison := ( '==' | '!=' | '<' | '<=' | '>' | '>=' ) number, after the field name.
func (p *parser) comparison(f fieldRef) (filter.Expr, error) {
	op := ""
	for _, s := range []string{"==", "!=", "<=", ">=", "<", ">"} {
		if p.atString(s) {
			op = s
			break
		}
	}
	if op == "" {
		return nil, p.syntax()
	}
	if f.Type != Numeric {
		return nil, f.mismatch("NUMERIC")
	}
	p.pos += len(op)
	v, err := p.number()
	if err != nil {
		return nil, err
	}
	lowest, highest := bound{value: math.Inf(-1)}, bound{value: math.Inf(1)}
	at := bound{value: v}
	past := bound{value: v, exclusive: true}
	switch op {
	case "==":
		return rangeExpr(f.Name, at, at), nil
	case "!=":
		return filter.Not{Expr: rangeExpr(f.Name, at, at)}, nil
	case "<":
		return rangeExpr(f.Name, lowest, past), nil
	case "<=":
		return rangeExpr(f.Name, lowest, at), nil
	case ">":
		return rangeExpr(f.Name, past, highest), nil
	}
	return rangeExpr(f.Name, at, highest), nil
}
