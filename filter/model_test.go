package filter

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/isobath/isobath/internal/vfs"
	"github.com/isobath/isobath/payload"
)

func TestMain(m *testing.M) {
	blockTarget = 96 // so that small tests have many blocks and groups
	os.Exit(m.Run())
}

// modelPoint is a point as the naive model holds it.
type modelPoint struct {
	id      payload.PointID
	doc     []byte
	vectors map[string]bool
}

func (p modelPoint) ID() payload.PointID        { return p.id }
func (p modelPoint) Payload() []byte            { return p.doc }
func (p modelPoint) HasVector(name string) bool { return p.vectors[name] }

type modelPoints map[uint32]modelPoint

func (ps modelPoints) clone() modelPoints {
	out := modelPoints{}
	for slot, p := range ps {
		out[slot] = p
	}
	return out
}

func (ps modelPoints) slotOf(id payload.PointID) (uint32, bool, error) {
	for slot, p := range ps {
		if p.id == id {
			return slot, true, nil
		}
	}
	return 0, false, nil
}

// requireSame checks that Resolve with its residual and Eval agree on every live point.
func requireSame(t require.TestingT, s *State, ps modelPoints, e Expr) {
	res, err := s.Resolve(e, ps.slotOf)
	require.NoError(t, err)
	residual := &Predicate{test: func(scope) bool { return true }}
	if res.Residual != nil {
		residual, err = Compile(res.Residual)
		require.NoError(t, err)
	}
	want, err := Compile(e)
	require.NoError(t, err)
	require.Equal(t, len(ps), s.Len())
	for slot, p := range ps {
		require.True(t, s.Contains(slot))
		got := (res.Set == nil || res.Set.Contains(slot)) && residual.Eval(p)
		require.Equal(t, want.Eval(p), got, "%#v\nresidual %#v\nslot %d: %s", e, res.Residual, slot, p.doc)
	}
	if res.Set != nil {
		require.True(t, res.Set.GetCardinality() == res.Set.AndCardinality(s.All()), "set beyond the live slots")
		res.Set.AddRange(0, 5000) // belongs to us
	}
}

var (
	fieldNames = []string{"k", "n", "a.b", "a[].b", "d", "x[]"}
	words      = []string{"", "a", "ab", "abc", "b", "ü", "Ab", "a b", "\xff"}
	times      = []string{"2020-01-01", "2020-01-01T00:00:00Z", "2020-01-01 01:00+0100", "1999-12-31T23:59:59.999999Z"}
	uuids      = []string{"550e8400-e29b-41d4-a716-446655440000", "00000000-0000-0000-0000-000000000001"}
	ints       = []int64{0, 1, 2, -1, 5, 1 << 53, 1<<53 + 1, 1<<63 - 1, -1 << 63, 7, 8, 9, 10}
	floats     = []float64{0, 1, 5, 5.5, -1, 9007199254740992, 9.3e18, -1e300, 7.25}
)

func word(t *rapid.T) string {
	return rapid.SampledFrom(append(append(append([]string{}, words...), times...), uuids...)).Draw(t, "word")
}

func genScalar(t *rapid.T) string {
	switch rapid.IntRange(0, 9).Draw(t, "scalar") {
	case 0:
		return "null"
	case 1:
		return rapid.SampledFrom([]string{"true", "false"}).Draw(t, "bool")
	case 2, 3, 4:
		return strconv.FormatInt(rapid.SampledFrom(ints).Draw(t, "int"), 10)
	case 5:
		return rapid.SampledFrom([]string{"5.0", "5.5", "1e0", "-0.0", "18446744073709551615", "7.25", "9.3e18"}).Draw(t, "float")
	case 6:
		return rapid.SampledFrom([]string{`{"lon":1,"lat":1}`, `{"lon":0,"lat":0}`, `{"lon":200,"lat":0}`, `{"b":1}`, `{}`}).Draw(t, "object")
	}
	b, _ := json.Marshal(word(t))
	return string(b)
}

func genList(t *rapid.T, item func(*rapid.T) string) string {
	out := "["
	for i := range rapid.IntRange(0, 3).Draw(t, "len") {
		if i > 0 {
			out += ","
		}
		out += item(t)
	}
	return out + "]"
}

func genValue(t *rapid.T) string {
	switch rapid.IntRange(0, 6).Draw(t, "value") {
	case 0, 1:
		return genList(t, genScalar)
	case 2:
		return genList(t, func(t *rapid.T) string {
			if rapid.Bool().Draw(t, "nested") {
				return genList(t, genScalar)
			}
			return `{"b":` + genScalar(t) + `}`
		})
	}
	return genScalar(t)
}

func genDoc(t *rapid.T) []byte {
	out, sep := "{", ""
	for _, name := range []string{"k", "n", "a", "d", "x"} {
		if rapid.IntRange(0, 3).Draw(t, "has") == 0 {
			continue
		}
		v := genValue(t)
		if name == "a" && rapid.Bool().Draw(t, "object") {
			v = `{"b":` + v + `}`
		}
		out += fmt.Sprintf("%s%q:%s", sep, name, v)
		sep = ","
	}
	return []byte(out + "}")
}

