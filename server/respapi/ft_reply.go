package respapi

import (
	"math"
	"strconv"

	"github.com/isobath/isobath/server/resp"
)

// write sends the reply in the shape of the protocol version.
func (r *searchRequest) write(w *resp.Writer, res *ftResult) {
	if w.Protocol() >= 3 {
		r.write3(w, res)
		return
	}
	n := 1
	for _, on := range []bool{r.scores, r.payloads, r.sortKeys, !r.noContent} {
		n += boolInt(on)
	}
	w.Array(1 + n*len(res.rows))
	w.Int(int64(res.total))
	for i := range res.rows {
		row := &res.rows[i]
		w.Bulk(row.key)
		r.writeExtras(w, row, false)
		if !r.noContent {
			fields := r.shown(row)
			w.Array(2 * len(fields))
			writeFields(w, fields)
		}
	}
}

func (r *searchRequest) write3(w *resp.Writer, res *ftResult) {
	w.Map(5)
	w.BulkString("attributes")
	w.Array(0)
	w.BulkString("format")
	w.BulkString("STRING")
	w.BulkString("results")
	w.Array(len(res.rows))
	n := 2
	for _, on := range []bool{r.scores, r.payloads, r.sortKeys, !r.noContent} {
		n += boolInt(on)
	}
	for i := range res.rows {
		row := &res.rows[i]
		w.Map(n)
		w.BulkString("id")
		w.Bulk(row.key)
		r.writeExtras(w, row, true)
		if !r.noContent {
			fields := r.shown(row)
			w.BulkString("extra_attributes")
			w.Map(len(fields))
			writeFields(w, fields)
		}
		w.BulkString("values")
		w.Array(0)
	}
	w.BulkString("total_results")
	w.Int(int64(res.total))
	w.BulkString("warning")
	if res.warning == "" {
		w.Array(0)
		return
	}
	w.Array(1)
	w.BulkString(res.warning)
}

// writeExtras writes score, payload and sort key where they were asked for, with their names in version 3.
func (r *searchRequest) writeExtras(w *resp.Writer, row *ftRow, named bool) {
	name := func(s string) {
		if named {
			w.BulkString(s)
		}
	}
	if r.scores {
		name("score")
		w.Double(float64(boolInt(r.all)))
	}
	if r.payloads {
		name("payload")
		w.Null()
	}
	if !r.sortKeys {
		return
	}
	name("sortkey")
	switch {
	case r.sortBy == "" || row.missing:
		w.Null()
	case r.sortsByDistance():
		w.Bulk(append([]byte("#"), distanceText(row.distance)...))
	case r.sortsByNumber():
		w.Bulk(resp.AppendDouble([]byte("#"), row.number))
	default:
		w.Bulk(append([]byte("$"), row.text...))
	}
}

// shown returns the fields of a result: those RETURN names, or the distance and all that is stored.
func (r *searchRequest) shown(row *ftRow) []hashField {
	k := r.query.KNN
	if !r.hasReturn {
		if k == nil {
			return row.fields
		}
		return append([]hashField{{[]byte(k.As), distanceText(row.distance)}}, row.fields...)
	}
	out := make([]hashField, 0, len(r.returns))
	for _, f := range r.returns {
		if k != nil && f.name == k.As {
			out = append(out, hashField{[]byte(f.as), distanceText(row.distance)})
		} else if v, ok := row.field(r.index, f.name); ok {
			out = append(out, hashField{[]byte(f.as), v})
		}
	}
	return out
}

func writeFields(w *resp.Writer, fields []hashField) {
	for _, f := range fields {
		w.Bulk(f.name)
		w.Bulk(f.value)
	}
}

// distanceText writes a distance with 12 significant digits.
func distanceText(v float64) []byte {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return resp.AppendDouble(nil, v)
	}
	if v == 0 {
		v = 0 // no minus sign
	}
	return strconv.AppendFloat(nil, v, 'g', 12, 64)
}
