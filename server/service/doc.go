// Package service is the one place where both protocols meet: authorization, limits, the rules
// of queries that are not the engine's, and observation. Methods take and return engine types;
// errors are the engine's or *Error.
//
//	svc, err := service.New(service.Options{APIKey: "secret"})
//	svc.Attach(db) // requests are answered with ErrLoading before
//	c, err := svc.Collection("films")
//	hits, err := c.Query(ctx, service.Query{Vector: v, Limit: 10})
//
// A Service is safe for concurrent use.
package service
