// Package httpapi serves the Qdrant-compatible HTTP interface (docs/http.md): it turns requests
// into calls of package service and answers into JSON, and has no rules of its own.
//
//	h := httpapi.New(svc, httpapi.Options{})
//	http.Serve(listener, h)
//
// routes.go lists every route; errors.go is the only table from errors to status and text;
// dto_*.go hold the shapes of bodies, handle_*.go the calls. A Handler is safe for concurrent use.
package httpapi
