package payload

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNeed(t *testing.T) {
	dir := t.TempDir()
	need := func() int64 {
		n, err := Need(dir)
		require.NoError(t, err)
		return n
	}
	require.EqualValues(t, freshBytes, need(), "a new store")
	s, err := Open(Options{Dir: dir})
	require.NoError(t, err)
	require.EqualValues(t, freshBytes+memTableBytes, need(), "its memtable may become a table")
	value := string(make([]byte, blobBytes))
	for seq := uint64(1); seq <= 8000; seq++ {
		require.NoError(t, s.Apply([]Op{set(seq, "key", value)}))
	}
	require.NoError(t, s.Close())
	require.Greater(t, need(), int64(freshBytes+8000*blobBytes), "and is one, which may be merged")
	_, err = Need(dir + "/absent")
	require.NoError(t, err)
}
