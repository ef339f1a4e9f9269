package filter

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/payload"
)

func ptr[T any](v T) *T { return &v }

func TestEval(t *testing.T) {
	s, i := StringValue, IntValue
	berlin := GeoPoint{Lon: 13.40, Lat: 52.52}
	square := []GeoPoint{{0, 0}, {10, 0}, {10, 10}, {0, 10}, {0, 0}}
	hole := []GeoPoint{{4, 4}, {6, 4}, {6, 6}, {4, 6}, {4, 4}}
	day := func(s string) *int64 {
		v, ok := ParseTime(s)
		require.True(t, ok)
		return &v
	}
	for _, c := range []struct {
		name string
		e    Expr
		yes  []string // documents that match
		no   []string
	}{
		{"match string", Match{"a", s("x")}, []string{`{"a":"x"}`, `{"a":["y","x"]}`}, []string{`{}`, `{"a":"X"}`, `{"a":[["x"]]}`, `{"a":{"x":"x"}}`}},
		{"match integer", Match{"a", i(5)}, []string{`{"a":5}`, `{"a":[1,5]}`}, []string{`{"a":5.0}`, `{"a":"5"}`, `{"a":true}`}},
		{"match beyond int64", Match{"a", UintValue(1<<64 - 1)}, []string{`{"a":18446744073709551615}`}, []string{`{"a":-1}`, `{"a":18446744073709551614}`}},
		{"match bool", Match{"a", BoolValue(true)}, []string{`{"a":true}`}, []string{`{"a":1}`, `{"a":"true"}`, `{"a":false}`}},
		{"any", MatchAny{"a", []Value{s("x"), i(2)}}, []string{`{"a":"x"}`, `{"a":2}`}, []string{`{"a":"2"}`, `{}`}},
		{"any of nothing", MatchAny{"a", nil}, nil, []string{`{"a":1}`, `{}`}},
		{"except", MatchExcept{"a", []Value{s("x")}}, []string{`{"a":"y"}`, `{"a":1}`, `{"a":["x","y"]}`, `{"a":{}}`, `{"a":[[]]}`}, []string{`{}`, `{"a":[]}`, `{"a":null}`, `{"a":"x"}`, `{"a":["x",null]}`}},
		{"except nothing", MatchExcept{"a", nil}, []string{`{"a":"y"}`}, []string{`{}`, `{"a":null}`}},
		{"text is a substring", MatchText{"a", "ell"}, []string{`{"a":"hello"}`}, []string{`{"a":"hEllo"}`}},
		{"any piece", MatchTextAny{"a", "foo bar"}, []string{`{"a":"a barn"}`}, []string{`{"a":"ba"}`}},
		{"prefix", Prefix{"a", "he"}, []string{`{"a":["x","hello"]}`}, []string{`{"a":"Hello"}`, `{"a":1}`}},
		{"range", Range{Field: "a", Gt: ptr(1.0), Lte: ptr(2.0)}, []string{`{"a":2}`, `{"a":1.5}`, `{"a":[0,2]}`}, []string{`{"a":1}`, `{"a":"2"}`, `{"a":2.5}`}},
		{"dates", TimeRange{Field: "a", Gte: day("2020-01-01"), Lt: day("2020-01-01T00:00:00.000001Z")}, []string{`{"a":"2020-01-01 01:00+01:00"}`, `{"a":"2019-12-31T23:00:00-0100"}`}, []string{`{"a":"2020-01-01T00:00:01Z"}`, `{"a":"soon"}`, `{"a":5}`}},
		{"radius", GeoRadius{"a", berlin, 3000}, []string{`{"a":{"lon":13.41,"lat":52.53}}`, `{"a":[{"lon":0,"lat":0},{"lon":13.4,"lat":52.52}]}`}, []string{`{"a":{"lon":13.5,"lat":52.53}}`, `{"a":{"lon":13.4}}`, `{"a":[13.4,52.52]}`}},
		{"box", GeoBox{"a", GeoPoint{-1, 1}, GeoPoint{1, -1}}, []string{`{"a":{"lon":0,"lat":0.5}}`}, []string{`{"a":{"lon":1,"lat":0}}`, `{"a":{"lon":0,"lat":2}}`}},
		{"box over the antimeridian", GeoBox{"a", GeoPoint{170, 10}, GeoPoint{-170, -10}}, []string{`{"a":{"lon":175,"lat":0}}`, `{"a":{"lon":-175,"lat":0}}`}, []string{`{"a":{"lon":0,"lat":0}}`}},
		{"polygon with a hole", GeoPolygon{"a", square, [][]GeoPoint{hole}}, []string{`{"a":{"lon":1,"lat":1}}`, `{"a":{"lon":5,"lat":3}}`}, []string{`{"a":{"lon":5,"lat":5}}`, `{"a":{"lon":4,"lat":5}}`, `{"a":{"lon":0,"lat":5}}`, `{"a":{"lon":11,"lat":5}}`}},
		{"count", ValuesCount{Field: "a", Gte: ptr[int64](1), Lt: ptr[int64](3)}, []string{`{"a":1}`, `{"a":{}}`, `{"a":[1,2]}`}, []string{`{}`, `{"a":null}`, `{"a":[]}`, `{"a":[1,2,3]}`}},
		{"count of nothing", ValuesCount{Field: "a", Lt: ptr[int64](1)}, []string{`{}`, `{"a":null}`, `{"a":[]}`}, []string{`{"a":0}`}},
		{"empty", IsEmpty{"a"}, []string{`{}`, `{"a":null}`, `{"a":[]}`}, []string{`{"a":[null]}`, `{"a":0}`, `{"a":""}`}},
		{"null", IsNull{"a"}, []string{`{"a":null}`, `{"a":[null]}`}, []string{`{}`, `{"a":[]}`, `{"a":1}`}},
		{"nested holds in one element", Nested{"a", And{[]Expr{Match{"x", i(1)}, Match{"y", i(2)}}}}, []string{`{"a":[{"x":1,"y":2}]}`}, []string{`{"a":[{"x":1},{"y":2}]}`, `{"a":{"x":1,"y":2}}`}},
		{"nested knows no id", Nested{"a[]", HasID{[]payload.PointID{payload.NumID(7)}}}, nil, []string{`{"a":[{}]}`}},
		{"path through arrays", Match{"a[].b", i(1)}, []string{`{"a":[{"b":2},{"b":1}]}`}, []string{`{"a":{"b":1}}`}},
		{"and of nothing", And{}, []string{`{}`}, nil},
		{"or of nothing", Or{}, nil, []string{`{}`}},
		{"min should", MinShould{[]Expr{Match{"a", i(1)}, Match{"b", i(1)}, Match{"c", i(1)}}, 2}, []string{`{"a":1,"c":1}`}, []string{`{"a":1}`}},
		{"id", HasID{[]payload.PointID{payload.NumID(7)}}, []string{`{}`}, nil},
		{"vector", HasVector{"v"}, []string{`{}`}, nil},
		{"other vector", HasVector{"w"}, nil, []string{`{}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.NoError(t, Check(c.e))
			for want, docs := range map[bool][]string{true: c.yes, false: c.no} {
				for _, doc := range docs {
					p := modelPoint{id: payload.NumID(7), doc: []byte(doc), vectors: map[string]bool{"v": true}}
					got, err := Eval(c.e, p)
					require.NoError(t, err)
					require.Equal(t, want, got, doc)
				}
			}
		})
	}
}

func TestSipHash(t *testing.T) {
	id, err := hex.DecodeString("550e8400e29b41d4a716446655440000")
	require.NoError(t, err)
	require.EqualValues(t, uint64(0x1e924b9d737700d7), sipHash(nil))
	require.EqualValues(t, uint64(0x3fc884964770eede), sipHash([]byte("abc")))
	require.EqualValues(t, uint64(0xf5d0ca21ba34d504), sipHash(id))
	for _, total := range []uint64{1, 2, 7} {
		require.True(t, inSlice(payload.NumID(12345), Slice{total, 0xd6b73668a5ae682a % total}))
		require.True(t, inSlice(payload.UUIDID([16]byte(id)), Slice{total, 0xf5d0ca21ba34d504 % total}))
	}
}

func TestParseTime(t *testing.T) {
	const want = 1_709_210_096_123_456 // 2024-02-29T12:34:56.123456Z
	for text, at := range map[string]int64{
		"2024-02-29T12:34:56.123456Z":      want,
		"2024-02-29T12:34:56.123456789Z":   want,
		"2024-02-29t12:34:56.123456z":      want,
		"2024-02-29 14:34:56.123456+02:00": want,
		"2024-02-29T14:34:56.123456+0200":  want,
		"2024-02-29T12:34:56.123456":       want,
		"2024-02-29 12:34":                 want - 56_123_456,
		"2024-02-29":                       want - 45_296_123_456,
		"1969-12-31T23:59:59.9999995Z":     -1,
	} {
		got, ok := ParseTime(text)
		require.True(t, ok, text)
		require.Equal(t, at, got, text)
	}
	for _, text := range []string{"", "today", "2023-02-29", "2024-02-29T", "2024-02-29T25:00:00Z", "2024-2-9", "1709210096", "2024-02-29T12:34:56,5Z"} {
		_, ok := ParseTime(text)
		require.False(t, ok, text)
	}
}

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		"Hello": "hello", "hello": "hello", "ÄÖÜ": "ÄÖÜ", "äöü": "ÄÖÜ", "\u212a": "k", "K": "k", "\xffA": "\xffa", "": "",
		"ſ": "s",
	} {
		require.Equal(t, want, Fold(in), in)
	}
}

func TestCheck(t *testing.T) {
	deep := Expr(All{})
	for range MaxDepth {
		deep = Not{Expr: deep}
	}
	wide := Or{Exprs: make([]Expr, MaxConditions)}
	for i := range wide.Exprs {
		wide.Exprs[i] = All{}
	}
	for name, e := range map[string]Expr{
		"levels": deep, "conditions": wide, "condition": And{Exprs: []Expr{nil}}, "path": IsEmpty{Field: "a..b"},
		"place": GeoRadius{Field: "a", Center: GeoPoint{Lon: 181}}, "ring": GeoPolygon{Field: "a", Exterior: []GeoPoint{{}, {}, {}}},
		"polygon": GeoPolygon{Field: "a", Exterior: []GeoPoint{{0, 0}, {1, 0}, {1, 1}, {0, 1}}}, "slice": Slice{Total: 2, Index: 2},
		"radius": GeoRadius{Field: "a", Radius: -1},
	} {
		err := Check(e)
		var bad *ExprError
		require.ErrorAs(t, err, &bad, name)
		require.True(t, name == "path" || strings.Contains(bad.Reason, name), bad.Reason)
	}
	require.NoError(t, Check(And{Exprs: []Expr{All{}, Nested{Path: "a.b[]", Expr: IsNull{Field: "c"}}}}))
}
