package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/isobath/isobath/test/oracle"
)

// schemaWriter creates, fills and drops collections. Its lane maps a name to the number of points.
type schemaWriter struct {
	rng  *rand.Rand
	lane *oracle.Lane[string, int]
	next int
}

const schemaPrefix = "ddl-"

func newSchemaWriter(seed uint64) *schemaWriter {
	return &schemaWriter{
		rng:  rand.New(rand.NewPCG(seed, 3000)),
		lane: oracle.NewLane[string](func(a, b int) bool { return a == b }),
	}
}

func (w *schemaWriter) step(ctx context.Context, s *server) error {
	pause(ctx, 60*time.Millisecond)
	names := slices.Sorted(maps.Keys(w.lane.Latest()))
	if len(names) < 3 || w.rng.IntN(3) == 0 && len(names) < 12 {
		return w.create(ctx, s)
	}
	name := names[w.rng.IntN(len(names))]
	if w.rng.IntN(3) > 0 {
		return w.drop(ctx, s, name)
	}
	return w.fill(ctx, s, name)
}

func (w *schemaWriter) send(ctx context.Context, s *server, method, path, body string, op oracle.Op[string, int]) error {
	w.lane.Begin(op)
	if err := s.rest.do(ctx, method, path, []byte(body), nil); err != nil {
		return fmt.Errorf("%s: %w", op.What, err)
	}
	w.lane.Acked(1)
	return nil
}

// create makes a collection; now and then under a name that was used and dropped before.
func (w *schemaWriter) create(ctx context.Context, s *server) error {
	w.next++
	name := fmt.Sprintf("%s%d", schemaPrefix, w.next)
	if again := fmt.Sprintf("%sagain", schemaPrefix); w.rng.IntN(2) == 0 {
		if _, there := w.lane.Latest()[again]; !there {
			name = again
		}
	}
	return w.send(ctx, s, "PUT", "/collections/"+name, `{"vectors":{"size":2,"distance":"Dot"}}`,
		oracle.Op[string, int]{What: "create " + name, Changes: []oracle.Change[string, int]{{Key: name, Value: 0}}})
}

func (w *schemaWriter) fill(ctx context.Context, s *server, name string) error {
	n := w.lane.Latest()[name]
	body := fmt.Sprintf(`{"points":[{"id":%d,"vector":[1,2]},{"id":%d,"vector":[3,4]}]}`, n, n+1)
	return w.send(ctx, s, "PUT", "/collections/"+name+"/points?wait=true", body,
		oracle.Op[string, int]{What: "fill " + name, Changes: []oracle.Change[string, int]{{Key: name, Value: n + 2}}})
}

func (w *schemaWriter) drop(ctx context.Context, s *server, name string) error {
	return w.send(ctx, s, "DELETE", "/collections/"+name, ``,
		oracle.Op[string, int]{What: "drop " + name, Changes: []oracle.Change[string, int]{{Key: name, Gone: true}}})
}

// verify compares the list of collections and their counts.
func (w *schemaWriter) verify(ctx context.Context, r *rest) (kept int, err error) {
	var out struct{ Collections []struct{ Name string } }
	if err := r.do(ctx, "GET", "/collections", nil, &out); err != nil {
		return 0, err
	}
	found := map[string]int{}
	for _, c := range out.Collections {
		if strings.HasPrefix(c.Name, schemaPrefix) {
			if found[c.Name], err = r.count(ctx, c.Name, "{}"); err != nil {
				return 0, err
			}
		}
	}
	if kept, err = w.lane.Resolve(found); err != nil {
		return 0, fmt.Errorf("collections: %w", err)
	}
	return kept, nil
}
