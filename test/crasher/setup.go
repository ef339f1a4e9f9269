package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/isobath/isobath/internal/dataset"
)

// setUp creates the collections and indexes and loads the base.
func (w *world) setUp(ctx context.Context, s *server) error {
	if err := s.Ready(ctx); err != nil {
		return err
	}
	for _, sp := range spaces {
		if err := s.rest.do(ctx, "PUT", "/collections/"+sp.name, []byte(sp.create), nil); err != nil {
			return err
		}
		for _, index := range indexes {
			if err := s.rest.do(ctx, "PUT", "/collections/"+sp.name+"/index?wait=true", []byte(index), nil); err != nil {
				return err
			}
		}
	}
	for _, index := range ftIndexes {
		if err := s.redis[0].Do(ctx, index...).Err(); err != nil {
			return fmt.Errorf("FT.CREATE: %w", err)
		}
	}
	if w.baseFile == "" {
		return nil
	}
	return w.loadBase(ctx, s)
}

const baseName = "base"

// loadBase fills a collection that is only read afterwards and waits until it is indexed.
func (w *world) loadBase(ctx context.Context, s *server) error {
	rows, err := dataset.ReadFvecs(w.baseFile, 0)
	if err != nil {
		return err
	}
	body := fmt.Sprintf(`{"vectors":{"size":%d,"distance":"Cosine"},"hnsw_config":{"m":16,"ef_construct":200}}`, rows.Dim)
	if err := s.rest.do(ctx, "PUT", "/collections/"+baseName, []byte(body), nil); err != nil {
		return err
	}
	const batch = 1000
	for i := 0; i < rows.Len(); i += batch {
		to := min(i+batch, rows.Len())
		if err := s.rest.do(ctx, "PUT", "/collections/"+baseName+"/points?wait=true", dataset.UpsertBody(rows.Slice(i, to), i, nil), nil); err != nil {
			return err
		}
	}
	w.base = rows.Len()
	w.baseQuery = string(dataset.AppendJSON(nil, rows.Row(rows.Len()/2)))
	for {
		var info struct {
			Status  string `json:"status"`
			Indexed int    `json:"indexed_vectors_count"`
		}
		if err := s.rest.do(ctx, "GET", "/collections/"+baseName, nil, &info); err != nil {
			return err
		}
		if info.Status == "green" && info.Indexed == w.base {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// firstAnswer waits for a search over HTTP and one over RESP, counted from the start.
func (w *world) firstAnswer(ctx context.Context, s *server) (time.Duration, error) {
	query := func() error {
		if w.base == 0 {
			return s.rest.do(ctx, "POST", "/collections/plain/points/query",
				[]byte(`{"query":`+string(dataset.AppendJSON(nil, make([]float32, 24)))+`,"limit":3}`), nil)
		}
		var out struct{ Points []pointDTO }
		if err := s.rest.do(ctx, "POST", "/collections/"+baseName+"/points/query", []byte(`{"query":`+w.baseQuery+`,"limit":3}`), &out); err != nil {
			return err
		}
		if len(out.Points) == 0 || string(out.Points[0].ID) != strconv.Itoa(w.base/2) {
			return &wrong{fmt.Errorf("first search did not find row %d: %v", w.base/2, out.Points)}
		}
		return nil
	}
	search := func() error {
		_, err := knn(ctx, s.redis[0], "docs", "v", make([]float32, docDim), 3)
		return err
	}
	for _, ask := range []func() error{query, search} {
		for {
			err := ask()
			if err == nil {
				break
			}
			if exited := s.notYet(err); exited != nil {
				return 0, exited
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
	took := time.Since(s.Started)
	if took > grossDelay {
		return 0, fmt.Errorf("first answer came after %v", took)
	}
	return took, nil
}

// notYet decides whether an error of the first query means that the server is still starting.
func (s *server) notYet(err error) error {
	select {
	case <-s.Ended():
		return fmt.Errorf("the server did not come up: %w", err)
	default:
	}
	var w *wrong
	var no *refusal
	var reply redis.Error
	switch {
	case errors.As(err, &w):
		return err
	case errors.As(err, &no) && no.code != 503 && no.code != 500:
		return err
	case errors.As(err, &reply) && !strings.HasPrefix(reply.Error(), "LOADING"):
		return err
	case time.Since(s.Started) > 2*grossDelay:
		return fmt.Errorf("no answer for %v: %w", time.Since(s.Started), err)
	}
	return nil
}
