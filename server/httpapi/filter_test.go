package httpapi

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/server/service"
)

// The points of the filter tests; ids are what the filters must find.
const filterPoints = `{"points":[
	{"id":1,"vector":{"a":[1]},"payload":{"s":"red","i":5,"f":1.5,"b":true,"t":"2024-01-02T03:04:05Z","g":{"lon":13.4,"lat":52.5},"l":["x","y"],"u":"550e8400-e29b-41d4-a716-446655440000"}},
	{"id":2,"vector":{"a":[1],"b":[2]},"payload":{"s":["red","green"],"i":-7,"f":2,"b":false,"t":"2024-02-01","g":{"lon":-0.1,"lat":51.5},"l":[]}},
	{"id":3,"vector":{},"payload":{"s":"Green leaf","i":5.0,"f":-1e3,"l":null,"odd key":1,"n":[{"a":1,"b":2},{"a":2,"b":1}]}},
	{"id":4,"vector":{"b":[1]},"payload":{"s":null,"i":9007199254740993,"l":[null],"n":[{"a":1,"b":1}],"d":{"e":{"f":"deep"}}}},
	{"id":"550e8400-e29b-41d4-a716-446655440000","vector":{"a":[0]}}]}`

const uuidPoint = "550e8400-e29b-41d4-a716-446655440000"

