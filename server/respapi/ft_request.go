package respapi

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/filter/querylang"
	"github.com/isobath/isobath/payload"
)

// searchRequest is a parsed FT.SEARCH.
type searchRequest struct {
	index *ftIndex
	query querylang.Query
	all   bool // the query text is "*"

	noContent, scores, payloads, sortKeys bool

	returns   []returnField // with hasReturn
	hasReturn bool
	sortBy    string
	sortDesc  bool
	offset    int
	num       int
	inKeys    [][]byte
	hasInKeys bool
	ranges    []filter.Expr // FILTER clauses
	params    querylang.Params
	timeout   time.Duration // 0: none
}

// returnField is one field of RETURN and the name it is given.
type returnField struct{ name, as string }

// searchParser reads the arguments of FT.SEARCH behind the query.
type searchParser struct {
	words
	call *call
	req  *searchRequest
}

// parseSearch reads index, query and clauses from args, which begin with the index name.
func (c *call) parseSearch(args [][]byte) (*searchRequest, error) {
	x, err := c.index(args[0])
	if err != nil {
		return nil, ftErrorf("%s: no such index", args[0])
	}
	req := &searchRequest{index: x, num: 10, params: querylang.Params{},
		timeout: time.Duration(c.srv.config.Int("search.default-timeout-ms")) * time.Millisecond}
	p := &searchParser{words: words{args: args[1:], i: 1}, call: c, req: req}
	for p.more() {
		if err := p.clause(); err != nil {
			return nil, err
		}
	}
	if err := p.checkLimit(); err != nil {
		return nil, err
	}
	if req.query, err = querylang.Parse(args[1], x, req.params, c.limits()); err != nil {
		return nil, ftError(err)
	}
	req.all = strings.TrimSpace(string(args[1])) == "*"
	return req, p.checkSort()
}

// clause reads one clause, whose words are the first of args.
func (p *searchParser) clause() error {
	at := p.i
	word, _ := p.next("")
	name := strings.ToUpper(string(word))
	r := p.req
	switch name {
	case "NOCONTENT":
		r.noContent = true
	case "WITHSCORES":
		r.scores = true
	case "WITHPAYLOADS":
		r.payloads = true
	case "WITHSORTKEYS":
		r.sortKeys = true
	case "COUNT":
		r.offset, r.num = 0, 0
	case "VERBATIM", "NOSTOPWORDS", "INORDER", "EXPLAINSCORE", "LOCALONLY", "ALLSHARDS", "SOMESHARDS", "CONSISTENT", "INCONSISTENT":
	case "LANGUAGE", "EXPANDER", "SCORER", "PAYLOAD":
		_, err := p.next(name)
		return err
	case "SLOP":
		_, err := p.next(name)
		return err
	case "INFIELDS":
		_, err := p.list(name)
		return err
	case "FILTER":
		return p.filter()
	case "INKEYS":
		list, err := p.list(name)
		r.inKeys, r.hasInKeys = append(r.inKeys, list...), true
		return err
	case "RETURN":
		return p.returns()
	case "LIMIT":
		return p.limit()
	case "SORTBY":
		return p.sortBy()
	case "TIMEOUT":
		return p.timeout()
	case "PARAMS":
		return p.params()
	case "DIALECT":
		return p.dialect()
	case "FORMAT":
		return p.format()
	case "GEOFILTER", "SUMMARIZE", "HIGHLIGHT":
		return ftErrorf("%s is not supported yet", name)
	default:
		return ftErrorf("Unknown argument `%s` at position %d for <main>", word, at)
	}
	return nil
}

func (p *searchParser) returns() error {
	list, err := p.list("RETURN")
	if err != nil {
		return err
	}
	p.req.hasReturn, p.req.returns = true, nil
	for i := 0; i < len(list); i++ {
		f := returnField{name: string(list[i]), as: string(list[i])}
		if i+1 < len(list) && is(list[i+1], "as") {
			if i+2 >= len(list) {
				return replyError("RETURN path AS name - must be accompanied with NAME")
			}
			f.as = string(list[i+2])
			i += 2
		}
		p.req.returns = append(p.req.returns, f)
	}
	p.req.noContent = p.req.noContent || len(list) == 0
	return nil
}

func (p *searchParser) limit() error {
	off, err := p.next("LIMIT")
	if err != nil {
		return replyError("LIMIT requires two arguments")
	}
	num, err := p.next("LIMIT")
	if err != nil {
		return replyError("LIMIT requires two arguments")
	}
	o, err1 := strconv.ParseUint(string(off), 10, 62)
	n, err2 := strconv.ParseUint(string(num), 10, 62)
	if err1 != nil || err2 != nil {
		return replyError("LIMIT needs two numeric arguments")
	}
	p.req.offset, p.req.num = int(o), int(n)
	return nil
}

