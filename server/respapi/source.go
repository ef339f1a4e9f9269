package respapi

import (
	"net"
	"time"

	"github.com/isobath/isobath/server/resp"
)

const (
	// commandTime is what a client may take to send one command, on top of its bytes at
	// the slowest rate served.
	commandTime  = 30 * time.Second
	slowestBytes = 16 << 10 // a second
	// authTime is what a client may take to authenticate where a password is required.
	authTime = 10 * time.Second
)

// source is what the Reader of a connection reads from. It sends what is queued before it waits
// and gives slow senders a deadline.
type source struct {
	nc          net.Conn
	out         *outbox
	reader      *resp.Reader
	idle        func() time.Duration // 0: no bound
	command     time.Duration
	stopping    func() bool // asked after the deadline was set, which a stopping server sets after
	mustAuth    time.Time   // deadline of authentication; zero when done
	started     time.Time   // first byte of the command being received
	received    int         // bytes since then
	hasDeadline bool
}

func (s *source) Read(p []byte) (int, error) {
	s.out.sendDirect()
	if deadline := s.deadline(); !deadline.IsZero() || s.hasDeadline {
		if err := s.nc.SetReadDeadline(deadline); err != nil {
			return 0, err
		}
		s.hasDeadline = !deadline.IsZero()
	}
	if s.stopping() {
		return 0, net.ErrClosed
	}
	n, err := s.nc.Read(p)
	s.received += n
	return n, err
}

// next says that a command was received whole.
func (s *source) next() { s.started, s.received = time.Time{}, 0 }

func (s *source) deadline() time.Time {
	var d time.Time
	switch idle := s.idle(); {
	case s.reader.Partial():
		if s.started.IsZero() {
			s.started = time.Now()
		}
		d = s.started.Add(s.command + time.Duration(s.received)*time.Second/slowestBytes)
	case idle > 0:
		d = time.Now().Add(idle)
	}
	if !s.mustAuth.IsZero() && (d.IsZero() || s.mustAuth.Before(d)) {
		d = s.mustAuth
	}
	return d
}
