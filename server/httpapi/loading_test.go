package httpapi

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/server/service"
)

// Clients ask a server that is loading a thousand times a second: none of that is news.
func TestRequestsBeforeTheDatabaseIsThereAreNotLogged(t *testing.T) {
	var out bytes.Buffer
	h := New(service.New(service.Options{}), Options{Log: slog.New(slog.NewTextHandler(&out, nil))})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/collections", nil))
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Empty(t, out.String())
}
