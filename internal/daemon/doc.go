// Package daemon runs the real program for benchmarks and for the tools below test/: it builds the
// binary, starts the server on loopback ports of its own, waits until queries are served, kills or
// stops it, and reads what the process costs from /proc.
//
//	bin, err := daemon.Build(ctx, dir)
//	p, err := daemon.Start(daemon.Options{Bin: bin, Dir: data})
//	err = p.Ready(ctx)
//	p.Kill()
//
// A Process is safe for concurrent use. Only processes that were started here are ever signalled.
package daemon
