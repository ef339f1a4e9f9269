package server

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/isobath/isobath/server/resp"
)

// loadingReply is what RESP clients get until the keyspace is open.
const loadingReply = "-LOADING Redis is loading the dataset in memory\r\n"

// loader answers every RESP command with LOADING until it is stopped, and leaves the listener
// open for the server that follows.
type loader struct {
	l       net.Listener
	mu      sync.Mutex
	conns   map[net.Conn]struct{}
	stopped bool
	running sync.WaitGroup
}

// maxLoading bounds the connections of clients that wait for the server.
const maxLoading = 1000

func startLoader(l net.Listener) *loader {
	ld := &loader{l: l, conns: map[net.Conn]struct{}{}}
	ld.running.Add(1)
	go ld.accept()
	return ld
}

func (ld *loader) accept() {
	defer ld.running.Done()
	for {
		nc, err := ld.l.Accept()
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(10 * time.Millisecond)
			continue
		}
		ld.mu.Lock()
		if ld.stopped || len(ld.conns) >= maxLoading {
			ld.mu.Unlock()
			_ = nc.Close()
			continue
		}
		ld.conns[nc] = struct{}{}
		ld.running.Add(1)
		ld.mu.Unlock()
		go ld.serve(nc)
	}
}

func (ld *loader) serve(nc net.Conn) {
	defer ld.running.Done()
	defer func() {
		_ = nc.Close()
		ld.mu.Lock()
		delete(ld.conns, nc)
		ld.mu.Unlock()
	}()
	in := resp.NewReader(nc, resp.Limits{Args: 1024, BulkBytes: 1 << 20, CommandBytes: 1 << 20})
	for {
		_ = nc.SetDeadline(time.Now().Add(30 * time.Second))
		if _, err := in.ReadCommand(); err != nil {
			return
		}
		if _, err := nc.Write([]byte(loadingReply)); err != nil {
			return
		}
	}
}

// stop ends the loader and its connections; the listener accepts again afterwards.
func (ld *loader) stop() {
	ld.mu.Lock()
	ld.stopped = true
	for nc := range ld.conns {
		_ = nc.Close()
	}
	ld.mu.Unlock()
	if d, ok := ld.l.(interface{ SetDeadline(time.Time) error }); ok {
		_ = d.SetDeadline(time.Now())
		ld.running.Wait()
		_ = d.SetDeadline(time.Time{})
	}
}
