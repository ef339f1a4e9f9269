package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// rest speaks HTTP to one server.
type rest struct {
	base   string
	client *http.Client
}

func newRest(addr string) *rest {
	return &rest{base: "http://" + addr, client: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 32},
		Timeout:   time.Minute,
	}}
}

func (r *rest) close() { r.client.CloseIdleConnections() }

// refusal is an answer other than 200: the server is alive and says no.
type refusal struct {
	code               int
	method, path, text string
}

func (e *refusal) Error() string {
	return fmt.Sprintf("%s %s answered %d: %s", e.method, e.path, e.code, e.text)
}

// do sends a request and decodes the result into out, unless it is nil.
func (r *rest) do(ctx context.Context, method, path string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, r.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return &refusal{resp.StatusCode, method, path, string(answer[:min(len(answer), 500)])}
	}
	var envelope struct {
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(answer, &envelope); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(envelope.Result, out); err != nil {
		return fmt.Errorf("%s %s: result: %w", method, path, err)
	}
	return nil
}

// pointDTO is a point as the server shows it.
type pointDTO struct {
	ID      json.RawMessage `json:"id"`
	Payload json.RawMessage `json:"payload"`
	Vector  json.RawMessage `json:"vector"`
	Score   float32         `json:"score"`
}

// count asks for the exact number of points that match a filter.
func (r *rest) count(ctx context.Context, collection, filter string) (int, error) {
	var out struct{ Count int }
	err := r.do(ctx, "POST", "/collections/"+collection+"/points/count", []byte(`{"exact":true,"filter":`+filter+`}`), &out)
	return out.Count, err
}

// scroll reads a whole collection.
func (r *rest) scroll(ctx context.Context, collection string) ([]pointDTO, error) {
	var all []pointDTO
	offset := ""
	for {
		var page struct {
			Points []pointDTO      `json:"points"`
			Next   json.RawMessage `json:"next_page_offset"`
		}
		body := `{"limit":1000,"with_payload":true,"with_vector":true` + offset + `}`
		if err := r.do(ctx, "POST", "/collections/"+collection+"/points/scroll", []byte(body), &page); err != nil {
			return nil, err
		}
		all = append(all, page.Points...)
		if len(page.Next) == 0 || string(page.Next) == "null" {
			return all, nil
		}
		offset = `,"offset":` + string(page.Next)
	}
}