func genMatchValue(t *rapid.T) Value {
	switch rapid.IntRange(0, 8).Draw(t, "matchValue") {
	case 0:
		return BoolValue(rapid.Bool().Draw(t, "bool"))
	case 1, 2, 3:
		return IntValue(rapid.SampledFrom(ints).Draw(t, "int"))
	case 4:
		return UintValue(1<<64 - 1)
	}
	return StringValue(word(t))
}

func optional[T any](t *rapid.T, from []T) *T {
	if rapid.IntRange(0, 2).Draw(t, "given") == 0 {
		return nil
	}
	v := rapid.SampledFrom(from).Draw(t, "bound")
	return &v
}

func genLeaf(t *rapid.T) Expr {
	f := rapid.SampledFrom(append([]string{"k", "n", "d"}, fieldNames...)).Draw(t, "field")
	switch rapid.IntRange(0, 19).Draw(t, "leaf") {
	case 0, 1:
		return Match{Field: f, Value: genMatchValue(t)}
	case 2:
		return MatchAny{Field: f, Values: rapid.SliceOfN(rapid.Custom(genMatchValue), 0, 3).Draw(t, "any")}
	case 3, 4:
		return MatchExcept{Field: f, Values: rapid.SliceOfN(rapid.Custom(genMatchValue), 0, 3).Draw(t, "except")}
	case 5:
		return MatchText{Field: f, Text: word(t)}
	case 6:
		return MatchTextAny{Field: f, Text: word(t)}
	case 7:
		return MatchPhrase{Field: f, Text: word(t)}
	case 8, 9:
		return Prefix{Field: f, Prefix: word(t)}
	case 10, 11:
		return Range{Field: f, Lt: optional(t, floats), Lte: optional(t, floats), Gt: optional(t, floats), Gte: optional(t, floats)}
	case 12:
		ts := []int64{0, 946684799999999, 1577836800000000, 1577836800000001}
		return TimeRange{Field: f, Lt: optional(t, ts), Lte: optional(t, ts), Gt: optional(t, ts), Gte: optional(t, ts)}
	case 13:
		return GeoRadius{Field: f, Center: GeoPoint{1, 1}, Radius: 1000}
	case 14:
		return GeoBox{Field: f, TopLeft: GeoPoint{-1, 1}, BottomRight: GeoPoint{1, -1}}
	case 15:
		n := []int64{0, 1, 2, 3}
		return ValuesCount{Field: f, Lt: optional(t, n), Lte: optional(t, n), Gt: optional(t, n), Gte: optional(t, n)}
	case 16:
		return IsEmpty{Field: f}
	case 17:
		return IsNull{Field: f}
	case 18:
		return HasVector{Name: rapid.SampledFrom([]string{"", "v", "w"}).Draw(t, "vector")}
	}
	if rapid.Bool().Draw(t, "slice") {
		return Slice{Total: 3, Index: 1}
	}
	return HasID{IDs: []payload.PointID{payload.NumID(rapid.Uint64Range(0, 30).Draw(t, "id")), payload.NumID(99999)}}
}

func genExpr(t *rapid.T, depth int) Expr {
	if depth == 0 || rapid.IntRange(0, 2).Draw(t, "leaf?") == 0 {
		return genLeaf(t)
	}
	parts := func() []Expr {
		var es []Expr
		for range rapid.IntRange(0, 3).Draw(t, "parts") {
			es = append(es, genExpr(t, depth-1))
		}
		return es
	}
	switch rapid.IntRange(0, 8).Draw(t, "node") {
	case 0, 1:
		return And{Exprs: parts()}
	case 2, 3:
		return Or{Exprs: parts()}
	case 4, 5:
		return Not{Expr: genExpr(t, depth-1)}
	case 6:
		return MinShould{Exprs: parts(), Count: rapid.IntRange(0, 3).Draw(t, "count")}
	case 7:
		return Nested{Path: "a", Expr: genInner(t, 2)}
	}
	return All{}
}

// genInner generates conditions on the elements of a.
func genInner(t *rapid.T, depth int) Expr {
	if depth > 0 {
		switch rapid.IntRange(0, 5).Draw(t, "inner") {
		case 0:
			return Not{Expr: genInner(t, depth-1)}
		case 1:
			return Or{Exprs: []Expr{genInner(t, depth-1), genInner(t, depth-1)}}
		case 2:
			return And{Exprs: []Expr{genInner(t, depth-1), genInner(t, depth-1)}}
		case 3:
			return HasID{IDs: []payload.PointID{payload.NumID(3)}}
		}
	}
	switch rapid.IntRange(0, 4).Draw(t, "innerLeaf") {
	case 0:
		return MatchExcept{Field: "b", Values: []Value{genMatchValue(t)}}
	case 1:
		return IsNull{Field: "b"}
	case 2:
		return IsEmpty{Field: "b"}
	}
	return Match{Field: "b", Value: genMatchValue(t)}
}