func TestFilters(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	for _, c := range []string{"plain", "indexed"} {
		f.ok("PUT /collections/"+c, `{"vectors":{"a":{"size":1,"distance":"Dot"},"b":{"size":1,"distance":"Euclid"}}}`)
		f.ok("PUT /collections/"+c+"/points?wait=true", filterPoints)
	}
	for field, kind := range map[string]string{"s": "keyword", "i": "integer", "f": "float", "b": "bool", "t": "datetime", "u": "uuid", "g": "geo", "l": "keyword"} {
		f.ok("PUT /collections/indexed/index?wait=true", fmt.Sprintf(`{"field_name":%q,"field_schema":%q}`, field, kind))
	}
	for _, x := range []struct{ filter, want string }{
		{`{}`, "1 2 3 4 u"},
		{`{"must":[],"should":[],"must_not":null}`, "1 2 3 4 u"},
		{`{"must":{"key":"s","match":{"value":"red"}}}`, "1 2"},
		{`{"must":[{"key":"s","match":{"value":"red"}},{"key":"i","match":{"value":5}}]}`, "1"},
		{`{"should":[{"key":"s","match":{"value":"green"}},{"key":"i","match":{"value":9007199254740993}}]}`, "2 4"},
		{`{"must_not":[{"key":"s","match":{"value":"red"}}]}`, "3 4 u"},
		{`{"min_should":{"conditions":[{"key":"s","match":{"value":"red"}},{"key":"b","match":{"value":true}},{"key":"i","match":{"value":-7}}],"min_count":2}}`, "1 2"},
		{`{"must":[{"should":[{"has_id":[1]},{"has_id":[2]}]},{"must_not":[{"has_id":[2]}]}]}`, "1"},
		{`{"must":{"key":"s","match":{"any":["green","blue"]}}}`, "2"},
		{`{"must":{"key":"s","match":{"any":[]}}}`, ""},
		{`{"must":{"key":"i","match":{"any":[5,-7]}}}`, "1 2"},
		{`{"must":{"key":"s","match":{"except":["red"]}}}`, "2 3"},
		{`{"must":{"key":"i","match":{"except":[5]}}}`, "2 3 4"},
		{`{"must":{"key":"s","match":{"except":[]}}}`, "1 2 3"},
		{`{"must":{"key":"b","match":{"value":false}}}`, "2"},
		{`{"must":{"key":"s","match":{"text":"leaf"}}}`, "3"},
		{`{"must":{"key":"s","match":{"text_any":"leaf red"}}}`, "1 2 3"},
		{`{"must":{"key":"s","match":{"phrase":"Green leaf"}}}`, "3"},
		{`{"must":{"key":"s","match":{"prefix":"gre"}}}`, "2"},
		{`{"must":{"key":"i","range":{"gte":5}}}`, "1 3 4"},
		{`{"must":{"key":"f","range":{"gt":-1000,"lte":1.5}}}`, "1"},
		{`{"must":{"key":"t","range":{"gte":"2024-01-02T03:04:05Z","lt":"2024-02-01 00:00"}}}`, "1"},
		{`{"must":{"key":"t","range":{"gt":"2024-01-15"}}}`, "2"},
		{`{"must":{"key":"t","range":{"gt":5}}}`, ""},
		{`{"must":{"key":"g","geo_radius":{"center":{"lon":13.4,"lat":52.52},"radius":5000}}}`, "1"},
		{`{"must":{"key":"g","geo_bounding_box":{"top_left":{"lon":-1,"lat":52},"bottom_right":{"lon":1,"lat":51}}}}`, "2"},
		{`{"must":{"key":"g","geo_polygon":{"exterior":{"points":[{"lon":13,"lat":52},{"lon":14,"lat":52},{"lon":14,"lat":53},{"lon":13,"lat":53},{"lon":13,"lat":52}]}}}}`, "1"},
		{`{"must":{"key":"l","values_count":{"gte":1}}}`, "1 4"},
		{`{"must":{"key":"l","values_count":{"lt":1}}}`, "2 3 u"},
		{`{"must":{"is_empty":{"key":"l"}}}`, "2 3 u"},
		{`{"must":{"key":"l","is_empty":false}}`, "1 4"},
		{`{"must":{"is_null":{"key":"l"}}}`, "3 4"},
		{`{"must":{"key":"l","is_null":false}}`, "1 2 u"},
		{`{"must":{"has_id":[1,"` + uuidPoint + `",77]}}`, "1 u"},
		{`{"must":{"has_id":[]}}`, ""},
		{`{"must":{"has_vector":"b"}}`, "2 4"},
		{`{"must":{"has_vector":"none"}}`, ""},
		{`{"must":{"nested":{"key":"n","filter":{"must":[{"key":"a","match":{"value":1}},{"key":"b","match":{"value":1}}]}}}}`, "4"},
		{`{"must":{"key":"n[].a","match":{"value":2}}}`, "3"},
		{`{"must":{"key":"d.e.f","match":{"value":"deep"}}}`, "4"},
		{`{"must":{"key":"\"odd key\"","match":{"value":1}}}`, "3"},
		{`{"must":{"key":"s","match":{"value":"red"},"is_empty":true}}`, "1 2 4 u"},
		{`{"must":[{}]}`, "1 2 3 4 u"},
	} {
		for _, c := range []string{"plain", "indexed"} {
			got := f.ok("POST /collections/"+c+"/points/scroll", `{"with_payload":false,"filter":`+x.filter+`}`)
			require.Equal(t, x.want, idsOf(got), "%s %s", c, x.filter)
		}
	}
	// Two slices partition the points.
	a := idsOf(f.ok("POST /collections/plain/points/scroll", `{"with_payload":false,"filter":{"must":{"slice":{"total":2,"index":0}}}}`))
	b := idsOf(f.ok("POST /collections/plain/points/scroll", `{"with_payload":false,"filter":{"must":{"slice":{"total":2,"index":1}}}}`))
	require.Len(t, strings.Fields(a+" "+b), 5)
	require.Equal(t, "1", idsOf(f.ok("POST /collections/plain/points/query", `{"query":[1],"using":"a","filter":{"must":{"key":"b","match":{"value":true}}}}`)))
}

// idsOf returns the ids of a result, "u" for the UUID.
func idsOf(result string) string {
	var ids []string
	for _, part := range strings.Split(result, `{"id":`)[1:] {
		id := part[:strings.IndexAny(part, ",}")]
		if id == `"`+uuidPoint+`"` {
			id = "u"
		}
		ids = append(ids, id)
	}
	return strings.Join(ids, " ")
}

