package respapi

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/filter"
)

// ftRow is one result.
type ftRow struct {
	key      []byte
	id       uint64      // key number: insertion order
	fields   []hashField // of the document
	distance float64     // KNN
	number   float64     // sort value
	text     []byte      // sort value of fields that are no numbers
	missing  bool        // no sort value
}

type hashField struct{ name, value []byte }

// ftResult is what FT.SEARCH found: one page and the number of all matches.
type ftResult struct {
	rows    []ftRow
	total   int
	warning string
	stats   engine.SearchStats
}

func ftSearch(c *call) error {
	if err := c.sync(); err != nil {
		return err
	}
	req, err := c.parseSearch(c.args[1:])
	if err != nil {
		return err
	}
	res, err := c.search(req)
	if err != nil {
		return ftError(err)
	}
	req.write(c.w, res)
	return nil
}

// planFiltered is the engine's name of a graph walk under a filter.
const planFiltered = "filtered walk"

// search runs a request and counts it.
func (c *call) search(req *searchRequest) (*ftResult, error) {
	st := &c.srv.search
	req.index.uses.Add(1)
	st.Active.Add(1)
	defer st.Active.Add(-1)
	res, err := c.searchInTime(req)
	if err != nil {
		st.Failed.Add(1)
		return nil, err
	}
	st.Succeeded.Add(1)
	_, all := req.query.Filter.(filter.All)
	switch {
	case req.query.KNN == nil:
		st.NonVector.Add(1)
	case !all && res.stats.Plan == planFiltered:
		st.Hybrid.Add(1)
		st.Inline.Add(1)
	case !all:
		st.Hybrid.Add(1)
		st.Prefiltered.Add(1)
	}
	return res, nil
}

// searchInTime runs a request under its time limit.
func (c *call) searchInTime(req *searchRequest) (*ftResult, error) {
	ctx, cancel := c.ctx, context.CancelFunc(func() {})
	if req.timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, req.timeout)
	}
	defer cancel()
	if err := c.ready(ctx, req.index); err != nil {
		return nil, err
	}
	expr, err := req.filter(c)
	if err != nil {
		return nil, err
	}
	run := &searchRun{ctx: ctx, req: req, expr: expr, now: c.now().UnixMilli(), fetch: req.fetch(), res: &ftResult{}, maxBytes: c.srv.queryBytes,
		inserted: c.srv.config.String("search.knn-order") == "insertion"}
	switch {
	case req.query.KNN != nil:
		err = run.nearest()
	case req.num == 0:
		run.res.total, err = req.index.Count(ctx, expr, &run.res.stats)
	default:
		err = run.matches()
	}
	if errors.Is(err, context.DeadlineExceeded) && c.srv.config.String("search.on-timeout") == "return" {
		run.res.warning, err = string(errFTTimeout), nil
		run.res.total = max(run.res.total, len(run.res.rows))
		run.page()
	}
	return run.res, err
}

// fetch is what the reply and its order need of a match: its document, or no more than that it has not expired.
func (r *searchRequest) fetch() engine.Fetch {
	stored := func(name string) bool { return r.query.KNN == nil || name != r.query.KNN.As }
	document := r.sortBy != "" && stored(r.sortBy)
	switch {
	case r.noContent:
	case !r.hasReturn:
		document = true
	default:
		document = document || slices.ContainsFunc(r.returns, func(f returnField) bool { return stored(f.name) })
	}
	return engine.Fetch{Document: document, Expiry: !document}
}

// searchRun is one search at work.
type searchRun struct {
	ctx   context.Context
	req   *searchRequest
	expr  filter.Expr
	now   int64
	fetch engine.Fetch // of every match
	res   *ftResult

	inserted bool // order of a vector clause without SORTBY: by insertion, not by distance
	bytes    int  // of documents held
	maxBytes int
}

// maxQueryBytes bounds the documents that one query holds.
const maxQueryBytes = 512 << 20

const errQueryMemory replyError = "OOM query exceeds the memory budget"

// nearest answers a vector clause: the K nearest, of which LIMIT takes a page.
func (s *searchRun) nearest() error {
	k, x := s.req.query.KNN, s.req.index
	f := x.def.Fields[x.byAlias[k.Field]]
	o := x.fields[x.byAlias[k.Field]]
	query, _ := f.Vector.FromBlob(k.Vector) // its size was checked with the clause
	// Keys that have expired and are still indexed take places from others: then more are asked for.
	for want := k.K; ; {
		found, err := x.Search(s.ctx, engine.SearchRequest{
			Vector: k.Field, Query: query, Filter: s.expr, K: want, Ef: cmp.Or(k.EfRuntime, o.EfRuntime),
			Exact: f.Vector.Flat || k.AdHoc, Fetch: s.fetch,
		})
		if err != nil {
			return err
		}
		s.res.stats.Add(found.Stats)
		if err := s.take(found.Hits, f.Vector.Distance, k.K); err != nil {
			return err
		}
		if len(s.res.rows) >= k.K || len(found.Hits) < want {
			break
		}
		want += 2 * (len(found.Hits) - len(s.res.rows))
	}
	s.res.total = len(s.res.rows)
	if s.inserted && s.req.sortBy == "" {
		slices.SortFunc(s.res.rows, func(a, b ftRow) int { return cmp.Compare(a.id, b.id) })
	}
	s.page()
	return nil
}

