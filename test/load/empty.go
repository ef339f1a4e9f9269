package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

const emptyCollections = 1000

// empty creates many collections without points and prints the difference, at once and after a restart.
func (s *server) empty(ctx context.Context) error {
	settle := func() { time.Sleep(3 * time.Second) }
	settle()
	before, diskBefore, err := s.cost("empty server", 0)
	if err != nil {
		return err
	}
	client := &http.Client{}
	start := time.Now()
	for i := range emptyCollections {
		body := []byte(`{"vectors":{"size":100,"distance":"Cosine"}}`)
		if err := call(ctx, client, "PUT", s.proc.URL(fmt.Sprintf("/collections/empty-%d", i)), body, nil); err != nil {
			return err
		}
	}
	fmt.Printf("%d collections created in %.1f s\n", emptyCollections, time.Since(start).Seconds())
	settle()
	after, diskAfter, err := s.cost("with collections", 0)
	if err != nil {
		return err
	}
	fmt.Printf("%d empty collections cost %s of RSS, %s of RssAnon and %s of disk\n", emptyCollections,
		mb(after.RSS-before.RSS), mb(after.Anon-before.Anon), mb(diskAfter-diskBefore))
	if err := s.proc.Kill(); err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	fmt.Printf("killed: ready %.2f s after the restart\n", time.Since(s.proc.Started).Seconds())
	settle()
	again, diskAgain, err := s.cost("restarted with collections", 0)
	if err != nil {
		return err
	}
	fmt.Printf("over the empty server: %s of RSS, %s of RssAnon and %s of disk\n",
		mb(again.RSS-before.RSS), mb(again.Anon-before.Anon), mb(diskAgain-diskBefore))
	return nil
}
