package server

import (
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v3"

	"github.com/isobath/isobath/server/httpapi"
)

// settings is the configuration file. Names are Qdrant's where Qdrant has the setting.
type settings struct {
	LogLevel    *string         `yaml:"log_level"`
	MemoryLimit *string         `yaml:"memory_limit"` // bytes, 8GiB, or 75%
	Service     serviceSettings `yaml:"service"`
	RESP        respSettings    `yaml:"resp"`
	Storage     storageSettings `yaml:"storage"`

	Cluster           ignored `yaml:"cluster"`
	TLS               ignored `yaml:"tls"`
	TelemetryDisabled ignored `yaml:"telemetry_disabled"`
	Debug             ignored `yaml:"debug"`
	Logger            ignored `yaml:"logger"`
	GPU               ignored `yaml:"gpu"`
	Inference         ignored `yaml:"inference"`
	FeatureFlags      ignored `yaml:"feature_flags"`
	Audit             ignored `yaml:"audit"`
	LoadTools         ignored `yaml:"load_tools"`
}

type serviceSettings struct {
	Host           *string `yaml:"host"`
	HTTPPort       *uint16 `yaml:"http_port"`
	APIKey         *string `yaml:"api_key"`
	AltAPIKey      *string `yaml:"alt_api_key"`
	ReadOnlyAPIKey *string `yaml:"read_only_api_key"`
	EnableCORS     *bool   `yaml:"enable_cors"`
	MaxRequestMB   *uint32 `yaml:"max_request_size_mb"`
	InsecureNoAuth *bool   `yaml:"insecure_no_auth"`

	EnableTLS        *bool `yaml:"enable_tls"`
	VerifyClientCert *bool `yaml:"verify_https_client_certificate"`
	JWT              *bool `yaml:"jwt_rbac"`

	GRPCPort          ignored `yaml:"grpc_port"`
	MaxWorkers        ignored `yaml:"max_workers"`
	HardwareReporting ignored `yaml:"hardware_reporting"`
	StaticContent     ignored `yaml:"enable_static_content"`
	StaticContentDir  ignored `yaml:"static_content_dir"`
	SlowQuerySecs     ignored `yaml:"slow_query_secs"`
	MetricsPrefix     ignored `yaml:"metrics_prefix"`
}

type respSettings struct {
	Enabled   *bool             `yaml:"enabled"`
	Host      *string           `yaml:"host"`
	Port      *uint16           `yaml:"port"`
	Password  *string           `yaml:"requirepass"`
	Databases *int              `yaml:"databases"`
	Config    map[string]string `yaml:"config"`
}

