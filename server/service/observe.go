package service

import (
	"crypto/sha256"
	"encoding/hex"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// APIVersion is the version of the HTTP interface that clients compare with their own.
const APIVersion = "1.19.0"

// observer counts what the service does. Its registry belongs to the service alone.
type observer struct {
	registry   *prometheus.Registry
	anonymous  *prometheus.Registry
	responses  *prometheus.CounterVec
	durations  *prometheus.HistogramVec
	authFaults *prometheus.CounterVec
}

func newObserver(s *Service) *observer {
	o := &observer{
		registry:  prometheus.NewRegistry(),
		anonymous: prometheus.NewRegistry(),
		responses: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rest_responses_total", Help: "total number of responses",
		}, []string{"method", "endpoint", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rest_responses_duration_seconds", Help: "response duration histogram",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method", "endpoint", "status"}),
		authFaults: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "auth_failures_total", Help: "refused authentications",
		}, []string{"reason"}),
	}
	for _, r := range []*prometheus.Registry{o.registry, o.anonymous} {
		r.MustRegister(o.responses, o.durations, o.authFaults, collectors.NewGoCollector(),
			collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	}
	o.registry.MustRegister(&gauges{s: s})
	o.anonymous.MustRegister(&gauges{s: s, anonymous: true})
	return o
}

func (o *observer) authFailed(reason string) { o.authFaults.WithLabelValues(reason).Inc() }

// Metrics returns what is measured; anonymous hides the names of collections.
func (s *Service) Metrics(anonymous bool) prometheus.Gatherer {
	if anonymous {
		return s.observe.anonymous
	}
	return s.observe.registry
}

// ObserveHTTP counts one response of an endpoint, named by its route.
func (s *Service) ObserveHTTP(method, endpoint string, status int, took time.Duration) {
	code := strconv.Itoa(status)
	s.observe.responses.WithLabelValues(method, endpoint, code).Inc()
	s.observe.durations.WithLabelValues(method, endpoint, code).Observe(took.Seconds())
}

// gauges reads the database's state when metrics are asked for.
type gauges struct {
	s         *Service
	anonymous bool
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	descApp         = describe("app_info", "information about qdrant server", "name", "version")
	descCollections = describe("collections_total", "number of collections")
	descPoints      = describe("collection_points", "approximate amount of points per collection", "id")
	descVectors     = describe("collection_vectors", "amount of vectors grouped by vector name", "id", "vector")
	descVectorsSum  = describe("collections_vector_total", "total number of vectors in all collections")
	descSequence    = describe("isobath_sequence", "newest operation by stage", "stage")
	descQueue       = describe("isobath_queue_operations", "operations between the log and visibility")
	descQueueBytes  = describe("isobath_queue_bytes", "bytes of operations between the log and visibility")
	descMemory      = describe("isobath_memory_bytes", "memory by component", "component")
	descDisk        = describe("isobath_disk_bytes", "files by component", "component")
	descViews       = describe("isobath_views", "pinned read states")
	descKeys        = describe("isobath_keys", "documents of all databases")
	descCheckpoint  = describe("isobath_checkpoint_seconds", "duration of the newest checkpoint")
	descHealthy     = describe("isobath_writes_accepted", "1 while writes are accepted")
	descPaced       = describe("isobath_collections_paced", "collections whose writes are answered at the speed of the graph")
	descDegraded    = describe("isobath_segments_degraded", "graph segments read from mapped files although memory was wanted")
	descReplayed    = describe("isobath_start_replayed_operations", "log records replayed at the start")
)

// Describe sends nothing: which metrics there are depends on the collections.
func (g *gauges) Describe(chan<- *prometheus.Desc) {}

// Collect sends the values of now.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(descApp, 1, "isobath", APIVersion)
	db := g.s.db.Load()
	if db == nil {
		return
	}
	names := db.Collections()
	gauge(descCollections, float64(len(names)))
	total := 0
	for _, name := range names {
		c, err := db.Collection(name)
		if err != nil {
			continue // dropped meanwhile
		}
		info := c.Info()
		id := g.name(name)
		gauge(descPoints, float64(info.Points), id)
		for vector, v := range info.Vectors {
			gauge(descVectors, float64(v.Vectors), id, g.name(vector))
			total += v.Vectors
		}
	}
	gauge(descVectorsSum, float64(total))
	st := db.Stats()
	gauge(descSequence, float64(st.Sequenced), "sequenced")
	gauge(descSequence, float64(st.Durable), "durable")
	gauge(descSequence, float64(st.Published), "published")
	gauge(descSequence, float64(st.Checkpoint), "checkpoint")
	gauge(descQueue, float64(st.Queue))
	gauge(descQueueBytes, float64(st.QueueBytes))
	gauge(descViews, float64(st.Views))
	gauge(descKeys, float64(st.Keys))
	gauge(descCheckpoint, st.CheckpointTook.Seconds())
	gauge(descReplayed, float64(st.Open.Replayed))
	for component, bytes := range st.Memory {
		gauge(descMemory, float64(bytes), component)
	}
	for component, bytes := range st.Disk {
		gauge(descDisk, float64(bytes), component)
	}
	gauge(descPaced, float64(st.Paced))
	gauge(descDegraded, float64(st.Degraded))
	collectCounters(out, &st)
	healthy := 1.0
	if db.Failed() != nil {
		healthy = 0
	}
	gauge(descHealthy, healthy)
}

// name returns a label for a name; a label must be UTF-8, the name of an FT index need not.
func (g *gauges) name(s string) string {
	if !g.anonymous || s == "" {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

// Commit returns the 40 hex digits of the commit the program was built from, zeros when the
// build does not know.
func Commit() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) == 40 {
				return s.Value
			}
		}
	}
	return "0000000000000000000000000000000000000000"
}
