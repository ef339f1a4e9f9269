package server

import (
	"io"
	"log/slog"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReservedDescriptors(t *testing.T) {
	for limit, want := range map[uint64]uint64{24: 6, 64: 16, 256: 64, 1024: 128, 1 << 20: 1 << 17} {
		require.Equal(t, want, reserved(limit), limit)
	}
}

func TestConnectionsLeaveDescriptorsForFiles(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := sparing(inner, "no more\r\n", slog.New(slog.DiscardHandler)).(*sparingListener)
	defer l.Close()
	dial := func() net.Conn {
		nc, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = nc.Close() })
		return nc
	}
	first := dial()
	accepted, err := l.Accept()
	require.NoError(t, err)
	defer accepted.Close()
	require.NotZero(t, descriptorOf(accepted))

	// The next one is the first too many; the one after that comes when there are enough again.
	most := l.most
	l.most = 1
	refused := dial()
	done := make(chan net.Conn)
	go func() {
		nc, err := l.Accept()
		if err != nil {
			nc = nil
		}
		done <- nc
	}()
	text, err := io.ReadAll(refused)
	require.NoError(t, err)
	require.Equal(t, "no more\r\n", string(text))
	require.NoError(t, inner.Close())
	require.Nil(t, <-done)
	require.Greater(t, most, uint64(1))
	_ = first.Close()
}
