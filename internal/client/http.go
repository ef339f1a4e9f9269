package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// HTTP calls the HTTP API of a server. It is safe for concurrent use.
type HTTP struct {
	Base string // scheme and authority
	Key  string // api-key, when not empty
	// Client does the calls; default http.DefaultClient.
	Client *http.Client
}

// HTTPError is an answer of a server that is not a success.
type HTTPError struct {
	Status int
	Text   string
}

func (e *HTTPError) Error() string { return fmt.Sprintf("%s (HTTP %d)", e.Text, e.Status) }

// Call sends body, a value or ready JSON in a []byte, and decodes the result into into unless
// it is nil.
func (h *HTTP) Call(ctx context.Context, method, path string, body, into any) error {
	data, ready := body.([]byte)
	if !ready && body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return err
		}
	}
	answer, err := h.Do(ctx, method, path, data)
	if err != nil || into == nil {
		return err
	}
	return Result(answer, into)
}

// Result decodes the result of an answer into into.
func Result(answer []byte, into any) error {
	envelope := struct{ Result any }{into}
	if err := json.Unmarshal(answer, &envelope); err != nil {
		return fmt.Errorf("answer of the server: %w", err)
	}
	return nil
}

// Do sends ready JSON and returns the answer. What is not a success is an *HTTPError.
func (h *HTTP) Do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(h.Base, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if h.Key != "" {
		req.Header.Set("api-key", h.Key)
	}
	res, err := cmp.Or(h.Client, http.DefaultClient).Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, req.URL, err)
	}
	if res.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s: %w", method, req.URL, refusal(res.StatusCode, answer))
	}
	return answer, nil
}

func refusal(status int, answer []byte) error {
	var envelope struct {
		Status struct{ Error string }
	}
	if err := json.Unmarshal(answer, &envelope); err == nil && envelope.Status.Error != "" {
		return &HTTPError{status, envelope.Status.Error}
	}
	return &HTTPError{status, strings.TrimSpace(string(answer))}
}