// take makes rows of the first k hits whose keys have not expired.
func (s *searchRun) take(hits []engine.Hit, d engine.Distance, k int) error {
	s.res.rows, s.bytes = s.res.rows[:0], 0
	for i := 0; i < len(hits) && len(s.res.rows) < k; i++ {
		row, ok, err := s.row(&hits[i])
		if err != nil {
			return err
		}
		if ok {
			row.distance = shownDistance(d, hits[i].Distance)
			s.sortValue(&row)
			s.res.rows = append(s.res.rows, row)
		}
	}
	return nil
}

// shownDistance is the distance FT clients see.
func shownDistance(d engine.Distance, v float32) float64 {
	if d == engine.Euclid {
		return float64(v)
	}
	return float64(1 + v)
}

// matches answers a query without a vector clause in insertion order, or sorted.
func (s *searchRun) matches() error {
	wanted := s.req.offset + s.req.num
	stopped := false
	dropped := 0
	err := s.req.index.Each(s.ctx, engine.ScrollRequest{Filter: s.expr, Fetch: s.fetch, Stats: &s.res.stats}, func(h *engine.Hit) error {
		if s.req.sortBy == "" && len(s.res.rows) >= wanted {
			stopped = true
			return engine.ErrStop
		}
		row, ok, err := s.row(h)
		if err != nil || !ok {
			dropped++
			return err
		}
		s.sortValue(&row)
		s.res.rows = append(s.res.rows, row)
		if s.req.sortBy != "" {
			s.res.total++
			s.trim(wanted)
		}
		return nil
	})
	if err != nil {
		return err
	}
	switch {
	case stopped:
		var count engine.SearchStats
		if s.res.total, err = s.req.index.Count(s.ctx, s.expr, &count); err != nil {
			return err
		}
		count.Add(s.res.stats) // the plan is that of what is returned
		s.res.stats = count
		s.res.total = max(s.res.total-dropped, len(s.res.rows))
	case s.req.sortBy == "":
		s.res.total = len(s.res.rows)
	}
	s.page()
	return nil
}

// trimRows is the number of rows beyond the wanted ones that are kept before the worst are dropped.
const trimRows = 4096

// trim bounds the rows kept while sorting.
func (s *searchRun) trim(wanted int) {
	if len(s.res.rows)-trimRows >= wanted {
		s.sort()
		for i := wanted; i < len(s.res.rows); i++ {
			s.bytes -= s.res.rows[i].bytes()
		}
		clear(s.res.rows[wanted:])
		s.res.rows = s.res.rows[:wanted]
	}
}

// page sorts if asked to, and cuts the page out.
func (s *searchRun) page() {
	if s.req.sortBy != "" {
		s.sort()
	}
	rows := s.res.rows
	from := min(s.req.offset, len(rows))
	s.res.rows = rows[from : from+min(s.req.num, len(rows)-from)]
}

// sort orders by the sort value, missing ones last in both directions, equal ones as they came.
func (s *searchRun) sort() {
	desc := s.req.sortDesc
	slices.SortStableFunc(s.res.rows, func(a, b ftRow) int {
		if a.missing || b.missing {
			return boolInt(a.missing) - boolInt(b.missing)
		}
		n := cmp.Or(cmp.Compare(a.number, b.number), bytes.Compare(a.text, b.text))
		if desc {
			return -n
		}
		return n
	})
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// row makes a result of a hit, unless its key has expired.
func (s *searchRun) row(h *engine.Hit) (ftRow, bool, error) {
	d := h.Document
	if h.Gone || d.Kind != 0 && d.Kind != engine.KindHash || d.Expire != 0 && d.Expire <= s.now {
		return ftRow{}, false, nil
	}
	row := ftRow{key: h.Key, id: h.ID.Num()}
	for name, value := range engine.HashFields(d.Body) {
		row.fields = append(row.fields, hashField{name, value})
	}
	if s.bytes += row.bytes(); s.bytes > s.maxBytes {
		return ftRow{}, false, errQueryMemory
	}
	return row, true, nil
}

// bytes is about what the row holds.
func (r *ftRow) bytes() int {
	n := 128 + len(r.key)
	for _, f := range r.fields {
		n += 48 + len(f.name) + len(f.value)
	}
	return n
}

// field returns the stored value of a field, given by alias or source.
func (r *ftRow) field(x *ftIndex, name string) ([]byte, bool) {
	if i, ok := x.byAlias[name]; ok {
		name = x.def.Fields[i].Source
	}
	for _, f := range r.fields {
		if string(f.name) == name {
			return f.value, true
		}
	}
	return nil, false
}

func (s *searchRun) sortValue(row *ftRow) {
	name, x := s.req.sortBy, s.req.index
	switch {
	case name == "":
		return
	case s.req.sortsByDistance():
		row.number = row.distance
		return
	}
	value, ok := row.field(x, name)
	if !ok {
		row.missing = true
		return
	}
	if i, ok := x.find(name); ok && x.def.Fields[i].Type == engine.FieldNumeric {
		n, ok := engine.ParseNumeric(value)
		row.number, row.missing = n, !ok
		return
	}
	row.text = value
}

func (r *searchRequest) sortsByDistance() bool {
	return r.query.KNN != nil && r.sortBy == r.query.KNN.As
}

// sortsByNumber says whether sort values are numbers.
func (r *searchRequest) sortsByNumber() bool {
	if r.sortsByDistance() {
		return true
	}
	i, ok := r.index.find(r.sortBy)
	return ok && r.index.def.Fields[i].Type == engine.FieldNumeric
}
