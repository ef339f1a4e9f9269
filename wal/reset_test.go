package wal

import (
	"testing"

	"github.com/isobath/isobath/internal/vfs"
	"github.com/stretchr/testify/require"
)

func TestReset(t *testing.T) {
	fs := vfs.NewMem()
	open := func() *Log {
		l, err := Open(Options{FS: fs, Dir: "wal", FileBytes: 1 << 16})
		require.NoError(t, err)
		return l
	}
	l := open()
	for seq := uint64(1); seq <= 5; seq++ {
		require.NoError(t, l.Append(Record{Seq: seq, Data: make([]byte, 40_000)}))
		_, err := l.Sync()
		require.NoError(t, err)
	}
	require.ErrorIs(t, l.Reset(5), ErrOrder)
	require.NoError(t, l.Reset(9))
	require.Equal(t, uint64(8), l.Last())
	require.NoError(t, l.Append(Record{Seq: 9, Data: []byte("x")}))
	_, err := l.Sync()
	require.NoError(t, err)
	fs = fs.Crash(1, 0)
	_ = l.Close()

	l = open()
	require.Nil(t, l.Damage())
	var seqs []uint64
	require.NoError(t, l.Replay(1, func(r Record) error { seqs = append(seqs, r.Seq); return nil }))
	require.Equal(t, []uint64{9}, seqs)
	require.NoError(t, l.Close())
}
