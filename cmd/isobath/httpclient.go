package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// httpClient calls the HTTP API of a server.
type httpClient struct {
	base string // scheme and authority
	key  string // api-key, when not empty
}

// httpError is an answer of a server that is not a success.
type httpError struct {
	status int
	text   string
}

func (e *httpError) Error() string { return fmt.Sprintf("%s (HTTP %d)", e.text, e.status) }

// call sends body, a value or ready JSON in a []byte, and decodes the result into into unless
// it is nil.
func (h *httpClient) call(ctx context.Context, method, path string, body, into any) error {
	data, ready := body.([]byte)
	if !ready && body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(h.base, "/")+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	if len(data) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if h.key != "" {
		req.Header.Set("api-key", h.key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, req.URL, err)
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %w", method, req.URL, refusal(res.StatusCode, answer))
	}
	if into == nil {
		return nil
	}
	envelope := struct{ Result any }{into}
	if err := json.Unmarshal(answer, &envelope); err != nil {
		return fmt.Errorf("%s %s: %w", method, req.URL, err)
	}
	return nil
}

func refusal(status int, answer []byte) error {
	var envelope struct {
		Status struct{ Error string }
	}
	if err := json.Unmarshal(answer, &envelope); err == nil && envelope.Status.Error != "" {
		return &httpError{status, envelope.Status.Error}
	}
	return &httpError{status, strings.TrimSpace(string(answer))}
}
