// Package resp frames the Redis serialization protocol, versions 2 and 3: a Reader that
// splits a byte stream into commands within limits, and a Writer that appends replies. It
// knows no command.
//
//	r := resp.NewReader(conn, resp.Limits{})
//	w := resp.NewWriter()
//	args, err := r.ReadCommand() // [][]byte{"SET", "k", "v"}
//	w.SimpleString("OK")
//	conn.Write(w.Bytes())
//
// Memory of a Reader grows with the bytes received, never with a length that was announced.
// A Reader and a Writer each belong to one goroutine.
package resp
