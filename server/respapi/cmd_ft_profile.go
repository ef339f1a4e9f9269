package respapi

import (
	"time"

	"github.com/isobath/isobath/server/resp"
)

// ftProfile runs FT.PROFILE idx SEARCH [LIMITED] QUERY query clauses.
func ftProfile(c *call) error {
	if err := c.sync(); err != nil {
		return err
	}
	a := &words{args: c.args, i: 2}
	switch {
	case a.take("search"):
	case a.take("aggregate"):
		return replyError("FT.AGGREGATE is not supported yet")
	default:
		return ftErrorf("No `SEARCH` or `AGGREGATE` provided")
	}
	a.take("limited")
	if !a.take("query") || !a.more() {
		return replyError("The QUERY keyword is expected")
	}
	began := time.Now()
	req, err := c.parseSearch(append([][]byte{c.args[1]}, c.args[a.i:]...))
	if err != nil {
		return err
	}
	parsed := time.Now()
	res, err := c.search(req)
	if err != nil {
		return ftError(err)
	}
	total := time.Since(began)
	if c.w.Protocol() >= 3 {
		c.w.Map(2)
		c.w.BulkString("Results")
		req.write(c.w, res)
		c.w.BulkString("Profile")
	} else {
		c.w.Array(2)
		req.write(c.w, res)
	}
	writeProfile(c.w, res, total, parsed.Sub(began))
	return nil
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func writeProfile(w *resp.Writer, res *ftResult, total, parse time.Duration) {
	s := &res.stats
	p := &pairs{w: resp.NewWriter()}
	p.w.SetProtocol(w.Protocol())
	p.num("Total profile time", millis(total))
	p.num("Parsing time", millis(parse))
	p.num("Filter time", millis(s.Filter))
	p.num("Index time", millis(s.Index))
	p.num("Walk time", millis(s.Walk))
	p.num("Rescore time", millis(s.Rescore))
	p.num("Fetch time", millis(s.Fetch))
	p.text("Plan", string(s.Plan))
	p.int("Fallback to scan", int64(boolInt(s.Fallback)))
	p.int("Filter matches", int64(s.Matches))
	p.int("Segments searched", int64(s.Sources))
	p.int("Candidates visited", int64(s.Visited))
	p.int("Hops", int64(s.Hops))
	p.int("Distance computations", int64(s.Distances))
	p.int("Distances of these in scans", int64(s.Scanned))
	p.int("Candidates rescored", int64(s.Rescored))
	p.int("Rows read", int64(s.RowsRead))
	p.int("Rows read from disk", int64(s.RowsCold))
	p.int("Bytes of codes read", s.Coded)
	p.int("Bytes of rows read from disk", s.BytesRead)
	p.int("Documents evaluated", int64(s.Evaluated))
	p.text("Warning", res.warning)
	w.Map(p.n)
	w.Raw(p.w.Bytes())
}
