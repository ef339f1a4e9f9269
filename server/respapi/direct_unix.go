//go:build unix

package respapi

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// directWriter writes to a socket without waiting for it. One goroutine at a time.
type directWriter struct {
	raw  syscall.RawConn
	try  func(fd uintptr) bool // made once: it is called for every reply
	p    []byte
	sent int
}

// newDirectWriter returns nil for what is no plain socket.
func newDirectWriter(nc net.Conn) *directWriter {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	w := &directWriter{raw: raw}
	w.try = func(fd uintptr) bool {
		if n, err := unix.Write(int(fd), w.p); err == nil {
			w.sent = n
		}
		return true
	}
	return w
}

// write returns how much of p the system took. It tells of no error: writing the rest does.
func (w *directWriter) write(p []byte) int {
	w.p, w.sent = p, 0
	if w.raw.Write(w.try) != nil {
		w.sent = 0
	}
	w.p = nil
	return w.sent
}