// machine drives a State and its model.
type machine struct {
	s      *State
	points modelPoints
	fs     vfs.FS
	dir    string
	file   int

	saving      *Save
	savedPoints modelPoints
	last        *Saved // newest image, with its points
	lastPoints  modelPoints

	old       *State // some state of the past: it must not change
	oldPoints modelPoints
}

func (m *machine) upsert(t *rapid.T, e *Editor, slot uint32, doc []byte) {
	p := m.points[slot]
	p.id, p.doc = payload.NumID(uint64(slot)), doc
	p.vectors = map[string]bool{"": rapid.Bool().Draw(t, "vec"), "v": rapid.Bool().Draw(t, "vec")}
	e.Add(slot)
	for name, has := range p.vectors {
		e.SetVector(name, slot, has)
	}
	m.points[slot] = p
	m.putAll(e, slot)
}

func (m *machine) putAll(e *Editor, slot uint32) {
	for _, f := range e.next.fields {
		e.Put(f.def.Name, slot, Extract(f.def, m.points[slot].doc))
	}
}

func (m *machine) edit(t *rapid.T) {
	e := m.s.Edit()
	docs := [][]byte{genDoc(t), genDoc(t), genDoc(t)}
	for range rapid.IntRange(1, 6).Draw(t, "edits") {
		slot := rapid.Uint32Range(0, 30).Draw(t, "slot")
		switch rapid.IntRange(0, 9).Draw(t, "edit") {
		case 0:
			e.Remove(slot)
			delete(m.points, slot)
		case 1: // recycled within one commit
			e.Remove(slot)
			delete(m.points, slot)
			m.upsert(t, e, slot, genDoc(t))
		case 2: // a bulk group
			first := rapid.Uint32Range(0, 70000).Draw(t, "first")
			for i := range uint32(rapid.IntRange(1, 300).Draw(t, "bulk")) {
				m.upsert(t, e, first+i*3, docs[i%3])
			}
		default:
			m.upsert(t, e, slot, genDoc(t))
		}
	}
	m.s = e.Commit()
}

func (m *machine) fields(t *rapid.T) {
	e := m.s.Edit()
	name := rapid.SampledFrom(fieldNames).Draw(t, "name")
	if rapid.IntRange(0, 4).Draw(t, "drop") == 0 {
		e.DropField(name)
	} else {
		kind := rapid.SampledFrom([]Kind{Keyword, Keyword, Integer, Integer, Float, Bool, Datetime, UUID, Geo, Text}).Draw(t, "kind")
		e.AddField(FieldDef{Name: name, Kind: kind})
		for slot := range m.points {
			m.putAll(e, slot)
		}
	}
	m.s = e.Commit()
}

func (m *machine) nextFile() string { m.file++; return fmt.Sprintf("f%06d", m.file) }

func (m *machine) finish(t *rapid.T) {
	saved, err := m.saving.Run(m.fs, m.dir, m.nextFile)
	require.NoError(t, err)
	m.s = m.s.FinishSave(m.saving)
	m.last, m.lastPoints, m.saving = &saved, m.savedPoints, nil
	require.NoError(t, Verify(m.fs, m.dir, saved))
}

func (m *machine) load(t *rapid.T) {
	if m.last == nil {
		return
	}
	s, err := Load(m.fs, m.dir, *m.last)
	require.NoError(t, err)
	m.s, m.points, m.saving = s, m.lastPoints.clone(), nil
}

func (m *machine) check(t *rapid.T) {
	for range 5 {
		requireSame(t, m.s, m.points, genExpr(t, 3))
	}
	requireOrdered(t, m.s, m.points)
	if m.old != nil {
		requireSame(t, m.old, m.oldPoints, genExpr(t, 2))
	}
}

func TestResolveEqualsEval(t *testing.T) {
	dir := t.TempDir()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		m := &machine{s: NewState(), points: modelPoints{}, fs: vfs.NewMem(), dir: "d"}
		if runs%3 == 0 {
			m.fs, m.dir = vfs.OS, fmt.Sprintf("%s/%d", dir, runs)
		}
		t.Repeat(map[string]func(*rapid.T){
			"edit":   m.edit,
			"edit2":  m.edit,
			"fields": m.fields,
			"begin": func(t *rapid.T) {
				if m.saving == nil {
					m.saving, m.savedPoints = m.s.BeginSave(), m.points.clone()
				}
			},
			"finish": func(t *rapid.T) {
				if m.saving != nil {
					m.finish(t)
				}
			},
			"keep": func(*rapid.T) { m.old, m.oldPoints = m.s, m.points.clone() },
			"load": m.load,
			"":     m.check,
		})
	})
}
