package oracle

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func set(k, v string) Change[string, string] { return Change[string, string]{Key: k, Value: v} }
func del(k string) Change[string, string]    { return Change[string, string]{Key: k, Gone: true} }

// lane has acknowledged a=1, b=1, then deleted b; a request and a transaction are in flight.
func lane() *Lane[string, string] {
	l := NewLane[string](func(a, b string) bool { return a == b })
	l.Begin(Op[string, string]{What: "one", Changes: []Change[string, string]{set("a", "1"), set("b", "1")}})
	l.Begin(Op[string, string]{What: "two", Changes: []Change[string, string]{del("b")}})
	l.Acked(2)
	l.Begin(Op[string, string]{What: "three", Changes: []Change[string, string]{set("c", "1"), set("d", "1")}})
	l.Begin(Op[string, string]{What: "four", Changes: []Change[string, string]{set("a", "2"), del("c")}})
	return l
}

func TestLaneResolve(t *testing.T) {
	type state = map[string]string
	for name, row := range map[string]struct {
		found state
		kept  int
		fails string
	}{
		"nothing in flight happened": {state{"a": "1"}, 0, ""},
		"the first happened":         {state{"a": "1", "c": "1", "d": "1"}, 1, ""},
		"both happened":              {state{"a": "2", "d": "1"}, 2, ""},
		"acknowledged write lost":    {state{}, 0, "a: lost"},
		"delete undone":              {state{"a": "1", "b": "1"}, 0, "b: deleted and back"},
		"half a request":             {state{"a": "1", "c": "1"}, 0, "c: never written"},
		"half a transaction":         {state{"a": "2", "c": "1", "d": "1"}, 0, "differ"},
		"second without the first":   {state{"a": "2"}, 0, "differ"},
		"never written":              {state{"a": "1", "x": "1"}, 0, "x: never written"},
		"other value":                {state{"a": "9"}, 0, "got  9"},
	} {
		t.Run(name, func(t *testing.T) {
			l := lane()
			kept, err := l.Resolve(row.found)
			if row.fails != "" {
				require.ErrorContains(t, err, row.fails)
				return
			}
			require.NoError(t, err)
			require.Equal(t, row.kept, kept)
			require.Equal(t, row.found, l.Latest())
			require.Zero(t, l.InFlight())
			require.Equal(t, 2, l.Total())
		})
	}
}

func TestTally(t *testing.T) {
	c := NewTally()
	c.Sent(5)
	require.NoError(t, c.Acked(1))
	require.NoError(t, c.Acked(3))
	require.ErrorContains(t, c.Acked(3), "two increments")
	require.ErrorContains(t, c.Acked(6), "must be within 1 to 5")
	require.Error(t, c.Resolve(3), "four were acknowledged")
	require.Error(t, c.Resolve(6))
	require.NoError(t, c.Resolve(5))
	c.Sent(1)
	require.Error(t, c.Acked(5))
}

func TestPointEqual(t *testing.T) {
	p, err := ParsePayload([]byte(`{"b": [1.0, 2], "a":null, "c": 1}`))
	require.NoError(t, err)
	require.Equal(t, Payload{"b": "[1.0,2]", "a": "null", "c": "1"}, p)
	require.JSONEq(t, `{"a":null,"b":[1.0,2],"c":1}`, string(p.JSON()))
	require.Equal(t, Payload{"a": "null", "b": "2"}, p.With(Payload{"c": "null", "b": "2"}))
	require.Equal(t, Payload{"c": "1"}, p.Without("a", "b"))
	zero := Point{Vectors: map[string][]float32{"": {0}}}
	negative := Point{Vectors: map[string][]float32{"": {float32(math.Copysign(0, -1))}}}
	require.False(t, zero.Equal(negative), "bits, not values")
	require.True(t, zero.Equal(zero))
}
