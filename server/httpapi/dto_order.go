package httpapi

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/server/service"
)

// orderBody is an order: a key, or an object with key, direction and start.
type orderBody struct{ order filter.Order }

func (o *orderBody) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case '"':
		return json.UnmarshalDecode(dec, &o.order.Field)
	case '{':
	default:
		return mismatch(dec, "", "a key or a map")
	}
	err := readObject(dec, func(name string) error {
		switch name {
		case "key":
			return json.UnmarshalDecode(dec, &o.order.Field)
		case "direction":
			return readEnum(dec, &o.order.Descending, map[string]bool{"asc": false, "desc": true})
		case "start_from":
			return o.start(dec)
		}
		return dec.SkipValue()
	})
	if err == nil && o.order.Field == "" {
		return errors.New("missing field `key`")
	}
	return err
}

// start reads a number or a date.
func (o *orderBody) start(dec *jsontext.Decoder) error {
	kind := dec.PeekKind()
	if kind != '0' && kind != '"' && kind != 'n' {
		return mismatch(dec, "", "a number or a date")
	}
	token, err := dec.ReadToken()
	if err != nil || kind == 'n' {
		return err
	}
	text := token.String()
	var v filter.Value
	if kind == '"' {
		t, ok := filter.ParseTime(text)
		if !ok {
			return fmt.Errorf("'%s' is not in a supported date/time format", clip(text))
		}
		v = filter.IntValue(t)
	} else if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		v = filter.IntValue(i)
	} else {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(f, 0) {
			return fmt.Errorf("number %s is out of range", clip(text))
		}
		v = filter.FloatValue(f)
	}
	o.order.Start = &v
	return nil
}

// kept brings the key of an order, if there is one, into its usual spelling, and fails where no
// index of c keeps the order, or not yet.
func kept(c *service.Collection, o *filter.Order) error {
	if o == nil {
		return nil
	}
	name, err := fieldName(o.Field)
	if err != nil {
		return err
	}
	o.Field = name
	def, ok := c.Field(name)
	switch {
	case def.Building:
	case ok && def.Kind == filter.Integer && !rangeOf(c.FieldParams(name)):
	case ok && (def.Kind == filter.Integer || def.Kind == filter.Float || def.Kind == filter.Datetime):
		return nil
	}
	return badRequest("No range index for `order_by` key: `%s`. Please create one to use `order_by`.", name)
}

// rangeOf says whether the parameters of an integer index leave ranges on.
func rangeOf(params []byte) bool {
	var p indexParams
	return params == nil || json.Unmarshal(params, &p, bodyOptions) != nil || p.Range == nil || *p.Range
}

// orderedRecord is a point as a scroll in an order shows it.
type orderedRecord struct {
	shape shape
	hit   *engine.OrderedHit
}

func (r orderedRecord) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = appendPointID(dst, r.hit.ID)
	dst = r.shape.point(dst, &r.hit.Hit)
	dst = appendOrderValue(dst, r.hit.Value)
	return append(dst, '}')
}

func orderedRecords(s shape, hits []engine.OrderedHit) list[orderedRecord] {
	records := make(list[orderedRecord], len(hits))
	for i := range hits {
		records[i] = orderedRecord{s, &hits[i]}
	}
	return records
}

// appendOrderValue appends the member that tells a point's place. An FT index has infinite values,
// JSON has not.
func appendOrderValue(dst []byte, v filter.Value) []byte {
	dst = append(dst, `,"order_value":`...)
	if v.Kind() == filter.IntKind {
		return strconv.AppendInt(dst, v.Int(), 10)
	}
	return appendFloat64(dst, min(max(v.Float(), -math.MaxFloat64), math.MaxFloat64))
}