type storageSettings struct {
	StoragePath   *string `yaml:"storage_path"`
	OnDiskPayload *bool   `yaml:"on_disk_payload"`
	HNSW          struct {
		M                  *uint64 `yaml:"m"`
		EfConstruct        *uint64 `yaml:"ef_construct"`
		FullScan           *uint64 `yaml:"full_scan_threshold"`
		FullScanKB         *uint64 `yaml:"full_scan_threshold_kb"`
		MaxIndexingThreads *uint64 `yaml:"max_indexing_threads"`
		OnDisk             *bool   `yaml:"on_disk"`
		PayloadM           *uint64 `yaml:"payload_m"`
	} `yaml:"hnsw_index"`
	Optimizers struct {
		DeletedThreshold *float64 `yaml:"deleted_threshold"`
		VacuumMin        *uint64  `yaml:"vacuum_min_vector_number"`
		DefaultSegments  *uint64  `yaml:"default_segment_number"`
		MaxSegment       *uint64  `yaml:"max_segment_size"`
		MaxSegmentKB     *uint64  `yaml:"max_segment_size_kb"`
		Memmap           *uint64  `yaml:"memmap_threshold"`
		MemmapKB         *uint64  `yaml:"memmap_threshold_kb"`
		Indexing         *uint64  `yaml:"indexing_threshold"`
		IndexingKB       *uint64  `yaml:"indexing_threshold_kb"`
		FlushSeconds     *uint64  `yaml:"flush_interval_sec"`
		MaxThreads       *uint64  `yaml:"max_optimization_threads"`
		Prevent          *bool    `yaml:"prevent_unoptimized"`
	} `yaml:"optimizers"`
	WAL struct {
		CapacityMB    *uint64 `yaml:"wal_capacity_mb"`
		SegmentsAhead *uint64 `yaml:"wal_segments_ahead"`
		RetainClosed  *uint64 `yaml:"wal_retain_closed"`
	} `yaml:"wal"`
	Collection struct {
		Vectors struct {
			OnDisk *bool `yaml:"on_disk"`
		} `yaml:"vectors"`
		Replication      *uint64        `yaml:"replication_factor"`
		WriteConsistency *uint64        `yaml:"write_consistency_factor"`
		Quantization     map[string]any `yaml:"quantization"`
		StrictMode       map[string]any `yaml:"strict_mode"`
		ShardNumber      ignored        `yaml:"shard_number_per_node"`
	} `yaml:"collection"`
	Performance struct {
		SearchThreads     ignored `yaml:"max_search_threads"`
		SearchTimeout     ignored `yaml:"search_timeout_sec"`
		OptimizerThreads  ignored `yaml:"max_optimization_threads"`
		OptimizerBudget   ignored `yaml:"optimizer_cpu_budget"`
		OptimizerIOBudget ignored `yaml:"optimizer_io_budget"`
		UpdateRateLimit   ignored `yaml:"update_rate_limit"`
		Incoming          ignored `yaml:"incoming_shard_transfers_limit"`
		Outgoing          ignored `yaml:"outgoing_shard_transfers_limit"`
		AsyncScorer       ignored `yaml:"async_scorer"`
		LoadConcurrency   ignored `yaml:"load_concurrency"`
		OptimizerResource ignored `yaml:"max_optimization_runtime_threads"`
	} `yaml:"performance"`

	SnapshotsPath     ignored `yaml:"snapshots_path"`
	SnapshotsConfig   ignored `yaml:"snapshots_config"`
	TempPath          ignored `yaml:"temp_path"`
	UpdateConcurrency ignored `yaml:"update_concurrency"`
	NodeType          ignored `yaml:"node_type"`
	ShardTransfer     ignored `yaml:"shard_transfer_method"`
	MaxCollections    ignored `yaml:"max_collections"`
	RecoveryMode      ignored `yaml:"recovery_mode"`
	HandleLoad        ignored `yaml:"handle_collection_load_errors"`
	UpdateQueueSize   ignored `yaml:"update_queue_size"`
}

// ignored is a setting that Qdrant knows and that means nothing here.
type ignored struct{ set bool }

// UnmarshalYAML takes whatever stands there.
func (i *ignored) UnmarshalYAML(*yaml.Node) error {
	i.set = true
	return nil
}

