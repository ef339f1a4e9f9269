package server

import (
	"log/slog"
	"math"
	"net"
	"syscall"
	"time"
)

// Files need descriptors when connections have taken all: a log or row file that cannot be made turns
// the database read-only. So the last ones a process may have are for files.
const (
	leastReserve = 64
	reserveShare = 8
	smallShare   = 4 // under a limit that is very low
)

// reserved returns how many of the descriptors that a process may have are kept for files.
func reserved(limit uint64) uint64 {
	return min(limit/smallShare, max(leastReserve, limit/reserveShare))
}

// sparingListener refuses connections whose descriptor is one of the last: the system gives out the
// lowest number that is free, so the number says how many are in use.
type sparingListener struct {
	*net.TCPListener
	most    uint64 // descriptors from here on are for files
	refusal string // what a refused client reads
	log     *slog.Logger
	warned  time.Time
}

// sparing limits l, as far as the system has a limit.
func sparing(l net.Listener, refusal string, log *slog.Logger) net.Listener {
	limit, known := descriptorLimit()
	tcp, ok := l.(*net.TCPListener)
	if !known || !ok {
		return l
	}
	return &sparingListener{TCPListener: tcp, most: limit - reserved(limit), refusal: refusal, log: log}
}

// Accept returns the next connection that leaves descriptors for files. One goroutine calls it.
func (l *sparingListener) Accept() (net.Conn, error) {
	for {
		nc, err := l.TCPListener.Accept()
		if err != nil || descriptorOf(nc) < l.most {
			return nc, err
		}
		_ = nc.SetWriteDeadline(time.Now().Add(time.Second)) // the buffer of a new connection is empty
		_, _ = nc.Write([]byte(l.refusal))
		_ = nc.Close()
		if now := time.Now(); now.Sub(l.warned) > time.Minute {
			l.warned = now
			l.log.Warn("connections are refused: descriptors are short", "for_files_from", l.most, "addr", l.Addr().String())
		}
	}
}

// descriptorOf returns the number of a connection's descriptor, 0 if it has none.
func descriptorOf(nc net.Conn) uint64 {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0
	}
	n := uint64(math.MaxUint64)
	if err := raw.Control(func(fd uintptr) { n = uint64(fd) }); err != nil {
		return 0
	}
	return n
}
