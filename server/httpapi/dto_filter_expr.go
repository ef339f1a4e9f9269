package httpapi

import (
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/payload"
)

// expr returns the expression of a filter; nil for no filter.
func (f *filterBody) expr() (filter.Expr, error) {
	if f == nil {
		return nil, nil
	}
	var c converter
	e, err := c.filter(f, "filter")
	if err == nil {
		err = c.found.err("JSON body")
	}
	if err == nil {
		err = filter.Check(e)
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

// converter turns bodies into expressions; at is the path of what is being turned.
type converter struct{ found violations }

func (c *converter) filter(f *filterBody, at string) (filter.Expr, error) {
	var all []filter.Expr
	must, err := c.list(f.must, at, "must")
	if err != nil {
		return nil, err
	}
	all = append(all, must...)
	should, err := c.list(f.should, at, "should")
	if err != nil {
		return nil, err
	}
	if len(should) > 0 {
		all = append(all, filter.Or{Exprs: should})
	}
	mustNot, err := c.list(f.mustNot, at, "must_not")
	if err != nil {
		return nil, err
	}
	for _, e := range mustNot {
		all = append(all, filter.Not{Expr: e})
	}
	if m := f.minShould; m != nil {
		parts, err := c.list(m.conditions, at, "min_should.conditions")
		if err != nil {
			return nil, err
		}
		if *m.minCount == 0 {
			c.found.add(at+".min_should.min_count", "value 0 invalid, must be 1 or larger")
		}
		all = append(all, filter.MinShould{Exprs: parts, Count: int(min(*m.minCount, math.MaxInt32))})
	}
	if len(all) == 0 {
		return filter.All{}, nil
	}
	return filter.And{Exprs: all}, nil
}

func (c *converter) list(conditions []conditionBody, at, clause string) ([]filter.Expr, error) {
	out := make([]filter.Expr, 0, len(conditions))
	for i := range conditions {
		where := ""
		if len(at) < 200 { // deep filters do not make quadratic paths
			where = at + "." + clause + "[" + strconv.Itoa(i) + "]"
		}
		e, err := c.condition(&conditions[i], where)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func (c *converter) condition(b *conditionBody, at string) (filter.Expr, error) {
	switch {
	case b.key != nil:
		return c.field(b, at)
	case b.isEmpty != nil:
		field, err := fieldName(*b.isEmpty.Key)
		return filter.IsEmpty{Field: field}, err
	case b.isNull != nil:
		field, err := fieldName(*b.isNull.Key)
		return filter.IsNull{Field: field}, err
	case b.hasID != nil:
		return filter.HasID{IDs: b.hasID}, nil
	case b.hasVector != nil:
		return filter.HasVector{Name: *b.hasVector}, nil
	case b.slice != nil && b.slice.Total != nil && b.slice.Index != nil:
		return c.slice(*b.slice.Total, *b.slice.Index, at)
	case b.nested != nil && b.nested.Key != nil && b.nested.Filter != nil:
		path, err := parsePath(*b.nested.Key)
		if err != nil {
			return nil, err
		}
		if !path.EndsInEach() {
			path = path.WithEach()
		}
		inner, err := c.filter(b.nested.Filter, at+".nested.filter")
		return filter.Nested{Path: path.String(), Expr: inner}, err
	case b.unknown == "" && (b.clauses > 0 || b.bare()):
		return c.filter(&b.filter, at)
	}
	return nil, formatError("Expected some form of condition, which can be a field condition (like {\"key\": ..., \"match\": ... }), " +
		"or some other mentioned in the documentation: https://qdrant.tech/documentation/concepts/filtering/#filtering-conditions")
}

// bare says whether the condition is {}, an empty filter.
func (b *conditionBody) bare() bool {
	return b.match == nil && b.rng == nil && b.radius == nil && b.box == nil && b.polygon == nil && b.valuesCount == nil &&
		b.empty == nil && b.null == nil && b.slice == nil && b.nested == nil
}

func (c *converter) slice(total, index uint64, at string) (filter.Expr, error) {
	if total == 0 {
		return nil, formatError("%s.slice.total: invalid value: 0, expected a nonzero unsigned integer", at)
	}
	if index >= total {
		c.found.add(at+".slice.index", "value %d invalid, must be smaller than total %d", index, total)
		return filter.All{}, nil
	}
	return filter.Slice{Total: total, Index: index}, nil
}

func parsePath(s string) (payload.Path, error) {
	p, err := payload.ParsePath(s)
	if err != nil {
		return p, formatError("Invalid json path: '%s'", clip(s))
	}
	return p, nil
}

// fieldName returns the one spelling under which a path is indexed and looked up.
func fieldName(s string) (string, error) {
	p, err := parsePath(s)
	return p.String(), err
}

// field joins the operators of a field condition with or.
func (c *converter) field(b *conditionBody, at string) (filter.Expr, error) {
	field, err := fieldName(*b.key)
	if err != nil {
		return nil, err
	}
	var any []filter.Expr
	add := func(e filter.Expr, err2 error) {
		any = append(any, e)
		if err == nil {
			err = err2
		}
	}
	if b.match != nil {
		more, err := matchExprs(field, b.match)
		if err != nil {
			return nil, err
		}
		any = append(any, more...)
	}
	if b.rng != nil {
		add(rangeExpr(field, b.rng))
	}
	if b.radius != nil {
		add(radiusExpr(field, b.radius))
	}
	if b.box != nil {
		add(boxExpr(field, b.box))
	}
	if b.polygon != nil {
		add(polygonExpr(field, b.polygon))
	}
	if n := b.valuesCount; n != nil {
		add(filter.ValuesCount{Field: field, Lt: signed(n.Lt), Lte: signed(n.Lte), Gt: signed(n.Gt), Gte: signed(n.Gte)}, nil)
	}
	if b.empty != nil {
		add(negatedUnless(*b.empty, filter.IsEmpty{Field: field}), nil)
	}
	if b.null != nil {
		add(negatedUnless(*b.null, filter.IsNull{Field: field}), nil)
	}
	switch {
	case err != nil:
		return nil, err
	case len(any) == 0:
		c.found.add(at, "At least one field condition must be specified")
		return filter.All{}, nil
	case len(any) == 1:
		return any[0], nil
	}
	return filter.Or{Exprs: any}, nil
}

func negatedUnless(wanted bool, e filter.Expr) filter.Expr {
	if wanted {
		return e
	}
	return filter.Not{Expr: e}
}

func signed(n *uint64) *int64 {
	if n == nil {
		return nil
	}
	i := int64(min(*n, math.MaxInt64))
	return &i
}

func matchExprs(field string, m *matchBody) ([]filter.Expr, error) {
	var out []filter.Expr
	if m.hasValue {
		v, err := matchValue(m.Value, true)
		if err != nil {
			return nil, err
		}
		out = append(out, filter.Match{Field: field, Value: v})
	}
	if m.hasAny {
		vs, err := matchValues(m.Any)
		if err != nil {
			return nil, err
		}
		out = append(out, filter.MatchAny{Field: field, Values: vs})
	}
	if m.hasExcept {
		vs, err := matchValues(m.Except)
		if err != nil {
			return nil, err
		}
		out = append(out, filter.MatchExcept{Field: field, Values: vs})
	}
	if m.Text != nil {
		out = append(out, filter.MatchText{Field: field, Text: *m.Text})
	}
	if m.TextAny != nil {
		out = append(out, filter.MatchTextAny{Field: field, Text: *m.TextAny})
	}
	if m.Phrase != nil {
		out = append(out, filter.MatchPhrase{Field: field, Text: *m.Phrase})
	}
	if m.Prefix != nil {
		out = append(out, filter.Prefix{Field: field, Prefix: *m.Prefix})
	}
	return out, nil
}

// matchValue reads a string or an integer, or with bools a truth value.
func matchValue(raw jsontext.Value, bools bool) (filter.Value, error) {
	switch raw.Kind() {
	case '"':
		text, err := jsontext.AppendUnquote(nil, raw)
		return filter.StringValue(string(text)), err
	case 't', 'f':
		if bools {
			return filter.BoolValue(raw.Kind() == 't'), nil
		}
	case '0':
		if i, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			return filter.IntValue(i), nil
		}
		if u, err := strconv.ParseUint(string(raw), 10, 64); err == nil {
			return filter.UintValue(u), nil
		}
	}
	return filter.Value{}, formatError("data did not match any variant of untagged enum Match: %s is no string, integer or boolean", clip(string(raw)))
}

// matchValues reads a list of only strings or only integers.
func matchValues(raw jsontext.Value) ([]filter.Value, error) {
	list := payload.Parse(raw)
	if list.Kind != payload.Array {
		return nil, formatError("data did not match any variant of untagged enum Match: expected a list")
	}
	out := []filter.Value{}
	var err error
	var first payload.Kind
	list.EachElem(func(e payload.Value) bool {
		if first == payload.Invalid {
			first = e.Kind
		}
		var v filter.Value
		if v, err = matchValue(jsontext.Value(e.Raw), false); err == nil && e.Kind != first {
			err = formatError("data did not match any variant of untagged enum AnyVariants: strings and integers in one list")
		}
		out = append(out, v)
		return err == nil
	})
	return out, err
}

func rangeExpr(field string, r *rangeBody) (filter.Expr, error) {
	for _, raw := range []jsontext.Value{r.Lt, r.Gt, r.Gte, r.Lte} {
		if raw.Kind() == '"' {
			return timeRangeExpr(field, r)
		}
	}
	e := filter.Range{Field: field}
	for _, b := range []struct {
		raw jsontext.Value
		to  **float64
	}{{r.Lt, &e.Lt}, {r.Gt, &e.Gt}, {r.Gte, &e.Gte}, {r.Lte, &e.Lte}} {
		switch b.raw.Kind() {
		case 'n', 0:
		case '0':
			f, err := strconv.ParseFloat(string(b.raw), 64)
			if err != nil {
				return nil, formatError("number out of range: %s", clip(string(b.raw)))
			}
			*b.to = &f
		default:
			return nil, formatError("data did not match any variant of untagged enum RangeInterface: a bound is neither number nor date")
		}
	}
	return e, nil
}

func timeRangeExpr(field string, r *rangeBody) (filter.Expr, error) {
	e := filter.TimeRange{Field: field}
	for _, b := range []struct {
		raw jsontext.Value
		to  **int64
	}{{r.Lt, &e.Lt}, {r.Gt, &e.Gt}, {r.Gte, &e.Gte}, {r.Lte, &e.Lte}} {
		switch b.raw.Kind() {
		case 'n', 0:
		case '"':
			text, err := jsontext.AppendUnquote(nil, b.raw)
			if err != nil {
				return nil, formatError("%v", err)
			}
			t, ok := filter.ParseTime(string(text))
			if !ok {
				return nil, formatError("'%s' does not match accepted datetime format (RFC3339)", clip(string(text)))
			}
			*b.to = &t
		default:
			return nil, formatError("data did not match any variant of untagged enum RangeInterface: numbers and dates in one range")
		}
	}
	return e, nil
}
