package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/isobath/isobath/internal/dataset"
	"github.com/isobath/isobath/test/oracle"
)

// pause waits a little, so that readers do not starve the writers.
func pause(ctx context.Context, most time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(rand.N(most)):
	}
}

// checkpoint asks for one now and then.
func checkpoint(ctx context.Context, s *server) error {
	pause(ctx, 800*time.Millisecond)
	if s.Asked() || ctx.Err() != nil {
		return nil
	}
	err := s.redis[6].BgSave(ctx).Err()
	var refused redis.Error
	if errors.As(err, &refused) && refused.Error() == "ERR Background save already in progress" {
		return nil
	}
	return err
}

// search asks over both protocols and judges the form of the answers.
func search(ctx context.Context, s *server) error {
	pause(ctx, 20*time.Millisecond)
	lane := rand.IntN(4)
	v := make([]float32, 24)
	for i := range v {
		v[i] = rand.Float32() - 0.5
	}
	sp, using := spaces[lane%2], ""
	if sp.name == "named" {
		v, using = v[:12], `"using":"a",`
	}
	var out struct{ Points []pointDTO }
	body := fmt.Sprintf(`{"query":%s,%s"limit":20,"with_payload":true,"filter":{"must":{"key":"lane","match":{"value":%d}}}}`,
		dataset.AppendJSON(nil, v), using, lane)
	if err := s.rest.do(ctx, "POST", "/collections/"+sp.name+"/points/query", []byte(body), &out); err != nil {
		return err
	}
	seen := map[string]bool{}
	for i, p := range out.Points {
		payload, err := oracle.ParsePayload(p.Payload)
		if err != nil {
			return &wrong{err}
		}
		if got := payload["lane"]; got != fmt.Sprint(lane) || seen[string(p.ID)] {
			return &wrong{fmt.Errorf("search of lane %d found %s of lane %s, seen before: %t", lane, p.ID, got, seen[string(p.ID)])}
		}
		seen[string(p.ID)] = true
		if before := out.Points[max(0, i-1)].Score; sp.name == "plain" && before < p.Score || sp.name == "named" && before > p.Score {
			return &wrong{fmt.Errorf("search of %s is not in order: %v behind %v", sp.name, p.Score, before)}
		}
	}
	_, err := knn(ctx, s.redis[6], "docs", "v", v[:min(docDim, 12)], 1)
	var refused redis.Error
	if errors.As(err, &refused) { // 12 of 16 components: must be refused, and nothing else happens
		err = nil
	}
	if err != nil {
		return err
	}
	full := make([]float32, docDim)
	copy(full, v)
	_, err = knn(ctx, s.redis[6], "docs", "v", full, 10)
	return err
}

// knn searches an FT index and returns the keys, nearest first.
func knn(ctx context.Context, c *redis.Client, index, field string, v []float32, k int) ([]string, error) {
	r, err := ftSearch(ctx, c, index, fmt.Sprintf("*=>[KNN %d @%s $q]", k, field), "PARAMS", 2, "q", string(dataset.Blob(v)), "LIMIT", 0, k, "NOCONTENT")
	return r.keys, err
}

type ftResult struct {
	total int64
	keys  []string
}

// ftSearch runs FT.SEARCH and reads both forms of answers.
func ftSearch(ctx context.Context, c *redis.Client, index, query string, args ...any) (ftResult, error) {
	answer, err := c.Do(ctx, append([]any{"FT.SEARCH", index, query}, args...)...).Result()
	if err != nil {
		return ftResult{}, fmt.Errorf("FT.SEARCH %s: %w", index, err)
	}
	var r ftResult
	switch a := answer.(type) {
	case []any: // RESP2 with NOCONTENT: total, keys
		for i, x := range a {
			switch x := x.(type) {
			case int64:
				r.total = x
			case string:
				r.keys = append(r.keys, x)
			default:
				return ftResult{}, &wrong{fmt.Errorf("FT.SEARCH: element %d is a %T", i, x)}
			}
		}
	case map[any]any:
		r.total, _ = a["total_results"].(int64)
		results, _ := a["results"].([]any)
		for _, x := range results {
			entry, _ := x.(map[any]any)
			id, _ := entry["id"].(string)
			r.keys = append(r.keys, id)
		}
	default:
		return ftResult{}, &wrong{fmt.Errorf("FT.SEARCH answered a %T", answer)}
	}
	return r, nil
}

// readTwins reads two points that are only ever written by one request.
func (w *world) readTwins(ctx context.Context, s *server) error {
	pause(ctx, 10*time.Millisecond)
	lane := rand.IntN(len(w.points))
	ids := idList([]string{pointID(lane, twinN), pointID(lane, twinN+1)})
	var points []pointDTO
	if err := s.rest.do(ctx, "POST", "/collections/"+w.points[lane].space.name+"/points", []byte(`{"ids":`+ids+`}`), &points); err != nil {
		return err
	}
	if len(points) == 0 {
		return nil
	}
	var marks []string
	for _, p := range points {
		var payload struct{ Twin json.Number }
		if err := json.Unmarshal(p.Payload, &payload); err != nil {
			return &wrong{err}
		}
		marks = append(marks, payload.Twin.String())
	}
	if len(marks) != 2 || marks[0] != marks[1] {
		return &wrong{fmt.Errorf("half a request is visible: twins of lane %d are %v", lane, marks)}
	}
	return nil
}

// readPairs reads two keys that are only ever written by one transaction.
func (w *world) readPairs(ctx context.Context, s *server) error {
	pause(ctx, 5*time.Millisecond)
	k := w.keys[rand.IntN(len(w.keys))]
	values, err := s.redis[7].MGet(ctx, k.pair("a"), k.pair("b")).Result()
	if err != nil {
		return err
	}
	if values[0] != values[1] {
		return &wrong{fmt.Errorf("half a transaction is visible: %v", values)}
	}
	return nil
}
