// Package client speaks both protocols to a server, for the commands that need one. Answers are
// trusted no further than their framing.
package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"

	"github.com/isobath/isobath/server/resp"
)

// RESP sends commands to a RESP server and reads replies of protocol version 2. It is for one
// goroutine.
type RESP struct {
	conn net.Conn
	in   *bufio.Reader
	out  *resp.Writer
}

// RESPError is an error reply.
type RESPError string

func (e RESPError) Error() string { return string(e) }

// DialRESP connects to addr.
func DialRESP(ctx context.Context, addr string) (*RESP, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &RESP{conn: conn, in: bufio.NewReader(conn), out: resp.NewWriter()}, nil
}

// Close ends the connection.
func (c *RESP) Close() error { return c.conn.Close() }

// Add appends a command to the pipeline. Arguments are string, []byte, int or int64.
func (c *RESP) Add(args ...any) {
	c.out.Array(len(args))
	for _, arg := range args {
		switch a := arg.(type) {
		case []byte:
			c.out.Bulk(a)
		case string:
			c.out.BulkString(a)
		default:
			c.out.BulkString(fmt.Sprint(a))
		}
	}
}

// Pipeline returns the commands that were added, ready for Send, and forgets them.
func (c *RESP) Pipeline() []byte {
	b := bytes.Clone(c.out.Bytes())
	c.out.Reset(1 << 20)
	return b
}

// Send sends a pipeline that was made before. Every command in it must then be received once.
func (c *RESP) Send(pipeline []byte) error {
	_, err := c.conn.Write(pipeline)
	return err
}

// Flush sends the pipeline. Every command added must then be received once.
func (c *RESP) Flush() error {
	_, err := c.conn.Write(c.out.Bytes())
	c.out.Reset(1 << 20)
	return err
}

// Do sends one command and receives its reply.
func (c *RESP) Do(args ...any) (any, error) {
	c.Add(args...)
	if err := c.Flush(); err != nil {
		return nil, err
	}
	return c.Receive()
}

// Receive reads a reply: string, int64, nil or []any. An error reply is a RESPError.
func (c *RESP) Receive() (any, error) {
	line, err := c.in.ReadString('\n')
	if err != nil {
		return nil, err
	}
	if len(line) < 3 {
		return nil, fmt.Errorf("reply %q is not RESP", line)
	}
	kind, text := line[0], line[1:len(line)-2]
	switch kind {
	case '+':
		return text, nil
	case '-':
		return nil, RESPError(text)
	case ':':
		return strconv.ParseInt(text, 10, 64)
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil || (kind != '$' && kind != '*'):
		return nil, fmt.Errorf("reply %q is not RESP", line)
	case n < 0:
		return nil, nil
	case kind == '$':
		body := make([]byte, n+2)
		if _, err := io.ReadFull(c.in, body); err != nil {
			return nil, err
		}
		return string(body[:n]), nil
	}
	list := make([]any, 0, min(n, 1024))
	for range n {
		x, err := c.Receive()
		var refused RESPError
		if err != nil && !errors.As(err, &refused) {
			return nil, err
		}
		list = append(list, x)
	}
	return list, nil
}