func (p *searchParser) checkLimit() error {
	most := p.call.srv.config.Int("search.max-search-results")
	switch {
	case p.req.num > most:
		return ftErrorf("LIMIT exceeds maximum of %d", most)
	case p.req.num == 0 && p.req.offset > 0:
		return replyError("The `offset` of the LIMIT must be 0 when `num` is 0")
	}
	return nil
}

func (p *searchParser) sortBy() error {
	b, err := p.next("SORTBY")
	if err != nil {
		return err
	}
	p.req.sortBy = strings.TrimPrefix(string(b), "@")
	p.req.sortDesc = false
	for {
		switch {
		case p.take("asc"):
			p.req.sortDesc = false
		case p.take("desc"):
			p.req.sortDesc = true
		case p.take("withcount"), p.take("withoutcount"):
		default:
			return nil
		}
	}
}

// checkSort makes sure that the sort field is one that results have.
func (p *searchParser) checkSort() error {
	r := p.req
	if r.sortBy == "" || r.query.KNN != nil && r.sortBy == r.query.KNN.As {
		return nil
	}
	if _, ok := r.index.find(r.sortBy); !ok {
		return ftErrorf("Property `%s` not loaded nor in schema", r.sortBy)
	}
	return nil
}

func (p *searchParser) timeout() error {
	ms, err := p.int("TIMEOUT", 0)
	if err != nil {
		return err
	}
	if most := p.call.srv.config.Int("search.max-timeout-ms"); ms > most {
		return ftErrorf("TIMEOUT exceeds maximum of %d", most)
	}
	p.req.timeout = time.Duration(ms) * time.Millisecond
	return nil
}

func (p *searchParser) params() error {
	list, err := p.list("PARAMS")
	if err != nil {
		return err
	}
	if len(list)%2 != 0 {
		return replyError("Parameters must be specified in PARAM VALUE pairs")
	}
	for i := 0; i < len(list); i += 2 {
		name := string(list[i])
		if _, ok := p.req.params[name]; ok {
			return ftErrorf("Duplicate parameter `%s`", name)
		}
		p.req.params[name] = list[i+1]
	}
	return nil
}

func (p *searchParser) dialect() error {
	b, err := p.next("DIALECT")
	if err != nil {
		return err
	}
	if n, err := strconv.Atoi(string(b)); err != nil || n < 1 || n > 4 {
		return replyError("DIALECT requires a non negative integer >=1 and <= 4")
	}
	return nil
}

func (p *searchParser) format() error {
	b, err := p.next("FORMAT")
	switch {
	case err != nil:
		return err
	case is(b, "string"):
		return nil
	case is(b, "expand"):
		return replyError("EXPAND format is only supported with JSON")
	}
	return ftErrorf("FORMAT %s is not supported", b)
}

// filter reads field, min and max.
func (p *searchParser) filter() error {
	var b [3][]byte
	for i := range b {
		var err error
		if b[i], err = p.next("FILTER"); err != nil {
			return err
		}
	}
	i, ok := p.req.index.find(strings.TrimPrefix(string(b[0]), "@"))
	if !ok || p.req.index.def.Fields[i].Type != engine.FieldNumeric {
		return ftErrorf("Unknown Field '%s'", b[0])
	}
	r := filter.Range{Field: p.req.index.def.Fields[i].Alias}
	low, lowOpen, ok1 := filterBound(b[1])
	high, highOpen, ok2 := filterBound(b[2])
	switch {
	case !ok1:
		return ftErrorf("Bad lower range: %s", b[1])
	case !ok2:
		return ftErrorf("Bad upper range: %s", b[2])
	}
	if r.Gte = &low; lowOpen {
		r.Gte, r.Gt = nil, &low
	}
	if r.Lte = &high; highOpen {
		r.Lte, r.Lt = nil, &high
	}
	p.req.ranges = append(p.req.ranges, r)
	return nil
}

// filterBound reads a bound of FILTER; '(' makes it exclusive, unless it is infinite.
func filterBound(b []byte) (v float64, open, ok bool) {
	text, open := strings.CutPrefix(string(b), "(")
	v, err := parseFloat([]byte(text))
	return v, open && !math.IsInf(v, 0), err == nil
}

// filter is the whole condition on results; nil admits every key.
func (r *searchRequest) filter(c *call) (filter.Expr, error) {
	exprs := append([]filter.Expr(nil), r.ranges...)
	if _, all := r.query.Filter.(filter.All); !all {
		exprs = append(exprs, r.query.Filter)
	}
	if r.hasInKeys {
		ids := []payload.PointID{} // none of the keys may exist
		v := c.srv.keys.View(c.db)
		defer v.Close()
		for _, k := range r.inKeys {
			d, ok, err := v.Document(k)
			if err != nil {
				return nil, err
			}
			if ok {
				ids = append(ids, payload.NumID(d.Number))
			}
		}
		exprs = append(exprs, filter.HasID{IDs: ids})
	}
	switch len(exprs) {
	case 0:
		return nil, nil
	case 1:
		return exprs[0], nil
	}
	return filter.And{Exprs: exprs}, nil
}
