package respapi

import (
	"net"
	"time"
)

// disconnectPoll is how often a long command looks whether its client is still there.
const disconnectPoll = 250 * time.Millisecond

// watchDisconnect ends the connection's context when the client goes while a command runs:
// nobody reads the socket then. It returns the function that ends the watch.
func (cn *conn) watchDisconnect() (end func()) {
	done := make(chan struct{})
	timer := time.AfterFunc(disconnectPoll, func() {
		ticker := time.NewTicker(disconnectPoll)
		defer ticker.Stop()
		for !disconnected(cn.nc) {
			select {
			case <-done:
				return
			case <-ticker.C:
			}
		}
		cn.cancel()
	})
	return func() {
		timer.Stop()
		close(done)
	}
}

// socket returns the connection below TLS.
func socket(nc net.Conn) net.Conn {
	if t, ok := nc.(interface{ NetConn() net.Conn }); ok {
		return t.NetConn()
	}
	return nc
}
