package engine

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/payload"
)

func TestNumbersUsed(t *testing.T) {
	var unknown numbersUsed
	require.False(t, unknown.never(payload.NumID(1)), "a collection that was loaded may hold anything")

	u := numbersUsed{whole: true}
	require.True(t, u.never(payload.NumID(0)))
	u.add(payload.NumID(0))
	u.add(payload.NumID(7))
	u.add(payload.NumID(3))
	require.False(t, u.never(payload.NumID(0)))
	require.False(t, u.never(payload.NumID(5)), "below the highest nothing is known")
	require.False(t, u.never(payload.NumID(7)))
	require.True(t, u.never(payload.NumID(8)))
	uuid, err := payload.ParsePointID("5c56c793-69f3-4fbf-87e6-c4bf54c28c26")
	require.NoError(t, err)
	require.False(t, u.never(uuid))
	u.add(uuid)
	require.True(t, u.never(payload.NumID(8)))
	u.add(payload.NumID(math.MaxUint64))
	require.False(t, u.never(payload.NumID(math.MaxUint64)))
}
