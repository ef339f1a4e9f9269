package httpapi

import "github.com/go-json-experiment/json"

// Defaults are the settings of collections that a creation leaves out (docs/http.md, server
// defaults). The zero value of a field means the default named there.
type Defaults struct {
	M                  *uint64 // 16; 0 is a meaning of its own
	EfConstruct        uint64  // 100
	FullScanThreshold  uint64  // 10 000 KiB
	MaxIndexingThreads uint64
	HNSWOnDisk         bool
	PayloadM           *uint64

	DeletedThreshold *float64 // 0.2
	VacuumMin        uint64   // 1000
	DefaultSegments  uint64
	MaxSegmentSize   *uint64
	MemmapThreshold  *uint64
	Indexing         *uint64 // 10 000 KiB; 0 is never
	FlushSeconds     uint64  // 5
	MaxThreads       *uint64

	WALCapacityMB    uint64 // 32
	WALSegmentsAhead uint64
	WALRetainClosed  uint64 // 1

	PayloadInMemory  bool   // on_disk_payload: false
	VectorsOnDisk    bool   // collection.vectors.on_disk
	Replication      uint64 // 1
	WriteConsistency uint64 // 1
	Quantization     []byte // JSON of collection.quantization
	StrictMode       []byte // JSON of collection.strict_mode
}

func ptr[T any](v T) *T { return &v }

func orDefault(n, standard uint64) *uint64 {
	if n == 0 {
		return &standard
	}
	return &n
}

// config returns the configuration of a collection created without any setting.
func (d Defaults) config() collectionConfig {
	c := collectionConfig{
		Params: paramsConfig{
			ShardNumber: ptr[uint64](1), Replication: orDefault(d.Replication, 1), WriteConsistency: orDefault(d.WriteConsistency, 1),
			OnDiskPayload: ptr(!d.PayloadInMemory),
		},
		HNSW: hnswConfig{
			M: or(d.M, ptr[uint64](16)), EfConstruct: orDefault(d.EfConstruct, 100), FullScanThreshold: orDefault(d.FullScanThreshold, 10000),
			MaxIndexingThreads: ptr(d.MaxIndexingThreads), OnDisk: ptr(d.HNSWOnDisk), PayloadM: d.PayloadM,
		},
		Optimizer: optimizerConfig{
			DeletedThreshold: or(d.DeletedThreshold, ptr(0.2)), VacuumMin: orDefault(d.VacuumMin, 1000), DefaultSegments: ptr(d.DefaultSegments),
			MaxSegmentSize: d.MaxSegmentSize, MemmapThreshold: d.MemmapThreshold, Indexing: or(d.Indexing, ptr[uint64](10000)),
			FlushSeconds: orDefault(d.FlushSeconds, 5),
		},
		WAL: &walConfig{orDefault(d.WALCapacityMB, 32), ptr(d.WALSegmentsAhead), orDefault(d.WALRetainClosed, 1)},
	}
	if d.MaxThreads != nil {
		c.Optimizer.MaxThreads = &threads{d.MaxThreads}
	}
	if len(d.Quantization) > 0 {
		c.Quantization = &quantizationBody{d.Quantization}
	}
	if len(d.StrictMode) > 0 {
		c.StrictMode = d.StrictMode
	}
	return c
}

// Check reports what is wrong with the defaults.
func (d Defaults) Check() error {
	var found violations
	c := d.config()
	c.HNSW.check(&found, "storage.hnsw_index")
	c.Optimizer.check(&found, "storage.optimizers")
	c.WAL.check(&found, "storage.wal")
	if len(d.StrictMode) > 0 {
		var mode strictBody
		if err := json.Unmarshal(d.StrictMode, &mode); err != nil {
			return formatError("storage.collection.strict_mode: %s", describe(err))
		}
	}
	if strictEnabled(c.StrictMode) {
		return unsupported("storage.collection.strict_mode is")
	}
	if err := c.Quantization.check(&found, "storage.collection.quantization"); err != nil {
		return err
	}
	return found.err("configuration")
}
