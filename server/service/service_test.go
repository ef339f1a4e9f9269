package service

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/engine"
)

func TestRolesOfKeys(t *testing.T) {
	role := func(r Role, err error) Role {
		if err != nil {
			require.Equal(t, RoleNone, r)
		}
		return r
	}
	s := New(Options{})
	require.False(t, s.AuthRequired())
	require.Equal(t, RoleAll, role(s.Authorize("")))
	require.Equal(t, RoleAll, role(s.AuthorizePassword("anything")))

	s = New(Options{APIKey: "a", AltAPIKey: "b", ReadOnlyAPIKey: "r"})
	for key, want := range map[string]Role{"a": RoleAll, "b": RoleAll, "r": RoleRead, "": RoleNone, "A": RoleNone, "aa": RoleNone} {
		require.Equal(t, want, role(s.Authorize(key)), key)
		require.Equal(t, want, role(s.AuthorizePassword(key)), key)
	}
	_, err := s.Authorize("")
	require.ErrorIs(t, err, ErrNoKey)
	_, err = s.Authorize("x")
	require.ErrorIs(t, err, ErrWrongKey)

	s = New(Options{APIKey: "a", Password: "p"})
	require.Equal(t, RoleNone, role(s.AuthorizePassword("a")), "the password stands in for the keys")
	require.Equal(t, RoleAll, role(s.AuthorizePassword("p")))
	require.Equal(t, RoleNone, role(s.Authorize("p")))
	s = New(Options{Password: "p"})
	require.True(t, s.AuthRequired(), "one secret protects both doors")
	require.Equal(t, RoleAll, role(s.Authorize("p")))
}

func TestNothingIsServedBeforeAttach(t *testing.T) {
	s := New(Options{})
	_, err := s.Collections()
	require.ErrorIs(t, err, ErrLoading)
	_, err = s.Collection("c")
	require.ErrorIs(t, err, ErrLoading)
	require.ErrorIs(t, s.CreateCollection(context.Background(), "c", engine.Schema{}), ErrLoading)
	require.False(t, s.Ready())
}

func TestScores(t *testing.T) {
	require.Equal(t, float32(2), score(engine.Dot, -2))
	require.Equal(t, float32(5), score(engine.Euclid, 25))
	require.Equal(t, float32(0), score(engine.Euclid, -1e-7), "rounding below zero is zero")
	require.Equal(t, float32(3), score(engine.Manhattan, 3))
	require.True(t, passes(engine.Cosine, 0.6, 0.5))
	require.False(t, passes(engine.Cosine, 0.5, 0.5))
	require.True(t, passes(engine.Euclid, 0.4, 0.5))
	require.False(t, passes(engine.Manhattan, 0.5, 0.5))
}

func TestPayloadOfADocument(t *testing.T) {
	body := engine.AppendHashField(nil, []byte("title"), []byte(`say "hi"`))
	body = engine.AppendHashField(body, []byte("vec"), []byte{1, 2, 3, 4})
	body = engine.AppendHashField(body, []byte("blob"), []byte{0xff, 0xfe})
	got := documentPayload([]byte("doc:1"), engine.Document{Kind: engine.KindHash, Body: body}, map[string]bool{"vec": true})
	require.Equal(t, `{"__key":"doc:1","title":"say \"hi\""}`, string(got))
}
