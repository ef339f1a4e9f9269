package server

import (
	"bufio"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// Until the database is open RESP clients are told so; afterwards the listener serves others.
func TestLoadingIsTold(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	ld := startLoader(l)
	nc, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer nc.Close()
	br := bufio.NewReader(nc)
	for _, command := range []string{"*1\r\n$4\r\nPING\r\n", "GET k\r\n", "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n"} {
		_, err = io.WriteString(nc, command)
		require.NoError(t, err)
		line, err := br.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "-LOADING Redis is loading the dataset in memory\r\n", line)
	}
	ld.stop()
	_, err = br.ReadByte()
	require.Error(t, err)
	next, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer next.Close()
	accepted, err := l.Accept()
	require.NoError(t, err)
	require.NoError(t, accepted.Close())
}
