package payload

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParsePointID(t *testing.T) {
	u := UUIDID([16]byte{0x55, 0x0e, 0x84, 0x00, 0xe2, 0x9b, 0x41, 0xd4, 0xa7, 0x16, 0x44, 0x66, 0x55, 0x44, 0x00, 0x0a})
	for s, want := range map[string]PointID{
		"0":                                             NumID(0),
		"18446744073709551615":                          NumID(math.MaxUint64),
		"550e8400-e29b-41d4-a716-44665544000a":          u,
		"550E8400-E29B-41D4-A716-44665544000A":          u,
		"550e8400e29b41d4a71644665544000a":              u,
		"urn:uuid:550e8400-e29b-41d4-a716-44665544000a": u,
		"{550e8400-e29b-41d4-a716-44665544000a}":        u,
	} {
		id, err := ParsePointID(s)
		require.NoError(t, err, s)
		require.Equal(t, want, id, s)
		again, err := ParsePointID(id.String())
		require.NoError(t, err)
		require.Equal(t, id, again)
	}
	id, err := ParsePointID("55008400029004100716044665544000")
	require.NoError(t, err)
	require.True(t, id.IsUUID())
	for _, s := range []string{"", "-1", "1.5", "18446744073709551616", "x", "\"1\"", "550e8400-e29b-41d4-a716", "(550e8400-e29b-41d4-a716-44665544000a)"} {
		_, err := ParsePointID(s)
		require.ErrorIs(t, err, ErrPointID, s)
	}
}

func TestPointIDOrder(t *testing.T) {
	ids := []PointID{NumID(0), NumID(1), NumID(255), NumID(256), NumID(math.MaxUint64),
		UUIDID([16]byte{}), UUIDID([16]byte{15: 1}), UUIDID([16]byte{1}), UUIDID([16]byte{0xff, 15: 3})}
	require.True(t, slices.IsSortedFunc(ids, PointID.Compare))
	for i, a := range ids {
		key := a.AppendKey(nil)
		back, err := DecodeKeyID(key)
		require.NoError(t, err)
		require.Equal(t, a, back)
		for _, b := range ids[i+1:] {
			require.Negative(t, bytes.Compare(key, b.AppendKey(nil)))
		}
	}
	for _, b := range [][]byte{nil, {0}, make([]byte, 18), {17: 0}, {0: 2, 16: 0}, {0: 0, 1: 1, 16: 0}} {
		_, err := DecodeKeyID(b)
		require.ErrorIs(t, err, ErrPointID)
	}
}
