package httpapi

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// filterBody is a filter; its clauses are nil when absent or null.
type filterBody struct {
	must, should, mustNot []conditionBody
	minShould             *minShouldBody
}

// UnmarshalJSONFrom refuses unknown keys: a misspelt clause must not match everything.
func (f *filterBody) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return readObject(dec, func(name string) error {
		known, err := f.clause(dec, name)
		if err == nil && !known {
			err = fmt.Errorf("unknown field `%s`, expected one of `should`, `min_should`, `must`, `must_not`", clip(name))
		}
		return err
	})
}

// clause reads the value of a clause, or says that name is none.
func (f *filterBody) clause(dec *jsontext.Decoder, name string) (known bool, err error) {
	switch name {
	case "must":
		return true, readConditions(dec, &f.must)
	case "should":
		return true, readConditions(dec, &f.should)
	case "must_not":
		return true, readConditions(dec, &f.mustNot)
	case "min_should":
		return true, json.UnmarshalDecode(dec, &f.minShould)
	}
	return false, nil
}

// readConditions reads one condition or a list of them.
func readConditions(dec *jsontext.Decoder, list *[]conditionBody) error {
	one := func() error {
		*list = append(*list, conditionBody{})
		return (&(*list)[len(*list)-1]).UnmarshalJSONFrom(dec)
	}
	switch dec.PeekKind() {
	case 'n':
		return dec.SkipValue()
	case '{':
		return one()
	}
	return readArray(dec, one)
}

type minShouldBody struct {
	conditions []conditionBody
	minCount   *uint64
}

func (m *minShouldBody) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	err := readObject(dec, func(name string) error {
		switch name {
		case "conditions":
			return readConditions(dec, &m.conditions)
		case "min_count":
			return json.UnmarshalDecode(dec, &m.minCount)
		}
		return fmt.Errorf("unknown field `%s`, expected `conditions` or `min_count`", clip(name))
	})
	if err == nil && m.minCount == nil {
		err = fmt.Errorf("missing field `min_count`")
	}
	return err
}

// conditionBody is one condition of any kind; which one shows in the fields that are set.
type conditionBody struct {
	key         *string
	match       *matchBody
	rng         *rangeBody
	radius      *radiusBody
	box         *boxBody
	polygon     *polygonBody
	valuesCount *countRangeBody
	empty, null *bool // of a field condition

	isEmpty, isNull *keyBody
	hasID           idList
	hasVector       *string
	slice           *sliceBody
	nested          *nestedBody

	filter  filterBody
	clauses int    // of filter that were given
	unknown string // a key that is none of these
}

type keyBody struct {
	Key *string `json:"key"`
}

func (c *conditionBody) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return readObject(dec, func(name string) error {
		if known, err := c.filter.clause(dec, name); known {
			c.clauses++
			return err
		}
		return c.member(dec, name)
	})
}

func (c *conditionBody) member(dec *jsontext.Decoder, name string) error {
	switch name {
	case "key":
		return json.UnmarshalDecode(dec, &c.key)
	case "match":
		return json.UnmarshalDecode(dec, &c.match)
	case "range":
		return json.UnmarshalDecode(dec, &c.rng)
	case "geo_radius":
		return json.UnmarshalDecode(dec, &c.radius)
	case "geo_bounding_box":
		return json.UnmarshalDecode(dec, &c.box)
	case "geo_polygon":
		return json.UnmarshalDecode(dec, &c.polygon)
	case "values_count":
		return json.UnmarshalDecode(dec, &c.valuesCount)
	case "is_empty":
		return readBoolOrKey(dec, &c.empty, &c.isEmpty)
	case "is_null":
		return readBoolOrKey(dec, &c.null, &c.isNull)
	case "has_id":
		return json.UnmarshalDecode(dec, &c.hasID)
	case "has_vector":
		return json.UnmarshalDecode(dec, &c.hasVector)
	case "slice":
		return json.UnmarshalDecode(dec, &c.slice)
	case "nested":
		return json.UnmarshalDecode(dec, &c.nested)
	}
	c.unknown = name
	return dec.SkipValue()
}

// readBoolOrKey reads true or false beside a key, or {"key": …} as a condition of its own.
func readBoolOrKey(dec *jsontext.Decoder, b **bool, k **keyBody) error {
	if dec.PeekKind() != '{' {
		return json.UnmarshalDecode(dec, b)
	}
	if err := json.UnmarshalDecode(dec, k); err != nil {
		return err
	}
	if (*k).Key == nil {
		return fmt.Errorf("missing field `key`")
	}
	return nil
}

type sliceBody struct {
	Total *uint64 `json:"total"`
	Index *uint64 `json:"index"`
}

type nestedBody struct {
	Key    *string     `json:"key"`
	Filter *filterBody `json:"filter"`
}

// matchBody holds exactly the variants that were given.
type matchBody struct {
	Value, Any, Except                    jsontext.Value
	Text, TextAny, Phrase, Prefix         *string
	hasValue, hasAny, hasExcept, hasWords bool
}

func (m *matchBody) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	err := readObject(dec, func(name string) error {
		switch name {
		case "value":
			m.hasValue = true
			return json.UnmarshalDecode(dec, &m.Value)
		case "any":
			m.hasAny = true
			return json.UnmarshalDecode(dec, &m.Any)
		case "except":
			m.hasExcept = true
			return json.UnmarshalDecode(dec, &m.Except)
		case "text":
			return json.UnmarshalDecode(dec, &m.Text)
		case "text_any":
			return json.UnmarshalDecode(dec, &m.TextAny)
		case "phrase":
			return json.UnmarshalDecode(dec, &m.Phrase)
		case "prefix":
			return json.UnmarshalDecode(dec, &m.Prefix)
		}
		return dec.SkipValue()
	})
	m.hasWords = m.Text != nil || m.TextAny != nil || m.Phrase != nil || m.Prefix != nil
	if err == nil && !m.hasValue && !m.hasAny && !m.hasExcept && !m.hasWords {
		err = fmt.Errorf("data did not match any variant of untagged enum Match")
	}
	return err
}

// rangeBody holds the bounds as they were sent: numbers or dates.
type rangeBody struct {
	Lt  jsontext.Value `json:"lt"`
	Gt  jsontext.Value `json:"gt"`
	Gte jsontext.Value `json:"gte"`
	Lte jsontext.Value `json:"lte"`
}

type countRangeBody struct {
	Lt  *uint64 `json:"lt"`
	Gt  *uint64 `json:"gt"`
	Gte *uint64 `json:"gte"`
	Lte *uint64 `json:"lte"`
}

type placeBody struct {
	Lon *float64 `json:"lon"`
	Lat *float64 `json:"lat"`
}

type radiusBody struct {
	Center *placeBody `json:"center"`
	Radius *float64   `json:"radius"`
}

type boxBody struct {
	TopLeft     *placeBody `json:"top_left"`
	BottomRight *placeBody `json:"bottom_right"`
}

type polygonBody struct {
	Exterior  *ringBody  `json:"exterior"`
	Interiors []ringBody `json:"interiors"`
}

type ringBody struct {
	Points []placeBody `json:"points"`
}
