package httpapi

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/isobath/isobath/server/service"
)

// Options configures New.
type Options struct {
	Defaults     Defaults
	MaxBodyBytes int64 // default 32 MiB
	// AnyOrigin answers requests of foreign web pages even without a key, and sends CORS headers.
	AnyOrigin bool
	// Version is the program's own version.
	Version string
	Log     *slog.Logger // nil: nothing is logged
}

// Handler serves the HTTP interface. It is safe for concurrent use.
type Handler struct {
	svc     *service.Service
	options Options
	mux     *http.ServeMux
	metrics [2]http.Handler // plain, anonymous
	log     *slog.Logger
}

// New returns a Handler for a service.
func New(svc *service.Service, o Options) *Handler {
	o.MaxBodyBytes = cmp.Or(o.MaxBodyBytes, 32<<20)
	o.Version = cmp.Or(o.Version, "dev")
	h := &Handler{svc: svc, options: o, mux: http.NewServeMux(), log: o.Log}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	h.metrics = metricHandlers(svc)
	for _, rt := range routes {
		h.mux.Handle(rt.pattern, h.endpoint(rt))
	}
	h.mux.Handle("/", h.endpoint(route{"/", read, (*Handler).unknown}))
	return h
}

// ServeHTTP answers one request: its origin and path are looked at before anything else.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.allowOrigin(w, r) {
		return
	}
	if path := strings.TrimRight(r.URL.Path, "/"); path != r.URL.Path { // a trailing slash is ignored
		u := *r.URL
		u.Path, u.RawPath = cmp.Or(path, "/"), strings.TrimRight(u.RawPath, "/")
		r2 := *r
		r2.URL = &u
		r = &r2
	}
	if !cleanPath(r.URL.EscapedPath()) {
		r2 := *r
		r2.URL = &url.URL{Path: "/unclean"}
		r = &r2
	}
	h.mux.ServeHTTP(w, r)
}

// allowOrigin keeps web pages away from a server without a key and says whether to go on.
func (h *Handler) allowOrigin(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if !h.svc.AuthRequired() && !h.options.AnyOrigin {
		if foreignPage(r) {
			h.writeError(w, time.Now(), forbidden("requests of web pages need a configured API key, or enable_cors"))
			return false
		}
		return true
	}
	if origin == "" {
		return true
	}
	header := w.Header()
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Access-Control-Expose-Headers", "*")
	if r.Method != http.MethodOptions {
		return true
	}
	header.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE, OPTIONS")
	header.Set("Access-Control-Allow-Headers", cmp.Or(r.Header.Get("Access-Control-Request-Headers"), "*"))
	header.Set("Access-Control-Max-Age", "3600")
	w.WriteHeader(http.StatusOK)
	return false
}

// foreignPage says whether a browser sends the request for a page of somebody else. A page whose
// own name was bound to this address has the right origin, so names are not trusted either.
func foreignPage(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" && r.Header.Get("Sec-Fetch-Site") == "" {
		return false // no browser
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host != "localhost" && net.ParseIP(strings.Trim(host, "[]")) == nil {
		return true
	}
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || !strings.EqualFold(u.Host, r.Host)
}

// request is a request on its way to a handler function.
type request struct {
	*http.Request
	w       http.ResponseWriter
	body    []byte
	began   time.Time
	ctx     context.Context
	wait    bool
	explain bool
	written bool // the handler function has answered by itself

	explanation any // goes beside the result
}

// endpoint wraps a route: authorization, then the body, then the function, then the answer.
func (h *Handler) endpoint(rt route) http.Handler {
	method, path, _ := strings.Cut(rt.pattern, " ")
	path = strings.TrimSuffix(path, "{$}")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		req := &request{Request: r, w: out, began: time.Now(), ctx: r.Context()}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				h.log.Error("request panicked", "route", rt.pattern, "panic", p, "stack", string(debug.Stack()))
				if !out.wrote {
					h.writeError(out, req.began, errors.New("internal fault, see the log"))
				}
			}
			if path != "" {
				h.svc.ObserveHTTP(method, path, out.status, time.Since(req.began))
			}
			h.log.Debug("request", "route", rt.pattern, "status", out.status, "took", time.Since(req.began))
		}()
		h.serve(rt, req, out)
	})
}

func (h *Handler) serve(rt route, req *request, out *statusWriter) {
	if !h.authorize(rt, req, out) {
		return
	}
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		buf, err := readBody(out, req.Request, h.options.MaxBodyBytes)
		if err != nil {
			h.writeError(out, req.began, err)
			return
		}
		defer putBuffer(buf)
		req.body = buf.Bytes()
	}
	cancel, err := req.parameters()
	if err == nil {
		defer cancel()
		var result any
		if result, err = rt.handle(h, req); err == nil {
			if !req.written {
				h.writeResult(out, req, result)
			}
			return
		}
	}
	h.writeError(out, req.began, err)
}

// authorize answers requests without the right to go on, before their body is read.
func (h *Handler) authorize(rt route, req *request, w http.ResponseWriter) bool {
	if rt.access == open {
		return true
	}
	key := req.Header.Get("Api-Key")
	if key == "" {
		if scheme, bearer, ok := strings.Cut(req.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
			key = bearer
		}
	}
	role, err := h.svc.Authorize(key)
	switch {
	case errors.Is(err, service.ErrNoKey):
		refuse(w, "Must provide an API key or an Authorization bearer token")
	case err != nil:
		refuse(w, "Invalid API key or JWT")
	case rt.access == write && role != service.RoleAll:
		w.Header().Set("Connection", "close") // the body is not read
		h.writeError(w, req.began, forbidden("Global manage access is required"))
	default:
		return true
	}
	return false
}

func refuse(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Connection", "close")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write([]byte(text))
}

// writeResult writes the envelope around a result.
func (h *Handler) writeResult(w http.ResponseWriter, req *request, result any) {
	out, err := appendValue([]byte(`{"result":`), result)
	if err == nil && req.explanation != nil {
		out, err = appendValue(append(out, `,"explain":`...), req.explanation)
	}
	if err != nil {
		h.writeError(w, req.began, err)
		return
	}
	out = append(out, `,"status":"ok","time":`...)
	out = append(appendSeconds(out, time.Since(req.began)), '}')
	writeJSON(w, http.StatusOK, out)
}

func appendValue(dst []byte, v any) ([]byte, error) {
	if a, ok := v.(appender); ok {
		return a.appendJSON(dst), nil
	}
	raw, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true)) // names of FT indexes are bytes
	return append(dst, raw...), err
}

func (h *Handler) writeError(w http.ResponseWriter, began time.Time, err error) {
	api := toAPI(err)
	if api.status >= 500 && !errors.Is(err, service.ErrLoading) { // clients ask again and again until it is there
		h.log.Error("request failed", "err", err)
	}
	text, _ := json.Marshal(strings.ToValidUTF8(api.text, "\uFFFD"))
	out := append([]byte(`{"status":{"error":`), text...)
	out = append(out, `},"time":`...)
	out = append(appendSeconds(out, time.Since(began)), '}')
	writeJSON(w, api.status, out)
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func appendSeconds(dst []byte, d time.Duration) []byte {
	return strconv.AppendFloat(dst, float64(d.Nanoseconds())/1e9, 'f', 9, 64)
}

// statusWriter remembers the status that was sent.
type statusWriter struct {
	http.ResponseWriter
	status int
	wrote  bool
}

func (s *statusWriter) WriteHeader(status int) {
	s.status, s.wrote = status, true
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusWriter) Write(b []byte) (int, error) {
	s.wrote = true
	return s.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }
