package resp

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
)

// Limits bound one command. The zero value of a field means its default.
type Limits struct {
	Args         int // elements of a command; 1 048 576
	BulkBytes    int // bytes of one element; 64 MiB
	CommandBytes int // bytes of all elements together; 512 MiB
	InlineBytes  int // bytes of an inline command; 64 KiB
}

func (l Limits) withDefaults() Limits {
	l.Args = cmp.Or(l.Args, 1<<20)
	l.BulkBytes = cmp.Or(l.BulkBytes, 64<<20)
	l.CommandBytes = cmp.Or(l.CommandBytes, 512<<20)
	l.InlineBytes = cmp.Or(l.InlineBytes, 64<<10)
	return l
}

// ProtocolError says that the bytes received are not RESP or exceed a limit. The connection
// cannot be used any further.
type ProtocolError struct{ Msg string }

func (e *ProtocolError) Error() string { return "Protocol error: " + e.Msg }

const (
	bufferBytes = 16 << 10 // read buffer
	keepBytes   = 64 << 10 // largest scratch kept between commands
	growBytes   = 64 << 10 // least step in which a long element is received
	maxDigits   = 10       // digits of a length
)

// Reader splits a stream into commands. One goroutine.
type Reader struct {
	br      *bufio.Reader
	limits  Limits
	body    []byte // elements of the command being read, without gaps
	ends    []int  // end of each element in body
	partial bool
}

// NewReader returns a Reader of src.
func NewReader(src io.Reader, l Limits) *Reader {
	return &Reader{br: bufio.NewReaderSize(src, bufferBytes), limits: l.withDefaults()}
}

// SetLimits changes the limits of the commands to come.
func (r *Reader) SetLimits(l Limits) { r.limits = l.withDefaults() }

// Buffered returns the number of bytes that were received and not yet returned.
func (r *Reader) Buffered() int { return r.br.Buffered() }

// Partial reports whether a part of a command was received. A source may ask it inside its
// Read to tell a slow sender from an idle one.
func (r *Reader) Partial() bool { return r.partial }

// ReadCommand returns the next command: at least one element, in memory of its own. Empty
// commands are skipped. The error is io.EOF between commands, io.ErrUnexpectedEOF inside one,
// a *ProtocolError, or the source's.
func (r *Reader) ReadCommand() ([][]byte, error) {
	for {
		r.partial = false
		head, err := r.br.Peek(1)
		if err != nil {
			return nil, err
		}
		r.partial = true
		if head[0] == '*' {
			err = r.readArray()
		} else {
			err = r.readInline()
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		if len(r.ends) > 0 {
			r.partial = false
			return r.take(), nil
		}
	}
}

// take copies the command out of the scratch memory, or hands the memory over when it is big.
func (r *Reader) take() [][]byte {
	body := r.body
	if len(body) <= keepBytes {
		body = append(make([]byte, 0, len(body)), body...) // not nil: empty elements are no missing ones
	}
	if cap(r.body) > keepBytes {
		r.body = nil
	}
	args := make([][]byte, len(r.ends))
	start := 0
	for i, end := range r.ends {
		args[i] = body[start:end:end]
		start = end
	}
	if cap(r.ends) > 1024 {
		r.ends = nil
	}
	return args
}

func (r *Reader) readArray() error {
	r.body, r.ends = r.body[:0], r.ends[:0]
	if _, err := r.br.Discard(1); err != nil {
		return err
	}
	n, err := r.readLength("multibulk")
	if err != nil {
		return err
	}
	if n > r.limits.Args {
		return &ProtocolError{"invalid multibulk length"}
	}
	for range n {
		c, err := r.br.ReadByte()
		if err != nil {
			return err
		}
		if c != '$' {
			return &ProtocolError{fmt.Sprintf("expected '$', got %q", c)}
		}
		if err := r.readBulk(); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reader) readBulk() error {
	n, err := r.readLength("bulk")
	if err != nil {
		return err
	}
	if n > r.limits.BulkBytes || n > r.limits.CommandBytes-len(r.body) {
		return &ProtocolError{"invalid bulk length"}
	}
	if err := r.receive(n); err != nil {
		return err
	}
	r.ends = append(r.ends, len(r.body))
	for _, want := range []byte("\r\n") {
		c, err := r.br.ReadByte()
		if err != nil {
			return err
		}
		if c != want {
			return &ProtocolError{"expected CRLF after a bulk"}
		}
	}
	return nil
}

// receive appends n bytes to body, whose capacity stays within a small factor of what
// arrived.
func (r *Reader) receive(n int) error {
	for n > 0 {
		step := min(n, max(growBytes, len(r.body), r.br.Buffered()))
		if n <= r.br.Buffered() {
			step = n
		}
		start := len(r.body)
		if need := start + step; need > cap(r.body) {
			grown := make([]byte, start, max(need, 2*cap(r.body)))
			copy(grown, r.body)
			r.body = grown
		}
		r.body = r.body[:start+step]
		if _, err := io.ReadFull(r.br, r.body[start:]); err != nil {
			r.body = r.body[:start]
			return err
		}
		n -= step
	}
	return nil
}

// readLength reads a decimal number and CRLF.
func (r *Reader) readLength(what string) (int, error) {
	n, digits := 0, 0
	for {
		c, err := r.br.ReadByte()
		switch {
		case err != nil:
			return 0, err
		case c >= '0' && c <= '9' && digits < maxDigits:
			n = n*10 + int(c-'0')
			digits++
		case c == '\r' && digits > 0:
			if c, err = r.br.ReadByte(); err != nil {
				return 0, err
			}
			if c != '\n' {
				return 0, &ProtocolError{"invalid " + what + " length"}
			}
			return n, nil
		default:
			return 0, &ProtocolError{"invalid " + what + " length"}
		}
	}
}
