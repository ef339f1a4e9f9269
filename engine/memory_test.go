package engine

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIndexesHaveWhatOthersLeave(t *testing.T) {
	const limit = 1 << 30
	require.EqualValues(t, limit/8*7, indexMemory(limit, 0))
	require.EqualValues(t, limit/8*7, indexMemory(limit, limit/8))
	require.EqualValues(t, limit/8*6, indexMemory(limit, limit/4))
	require.EqualValues(t, limit/4, indexMemory(limit, limit))
	require.EqualValues(t, limit/4, indexMemory(limit, 1<<40))
}