func TestBadFilters(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.small("c", "Dot")
	deep := strings.Repeat(`{"must":[`, 1100) + `{"has_id":[1]}` + strings.Repeat(`]}`, 1100)
	many := `{"should":[` + strings.Repeat(`{"has_id":[1]},`, 10_000) + `{"has_id":[1]}]}`
	for _, x := range []struct {
		filter string
		status int
		want   string
	}{
		{`{"mus":[]}`, 400, "Format error in JSON body: "},
		{`[]`, 400, "Format error in JSON body: "},
		{`{"must":[{"odd":1}]}`, 400, "Expected some form of condition, "},
		{`{"must":[{"match":{"value":1}}]}`, 400, "Expected some form of condition, "},
		{`{"must":[{"key":"a"}]}`, 422, "At least one field condition must be specified"},
		{`{"must":[{"key":"a","odd":1}]}`, 422, "At least one field condition must be specified"},
		{`{"must":[{"key":"a"},{"key":"b"}]}`, 422, "specified; filter.must[1]: "},
		{`{"must":[{"key":"a","match":{}}]}`, 400, "Format error in JSON body: "},
		{`{"must":[{"key":"a","match":{"value":1.5}}]}`, 400, "Format error in JSON body: "},
		{`{"must":[{"key":"a","match":{"any":["x",1]}}]}`, 400, "Format error in JSON body: "},
		{`{"must":[{"key":"a","match":{"any":"x"}}]}`, 400, "Format error in JSON body: "},
		{`{"must":[{"key":"a","range":{"gt":"yesterday"}}]}`, 400, "does not match accepted datetime format (RFC3339)"},
		{`{"must":[{"key":"a","range":{"gt":"2024-01-01","lt":5}}]}`, 400, "Format error in JSON body: "},
		{`{"must":[{"key":"a","range":{"gt":true}}]}`, 400, "Format error in JSON body: "},
		{`{"must":[{"key":"a..b","match":{"value":1}}]}`, 400, "Invalid json path"},
		{`{"must":[{"key":"","match":{"value":1}}]}`, 400, "Invalid json path"},
		{`{"min_should":{"conditions":[{"has_id":[1]}],"min_count":0}}`, 422, "min_count: value 0 invalid, must be 1 or larger"},
		{`{"min_should":{"conditions":[]}}`, 400, "min_count"},
		{`{"must":{"slice":{"total":2,"index":2}}}`, 422, "slice.index"},
		{`{"must":{"slice":{"total":0,"index":0}}}`, 400, "Format error in JSON body: "},
		{`{"must":{"has_id":[1.5]}}`, 400, "is not a valid point ID"},
		{`{"must":{"key":"g","geo_radius":{"center":{"lon":181,"lat":0},"radius":1}}}`, 400, "GeoPoint"},
		{`{"must":{"key":"g","geo_radius":{"center":{"lon":1,"lat":0},"radius":-1}}}`, 400, "Wrong input: "},
		{`{"must":{"key":"g","geo_polygon":{"exterior":{"points":[{"lon":1,"lat":1},{"lon":2,"lat":2},{"lon":1,"lat":1}]}}}}`, 400, "at least 4"},
		{`{"must":{"key":"g","geo_polygon":{"exterior":{"points":[{"lon":1,"lat":1},{"lon":2,"lat":2},{"lon":1,"lat":2},{"lon":3,"lat":3}]}}}}`, 400, "first and the last"},
		{`{"must":{"key":"a","values_count":{"gt":-1}}}`, 400, "Format error in JSON body: "},
		{deep, 400, "levels of conditions"},
		{many, 400, "more than 10000 conditions"},
		{strings.Repeat(`{"must":`, 9900) + `{"has_id":[1]}` + strings.Repeat(`}`, 9900), 400, "levels of conditions"},
		{strings.Repeat(`{"must":{"nested":{"key":"a","filter":`, 3000) + `{}` + strings.Repeat(`}}}`, 3000), 400, "levels of conditions"},
	} {
		f.fails(x.status, x.want, "POST /collections/c/points/count", `{"filter":`+x.filter+`}`)
		f.fails(x.status, x.want, "POST /collections/c/points/delete", `{"filter":`+x.filter+`}`)
	}
	require.JSONEq(t, `{"count":6}`, f.ok("POST /collections/c/points/count", `{}`))
}
