// Package server assembles a running Isobath: configuration, listeners, the database and both
// protocols, and takes them down again in order.
//
//	loaded, err := server.Load(server.Sources{File: "isobath.yaml", Env: os.Environ()})
//	s, err := server.Start(ctx, loaded.Config)
//	defer s.Close(ctx)
//
// Listeners are bound first: while the database opens, /readyz answers 503 and RESP answers
// LOADING. Close lets running requests finish, then checkpoints and closes the database.
package server
