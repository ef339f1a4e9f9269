package httpapi

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/server/service"
)

// appender is a result that writes itself as JSON.
type appender interface{ appendJSON(dst []byte) []byte }

// shape says how points of a collection are shown.
type shape struct {
	fetch   engine.Fetch
	unnamed bool // the collection's only vector has no name
}

func shapeOf(c *service.Collection, f engine.Fetch) shape {
	vectors := c.Schema().Vectors
	_, unnamed := vectors[""]
	return shape{f, unnamed && len(vectors) == 1}
}

// point appends what was asked for of a point, each part with a comma before it.
func (s shape) point(dst []byte, h *engine.Hit) []byte {
	if s.fetch.Payload {
		dst = append(dst, `,"payload":`...)
		if h.Payload == nil {
			dst = append(dst, "{}"...)
		} else {
			dst = append(dst, h.Payload...)
		}
	}
	if !s.fetch.Vectors {
		return dst
	}
	dst = append(dst, `,"vector":`...)
	if v, ok := h.Vectors[""]; ok && s.unnamed {
		return appendFloats(dst, v)
	}
	names := make([]string, 0, len(h.Vectors))
	for name := range h.Vectors {
		names = append(names, name)
	}
	slices.Sort(names)
	dst = append(dst, '{')
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst, _ = jsontext.AppendQuote(dst, name)
		dst = append(dst, ':')
		dst = appendFloats(dst, h.Vectors[name])
	}
	return append(dst, '}')
}

// record is a point as the reads show it.
type record struct {
	shape shape
	hit   engine.Hit
}

func (r record) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = appendPointID(dst, r.hit.ID)
	dst = r.shape.point(dst, &r.hit)
	return append(dst, '}')
}

type recordList struct {
	shape shape
	hits  []engine.Hit
}

func (l recordList) appendJSON(dst []byte) []byte {
	dst = append(dst, '[')
	for i, h := range l.hits {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = record{l.shape, h}.appendJSON(dst)
	}
	return append(dst, ']')
}

// page is the result of a scroll.
type page struct {
	list appender
	next *engine.PointID
}

func (p page) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"points":`...)
	dst = p.list.appendJSON(dst)
	dst = append(dst, `,"next_page_offset":`...)
	if p.next == nil {
		dst = append(dst, "null"...)
	} else {
		dst = appendPointID(dst, *p.next)
	}
	return append(dst, '}')
}

// scoredList is the result of a legacy search.
type scoredList struct {
	shape shape
	hits  []service.Scored
}

func (l scoredList) appendJSON(dst []byte) []byte {
	dst = append(dst, '[')
	for i := range l.hits {
		h := &l.hits[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"id":`...)
		dst = appendPointID(dst, h.ID)
		dst = append(dst, `,"version":`...)
		dst = strconv.AppendUint(dst, h.Version, 10)
		dst = append(dst, `,"score":`...)
		dst = appendFloat32(dst, h.Score)
		dst = l.shape.point(dst, &h.Hit)
		if h.Value != nil {
			dst = appendOrderValue(dst, *h.Value)
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// points is the result of a query.
type points struct{ list scoredList }

func (p points) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"points":`...)
	dst = p.list.appendJSON(dst)
	return append(dst, '}')
}

// list is a list of results.
type list[T appender] []T

func (l list[T]) appendJSON(dst []byte) []byte {
	dst = append(dst, '[')
	for i, item := range l {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = item.appendJSON(dst)
	}
	return append(dst, ']')
}

// updateResult is the result of a write.
type updateResult struct {
	operation uint64
	status    string
}

func (u updateResult) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"operation_id":`...)
	dst = strconv.AppendUint(dst, u.operation, 10)
	dst = append(dst, `,"status":"`...)
	dst = append(dst, u.status...)
	return append(dst, `"}`...)
}

// cleanPath says whether no router would rewrite the path: no empty and no dot segments.
func cleanPath(escaped string) bool {
	if escaped == "/" {
		return true
	}
	if !strings.HasPrefix(escaped, "/") {
		return false
	}
	for part := range strings.SplitSeq(escaped[1:], "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return true
}
