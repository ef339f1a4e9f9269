package mmapvec

import "github.com/isobath/isobath/mmapvec/distance"

// Query compares a vector with rows of one datatype. It is reused by Reset, and not safe for concurrent use.
type Query struct {
	metric   distance.Metric
	datatype Datatype
	floats   []float32
	bytes    []uint8 // floats, for rows of Uint8
}

// Reset makes v, which holds values of the datatype, the vector that is compared. v is borrowed.
func (q *Query) Reset(m distance.Metric, d Datatype, v []float32) {
	q.metric, q.datatype, q.floats = m, d, v
	if d == Uint8 {
		if cap(q.bytes) < len(v) {
			q.bytes = make([]uint8, len(v))
		}
		q.bytes = q.bytes[:len(v)]
		distance.ToU8(q.bytes, v)
	}
}

// Release forgets the vector.
func (q *Query) Release() { q.floats = nil }

// Span writes to out[i] the distance to the row of the slot span.First + at[i].
func (q *Query) Span(span Span, at []uint32, out []float32) {
	switch q.datatype {
	case Float32:
		distance.RowsF32(q.metric, q.floats, span.Base, span.Stride, at, out)
	case Float16:
		distance.RowsF16(q.metric, q.floats, span.Base, span.Stride, at, out)
	case Uint8:
		distance.RowsU8(q.metric, q.bytes, span.Base, span.Stride, at, out)
	}
}

// Stored returns the distance to a row as View.Peek returns it.
func (q *Query) Stored(row []byte) float32 {
	switch q.datatype {
	case Float16:
		return q.metric.DistanceF16(q.floats, halves(row, len(q.floats)))
	case Uint8:
		return q.metric.DistanceU8(q.bytes, row)
	}
	return q.metric.Distance(q.floats, asFloats(row, len(q.floats)))
}

// exactBytes is how many values of Uint8 a float32 sum is exact for: 256·255² is below 2^24.
const exactBytes = 256

// Row returns the distance to a row as View.Row and View.Fetch return it.
func (q *Query) Row(row []float32) float32 {
	if q.datatype != Uint8 {
		return q.metric.Distance(q.floats, row)
	}
	var sum float64
	for v := q.floats; len(v) > 0; {
		n := min(len(v), exactBytes)
		sum += float64(q.metric.Distance(v[:n], row[:n]))
		v, row = v[n:], row[n:]
	}
	return float32(sum)
}
