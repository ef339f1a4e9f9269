package httpapi

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/isobath/isobath/server/service"
)

// text answers with plain text and no envelope.
func (r *request) text(status int, text string) (any, error) {
	r.written = true
	r.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	r.w.WriteHeader(status)
	_, err := r.w.Write([]byte(text))
	_ = err // the client is gone
	return nil, nil
}

// unknown answers routes that do not exist: no body.
func (h *Handler) unknown(r *request) (any, error) {
	r.written = true
	r.w.WriteHeader(http.StatusNotFound)
	return nil, nil
}

func (h *Handler) root(r *request) (any, error) {
	r.written = true
	body := `{"title":"isobath - vector search engine","version":"` + service.APIVersion +
		`","commit":"` + service.Commit() + `","isobath_version":"` + h.options.Version + `"}`
	writeJSON(r.w, http.StatusOK, []byte(body))
	return nil, nil
}

func (h *Handler) alive(r *request) (any, error) {
	return r.text(http.StatusOK, "healthz check passed")
}

func (h *Handler) ready(r *request) (any, error) {
	if !h.svc.Ready() {
		return r.text(http.StatusServiceUnavailable, "some shards are not ready")
	}
	return r.text(http.StatusOK, "all shards are ready")
}

// metricHandlers returns the handlers of /metrics: plain and anonymous.
func metricHandlers(svc *service.Service) (hs [2]http.Handler) {
	for i, anonymous := range []bool{false, true} {
		hs[i] = promhttp.HandlerFor(svc.Metrics(anonymous), promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
	}
	return hs
}

func (h *Handler) serveMetrics(r *request) (any, error) {
	anonymous, err := boolParameter(r.URL.Query().Get("anonymize"), "anonymize", false)
	if err != nil {
		return nil, err
	}
	r.written = true
	if anonymous {
		h.metrics[1].ServeHTTP(r.w, r.Request)
	} else {
		h.metrics[0].ServeHTTP(r.w, r.Request)
	}
	return nil, nil
}

// telemetry answers the smallest level only, whichever is asked for.
func (h *Handler) telemetry(r *request) (any, error) {
	parameters := r.URL.Query()
	if s := parameters.Get("details_level"); s != "" {
		if _, err := strconv.ParseUint(s, 10, 64); err != nil {
			return nil, queryFormatError("details_level: invalid value `%s`, expected an unsigned integer", clip(s))
		}
	}
	if _, err := boolParameter(parameters.Get("anonymize"), "anonymize", false); err != nil {
		return nil, err
	}
	names, err := h.svc.Collections()
	if err != nil {
		return nil, err
	}
	features := map[string]bool{
		"debug": false, "service_debug_feature": false, "recovery_mode": false, "gpu": false, "rocksdb": false, "staging": false,
	}
	return map[string]any{
		"id":          h.svc.ID(),
		"app":         map[string]any{"name": "isobath", "version": service.APIVersion, "features": features},
		"collections": map[string]int{"number_of_collections": len(names)},
		"cluster":     map[string]bool{"enabled": false},
		"requests":    map[string]any{"rest": map[string]any{"responses": map[string]any{}}},
		"quota":       map[string]any{},
	}, nil
}

func (h *Handler) issues(*request) (any, error) { return map[string][]string{"issues": {}}, nil }

func (h *Handler) clearIssues(*request) (any, error) { return true, nil }

func (h *Handler) clusterStatus(*request) (any, error) {
	return map[string]string{"status": "disabled"}, nil
}

func (h *Handler) collectionCluster(r *request) (any, error) {
	c, err := h.collection(r)
	if err != nil {
		return nil, err
	}
	shard := map[string]any{"shard_id": 0, "points_count": c.Info().Points, "state": "Active"}
	return map[string]any{
		"peer_id": h.svc.PeerID(), "shard_count": 1, "local_shards": []any{shard}, "remote_shards": []any{}, "shard_transfers": []any{},
	}, nil
}

func (h *Handler) shardKeys(r *request) (any, error) {
	_, err := h.collection(r)
	return map[string]any{}, err
}

// collection returns the collection that the path names.
func (h *Handler) collection(r *request) (*service.Collection, error) {
	name := r.PathValue("collection_name")
	if strings.ContainsAny(name, "/\x00") {
		var found violations
		found.add("collection_name", "collection name cannot contain \"/\" or NUL")
		return nil, found.err("path parameters")
	}
	return h.svc.Collection(name)
}
