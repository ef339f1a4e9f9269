package respapi

import (
	"fmt"
	"strings"

	"github.com/isobath/isobath/filter"
)

func ftExplain(c *call) error {
	text, err := c.explain()
	if err != nil {
		return err
	}
	c.w.BulkString(text)
	return nil
}

func ftExplainCLI(c *call) error {
	text, err := c.explain()
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	c.w.Array(len(lines))
	for _, l := range lines {
		c.w.BulkString(l)
	}
	return nil
}

// explain parses the query of FT.EXPLAIN, which takes the clauses of FT.SEARCH, and draws it.
func (c *call) explain() (string, error) {
	if err := c.sync(); err != nil {
		return "", err
	}
	req, err := c.parseSearch(c.args[1:])
	if err != nil {
		return "", err
	}
	e := &explainer{}
	if k := req.query.KNN; k != nil {
		e.line("VECTOR {K=%d nearest vectors to `$%s` in @%s, AS `%s`}", k.K, "query", k.Field, k.As)
	}
	e.expr(req.query.Filter)
	return e.out.String(), nil
}

type explainer struct {
	out   strings.Builder
	depth int
}

func (e *explainer) line(format string, args ...any) {
	e.out.WriteString(strings.Repeat("  ", e.depth))
	fmt.Fprintf(&e.out, format, args...)
	e.out.WriteByte('\n')
}

func (e *explainer) group(name string, parts ...filter.Expr) {
	e.line("%s {", name)
	e.depth++
	for _, p := range parts {
		e.expr(p)
	}
	e.depth--
	e.line("}")
}

func (e *explainer) expr(x filter.Expr) {
	switch x := x.(type) {
	case filter.All:
		e.line("<WILDCARD>")
	case filter.And:
		e.group("INTERSECT", x.Exprs...)
	case filter.Or:
		e.group("UNION", x.Exprs...)
	case filter.Not:
		e.group("NOT", x.Expr)
	case filter.Match:
		e.tags(x.Field, x.Value.Str())
	case filter.MatchAny:
		var values []string
		for _, v := range x.Values {
			values = append(values, v.Str())
		}
		e.tags(x.Field, values...)
	case filter.Prefix:
		e.tags(x.Field, x.Prefix+"*")
	case filter.Range:
		e.line("NUMERIC {%s}", rangeText(x))
	case filter.IsEmpty:
		e.line("ISMISSING {@%s}", x.Field)
	case filter.HasVector:
		e.line("HASVECTOR {@%s}", x.Name)
	default:
		e.line("%T", x)
	}
}

func (e *explainer) tags(field string, values ...string) {
	e.line("TAG:@%s {", field)
	e.depth++
	for _, v := range values {
		e.line("%s", v)
	}
	e.depth--
	e.line("}")
}

// rangeText writes a range as "0 <= @n < 10".
func rangeText(r filter.Range) string {
	var sb strings.Builder
	switch {
	case r.Gte != nil:
		fmt.Fprintf(&sb, "%f <= ", *r.Gte)
	case r.Gt != nil:
		fmt.Fprintf(&sb, "%f < ", *r.Gt)
	}
	sb.WriteString("@" + r.Field)
	switch {
	case r.Lte != nil:
		fmt.Fprintf(&sb, " <= %f", *r.Lte)
	case r.Lt != nil:
		fmt.Fprintf(&sb, " < %f", *r.Lt)
	}
	return sb.String()
}
