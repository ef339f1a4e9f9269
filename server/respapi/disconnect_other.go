//go:build !linux

package respapi

import "net"

// disconnected cannot be told here without reading; long commands then run to their end.
func disconnected(net.Conn) bool { return false }
