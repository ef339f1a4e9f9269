package main

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/isobath/isobath/server"
)

// embedded is a server inside this process, on free loopback ports.
type embedded struct{ s *server.Server }

func startEmbedded(ctx context.Context, dir string, log io.Writer) (*embedded, error) {
	s, err := server.Start(ctx, server.Config{
		DataDir: dir, HTTPAddr: "127.0.0.1:0", RESPAddr: "127.0.0.1:0", Version: version(),
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return nil, err
	}
	return &embedded{s}, nil
}

func (em *embedded) url() string      { return "http://" + em.s.HTTPAddr() }
func (em *embedded) respAddr() string { return em.s.RESPAddr() }

// drainTime is how long requests that run may take to end.
const drainTime = 10 * time.Second

func (em *embedded) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	return em.s.Close(ctx)
}
