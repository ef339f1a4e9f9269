package filter

import (
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/payload"
)

// oneField returns a state with a field over documents that hold its value under "f".
func oneField(def FieldDef, docs ...string) (*State, modelPoints) {
	def.Name = "f"
	s, ps := NewState(), modelPoints{}
	e := s.Edit()
	e.AddField(def)
	for i, d := range docs {
		slot := uint32(i)
		ps[slot] = modelPoint{id: payload.NumID(uint64(i)), doc: []byte(`{"f":` + d + `}`)}
		e.Add(slot)
		e.Put("f", slot, Extract(def, ps[slot].doc))
	}
	return e.Commit(), ps
}

func TestFoldedKeywords(t *testing.T) {
	s, _ := oneField(FieldDef{Kind: Keyword, FoldCase: true}, `"Rock"`, `["JAZZ","rock"]`, `"Äther"`, `"ROCKY"`)
	requireSet(t, s, Match{"f", StringValue("rOCK")}, roaring.BitmapOf(0, 1))
	requireSet(t, s, Match{"f", StringValue("äther")}, roaring.BitmapOf(2))
	requireSet(t, s, Prefix{"f", "Roc"}, roaring.BitmapOf(0, 1, 3))
	requireSet(t, s, Prefix{"f", ""}, roaring.BitmapOf(0, 1, 2, 3))
	requireSet(t, s, Not{Match{"f", StringValue("jazz")}}, roaring.BitmapOf(0, 2, 3))
}

func TestUUIDSpellings(t *testing.T) {
	s, ps := oneField(FieldDef{Kind: UUID}, `"550E8400-E29B-41D4-A716-446655440000"`, `"no uuid"`, `["550e8400e29b41d4a716446655440001"]`)
	want := Match{"f", StringValue("550e8400-e29b-41d4-a716-446655440000")}
	requireSet(t, s, want, roaring.BitmapOf(0))
	requireSet(t, s, MatchExcept{"f", []Value{want.Value}}, roaring.BitmapOf(1, 2))
	// The same in a residual.
	res, err := s.Resolve(Or{[]Expr{want, Match{"g", IntValue(1)}, MatchAny{"f", []Value{StringValue("no uuid")}}}}, nil)
	require.NoError(t, err)
	require.NotNil(t, res.Residual)
	var got []uint32
	for slot := range uint32(3) {
		ok, err := Eval(res.Residual, ps[slot])
		require.NoError(t, err)
		if ok {
			got = append(got, slot)
		}
	}
	require.Equal(t, []uint32{0, 1}, got)
}

func TestFieldInBuildingIsNotUsed(t *testing.T) {
	s, _ := oneField(FieldDef{Kind: Keyword, Building: true}, `"a"`)
	e := Match{"f", StringValue("a")}
	res, err := s.Resolve(e, nil)
	require.NoError(t, err)
	require.Equal(t, Resolved{Residual: e}, res)
	ed := s.Edit()
	ed.SetReady("f")
	requireSet(t, ed.Commit(), e, roaring.BitmapOf(0))
}

func TestResidualIsTheUnindexedPart(t *testing.T) {
	s, _ := oneField(FieldDef{Kind: Keyword}, `"a"`, `"b"`, `"a"`, `5`)
	open := Match{"g", IntValue(1)}
	hit := Match{"f", StringValue("a")}
	for _, c := range []struct {
		e    Expr
		set  []uint32 // nil = all
		rest Expr
	}{
		{And{[]Expr{hit, open}}, []uint32{0, 2}, open},
		{And{[]Expr{hit, open, All{}, Not{open}}}, []uint32{0, 2}, And{[]Expr{open, Not{open}}}},
		{Or{[]Expr{hit, open}}, []uint32{0, 1, 2, 3}, Or{[]Expr{hit, open}}},
		{Or{[]Expr{All{}, open}}, nil, nil},
		{Not{open}, nil, Not{open}},
		{And{[]Expr{Or{}, open}}, []uint32{}, nil},
		{Match{"f", IntValue(5)}, []uint32{3}, Match{"f", IntValue(5)}},
		{MinShould{[]Expr{hit, hit, open}, 2}, []uint32{0, 2}, MinShould{[]Expr{hit, hit, open}, 2}},
		{MinShould{[]Expr{hit, open}, 0}, nil, nil},
		{Slice{2, 1}, nil, Slice{2, 1}},
		{HasID{[]payload.PointID{payload.NumID(1)}}, nil, HasID{[]payload.PointID{payload.NumID(1)}}},
	} {
		res, err := s.Resolve(c.e, nil)
		require.NoError(t, err)
		require.Equal(t, c.rest, res.Residual, "%#v", c.e)
		if c.set == nil {
			require.Nil(t, res.Set, "%#v", c.e)
			continue
		}
		require.True(t, res.Set.Equals(roaring.BitmapOf(c.set...)), "%#v", c.e)
	}
}

func TestDropped(t *testing.T) {
	s, _ := oneField(FieldDef{Kind: Keyword}, `"a"`, `"b"`)
	e := s.Edit()
	e.SetVector("v", 1, true)
	s = e.Commit()
	e = s.Edit()
	e.DropField("f")
	e.AddField(FieldDef{Name: "f", Kind: Keyword})
	next := e.Commit()
	require.True(t, next.Has("v").Contains(1))
	requireSet(t, next, Match{"f", StringValue("a")}, roaring.New())
	requireSet(t, s, Match{"f", StringValue("a")}, roaring.BitmapOf(0))
}

// TestAbandonedEditor checks that edits without Commit leave no trace.
func TestAbandonedEditor(t *testing.T) {
	s, _ := oneField(FieldDef{Kind: Keyword}, `"a"`, `"b"`)
	e := s.Edit()
	e.Add(9)
	e.Remove(0)
	e.SetVector("v", 1, true)
	require.Equal(t, 2, s.Len())
	e = s.Edit()
	e.Add(5)
	require.Equal(t, []uint32{0, 1, 5}, e.Commit().All().ToArray())
	require.Equal(t, []uint32{0, 1}, s.All().ToArray())
}

func TestRemovedSlotComesBackEmpty(t *testing.T) {
	s, _ := oneField(FieldDef{Kind: Keyword}, `"a"`, `"a"`)
	e := s.Edit()
	e.Put("f", 1, Values{Keywords: []string{"b"}})
	e.SetVector("v", 1, true)
	e.Remove(1)
	e.Add(1)
	s = e.Commit()
	requireSet(t, s, Match{"f", StringValue("a")}, roaring.BitmapOf(0))
	requireSet(t, s, IsEmpty{"f"}, roaring.BitmapOf(1))
	requireSet(t, s, HasVector{"v"}, roaring.New())
	e = s.Edit()
	e.Put("f", 7, Values{Keywords: []string{"a"}}) // not live: dropped
	s = e.Commit()
	e = s.Edit()
	e.Add(7)
	requireSet(t, e.Commit(), Match{"f", StringValue("a")}, roaring.BitmapOf(0))
}
