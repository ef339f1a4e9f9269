package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"

	"github.com/isobath/isobath/server/resp"
)

// respClient sends commands to a RESP server and reads replies of protocol version 2.
type respClient struct {
	conn net.Conn
	in   *bufio.Reader
	out  *resp.Writer
}

// respError is an error reply.
type respError string

func (e respError) Error() string { return string(e) }

func dialRESP(ctx context.Context, addr string) (*respClient, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &respClient{conn: conn, in: bufio.NewReader(conn), out: resp.NewWriter()}, nil
}

func (c *respClient) Close() error { return c.conn.Close() }

// add appends a command to the pipeline. Arguments are string, []byte, int or int64.
func (c *respClient) add(args ...any) {
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

// flush sends the pipeline. Every command added must then be received once.
func (c *respClient) flush() error {
	_, err := c.conn.Write(c.out.Bytes())
	c.out.Reset(1 << 20)
	return err
}

// do sends one command and receives its reply.
func (c *respClient) do(args ...any) (any, error) {
	c.add(args...)
	if err := c.flush(); err != nil {
		return nil, err
	}
	return c.receive()
}

// receive reads a reply: string, int64, nil or []any. An error reply is a respError.
func (c *respClient) receive() (any, error) {
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
		return nil, respError(text)
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
		x, err := c.receive()
		var refused respError
		if err != nil && !errors.As(err, &refused) {
			return nil, err
		}
		list = append(list, x)
	}
	return list, nil
}