// config turns the settings into a Config.
func (s *settings) config() (Config, error) {
	var c Config
	var errs []error
	if s.LogLevel != nil {
		if err := c.LogLevel.UnmarshalText([]byte(strings.ToUpper(*s.LogLevel))); err != nil {
			errs = append(errs, fmt.Errorf("log_level: %q is none of debug, info, warn, error", *s.LogLevel))
		}
	}
	if s.MemoryLimit != nil {
		n, err := parseMemory(*s.MemoryLimit)
		if err != nil {
			errs = append(errs, fmt.Errorf("memory_limit: %w", err))
		}
		c.MemoryLimit = n
	}
	sv := &s.Service
	for _, b := range []struct {
		name string
		set  *bool
	}{
		{"service.enable_tls", sv.EnableTLS}, {"service.verify_https_client_certificate", sv.VerifyClientCert}, {"service.jwt_rbac", sv.JWT},
		{"storage.optimizers.prevent_unoptimized", s.Storage.Optimizers.Prevent},
	} {
		if b.set != nil && *b.set {
			errs = append(errs, fmt.Errorf("%s is not supported yet", b.name))
		}
	}
	c.HTTPAddr = address(value(sv.Host, "127.0.0.1"), value(sv.HTTPPort, 6333))
	c.APIKey, c.AltAPIKey, c.ReadOnlyAPIKey = value(sv.APIKey, ""), value(sv.AltAPIKey, ""), value(sv.ReadOnlyAPIKey, "")
	c.InsecureNoAuth, c.EnableCORS = value(sv.InsecureNoAuth, false), value(sv.EnableCORS, false)
	c.MaxBodyBytes = int64(value(sv.MaxRequestMB, 32)) << 20
	c.RESPAddr = address(value(s.RESP.Host, "127.0.0.1"), value(s.RESP.Port, 6379))
	if !value(s.RESP.Enabled, true) {
		c.RESPAddr = respOff
	}
	c.Password, c.Databases, c.RESP = value(s.RESP.Password, ""), value(s.RESP.Databases, 0), s.RESP.Config
	c.DataDir = value(s.Storage.StoragePath, "./isobath-data")
	defaults, err := s.Storage.defaults()
	c.Defaults = defaults
	return c, errors.Join(append(errs, err)...)
}

func (s *storageSettings) defaults() (httpapi.Defaults, error) {
	h, o, w, cl := &s.HNSW, &s.Optimizers, &s.WAL, &s.Collection
	d := httpapi.Defaults{
		M: h.M, EfConstruct: value(h.EfConstruct, 0), FullScanThreshold: value(first(h.FullScan, h.FullScanKB), 0),
		MaxIndexingThreads: value(h.MaxIndexingThreads, 0), HNSWOnDisk: value(h.OnDisk, false), PayloadM: h.PayloadM,
		DeletedThreshold: o.DeletedThreshold, VacuumMin: value(o.VacuumMin, 0), DefaultSegments: value(o.DefaultSegments, 0),
		MaxSegmentSize: first(o.MaxSegment, o.MaxSegmentKB), MemmapThreshold: first(o.Memmap, o.MemmapKB),
		Indexing: first(o.Indexing, o.IndexingKB), FlushSeconds: value(o.FlushSeconds, 0), MaxThreads: o.MaxThreads,
		WALCapacityMB: value(w.CapacityMB, 0), WALSegmentsAhead: value(w.SegmentsAhead, 0), WALRetainClosed: value(w.RetainClosed, 0),
		PayloadInMemory: !value(s.OnDiskPayload, true), VectorsOnDisk: value(cl.Vectors.OnDisk, false),
		Replication: value(cl.Replication, 0), WriteConsistency: value(cl.WriteConsistency, 0),
	}
	var err error
	if cl.Quantization != nil {
		d.Quantization, err = json.Marshal(cl.Quantization)
	}
	if cl.StrictMode != nil && err == nil {
		d.StrictMode, err = json.Marshal(cl.StrictMode)
	}
	return d, err
}

func value[T any](p *T, standard T) T {
	if p == nil {
		return standard
	}
	return *p
}

func first[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

func address(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// parseMemory reads bytes, a number with a unit, or a share of the machine such as 75%.
func parseMemory(s string) (int64, error) {
	if share, ok := strings.CutSuffix(s, "%"); ok {
		n, err := strconv.Atoi(share)
		total := min(groupMemory(), machineMemory())
		if err != nil || n < 1 || n > 100 || total == math.MaxInt64 {
			return 0, fmt.Errorf("%q is no share of this machine's memory", s)
		}
		return total / 100 * int64(n), nil
	}
	n, err := humanize.ParseBytes(s)
	if err != nil || n > math.MaxInt64 {
		return 0, fmt.Errorf("%q is no size such as 8GiB", s)
	}
	return int64(n), nil
}
