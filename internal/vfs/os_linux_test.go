package vfs

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestRoom(t *testing.T) {
	dir := t.TempDir()
	free, total, err := Room(dir)
	require.NoError(t, err)
	require.Positive(t, total)
	require.LessOrEqual(t, free, total)
	var st unix.Statfs_t
	require.NoError(t, unix.Statfs(dir, &st))
	require.Equal(t, int64(st.Blocks)*int64(st.Frsize), total, "blocks count fragments")

	_, _, err = Room("/proc")
	require.ErrorIs(t, err, errors.ErrUnsupported, "no blocks at all are no answer, not a full disk")

	require.EqualValues(t, 10<<12, bytesOf(10, 1<<12))
	require.EqualValues(t, math.MaxInt64, bytesOf(1<<51, 1<<12))
	require.EqualValues(t, math.MaxInt64, bytesOf(1<<60, 1<<20), "more than a word")
}
