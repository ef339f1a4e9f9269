package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/isobath/isobath/internal/dataset"
)

// httpDoor loads a collection.
type httpDoor struct {
	s      *server
	rows   *dataset.Rows
	client *http.Client
}

const collection = "load"

func (d *httpDoor) open() error {
	d.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	return nil
}

func (d *httpDoor) do(ctx context.Context, method, path string, body []byte, out any) error {
	return call(ctx, d.client, method, d.s.proc.URL(path), body, out)
}

// call sends a request and decodes the result of the envelope into out, unless it is nil.
func call(ctx context.Context, c *http.Client, method, url string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %.500s", method, url, resp.Status, answer)
	}
	envelope := struct {
		Result any `json:"result"`
	}{out}
	return json.Unmarshal(answer, &envelope)
}

func (d *httpDoor) create(ctx context.Context) error {
	body := fmt.Sprintf(`{"vectors":{"size":%d,"distance":"Cosine"},"hnsw_config":{"m":16,"ef_construct":200}}`, d.rows.Dim)
	return d.do(ctx, "PUT", "/collections/"+collection, []byte(body), nil)
}

func (d *httpDoor) encode(from, to int) request {
	return request{dataset.UpsertBody(d.rows.Slice(from, to), from, nil), to - from}
}

func (d *httpDoor) put(ctx context.Context, _ int, r request) error {
	return d.do(ctx, "PUT", "/collections/"+collection+"/points?wait=true", r.body, nil)
}

func (d *httpDoor) nearest(ctx context.Context, v []float32, k int, exact bool) ([]int, error) {
	body := fmt.Appendf(nil, `{"query":%s,"limit":%d,"params":{"exact":%t}}`, dataset.AppendJSON(nil, v), k, exact)
	var out struct{ Points []struct{ ID int } }
	if err := d.do(ctx, "POST", "/collections/"+collection+"/points/query", body, &out); err != nil {
		return nil, err
	}
	ids := make([]int, len(out.Points))
	for i, p := range out.Points {
		ids[i] = p.ID
	}
	return ids, nil
}

func (d *httpDoor) indexed(ctx context.Context) (int, bool, error) {
	var info struct {
		Status string `json:"status"`
		Rows   int    `json:"indexed_vectors_count"`
	}
	err := d.do(ctx, "GET", "/collections/"+collection, nil, &info)
	return info.Rows, info.Status == "green", err
}

func (d *httpDoor) rowsOf(ctx context.Context) (int, error) {
	var out struct{ Count int }
	err := d.do(ctx, "POST", "/collections/"+collection+"/points/count", []byte(`{"exact":true}`), &out)
	return out.Count, err
}
