package httpapi

import (
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/isobath/isobath/engine"
)

// The structs here are what Schema.Config keeps and collection info shows under "config": the
// user's settings merged with the defaults of the day of creation. They also read requests.

type hnswConfig struct {
	M                  *uint64 `json:"m,omitzero"`
	EfConstruct        *uint64 `json:"ef_construct,omitzero"`
	FullScanThreshold  *uint64 `json:"full_scan_threshold,omitzero"`
	FullScanKB         *uint64 `json:"full_scan_threshold_kb,omitzero"`
	MaxIndexingThreads *uint64 `json:"max_indexing_threads,omitzero"`
	OnDisk             *bool   `json:"on_disk,omitzero"`
	Memory             *memory `json:"memory,omitzero"`
	PayloadM           *uint64 `json:"payload_m,omitzero"`
	InlineStorage      *bool   `json:"inline_storage,omitzero"`
}

func (h *hnswConfig) check(v *violations, at string) {
	if h == nil {
		return
	}
	if h.FullScanThreshold == nil {
		h.FullScanThreshold = h.FullScanKB
	}
	h.FullScanKB = nil
	atMost(v, at+".m", h.M, 512)
	atLeast(v, at+".ef_construct", h.EfConstruct, 4)
	atMost(v, at+".ef_construct", h.EfConstruct, 1<<20)
	atLeast(v, at+".full_scan_threshold", h.FullScanThreshold, 10)
	atMost(v, at+".full_scan_threshold", h.FullScanThreshold, 1<<40)
	atMost(v, at+".payload_m", h.PayloadM, 512)
}

// over returns h where given and base elsewhere.
func (h *hnswConfig) over(base hnswConfig) hnswConfig {
	if h == nil {
		return base
	}
	return hnswConfig{
		M: or(h.M, base.M), EfConstruct: or(h.EfConstruct, base.EfConstruct), FullScanThreshold: or(h.FullScanThreshold, base.FullScanThreshold),
		MaxIndexingThreads: or(h.MaxIndexingThreads, base.MaxIndexingThreads), OnDisk: or(h.OnDisk, base.OnDisk), Memory: or(h.Memory, base.Memory),
		PayloadM: or(h.PayloadM, base.PayloadM), InlineStorage: or(h.InlineStorage, base.InlineStorage),
	}
}

// links returns where links are read from under h, or under base where h says nothing of it.
func (h *hnswConfig) links(base hnswConfig) engine.Placement {
	if h == nil || h.OnDisk == nil && h.Memory == nil {
		h = &base
	}
	otherwise := engine.PlaceAuto
	if h.OnDisk != nil && *h.OnDisk {
		otherwise = engine.PlaceMapped
	}
	return place(h.Memory, otherwise)
}

func or[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

// memory is a placement.
type memory = word[placementWord]

// place returns what a placement means, and otherwise where none is given.
func place(m *memory, otherwise engine.Placement) engine.Placement {
	if m == nil {
		return otherwise
	}
	switch m.text {
	case "cold":
		return engine.PlaceMapped
	case "pinned":
		return engine.PlaceMemory
	}
	return engine.PlaceAuto // in memory where there is room, as a page cache is
}

// notPinned refuses the placement that vectors and payloads cannot have.
func notPinned(v *violations, field string, m *memory) {
	if m != nil && m.text == "pinned" {
		v.add(field, "value \"pinned\" invalid, must be `cold` or `cached`")
	}
}

// threads is a number of threads; "auto" is nil.
type threads struct{ n *uint64 }

func (t *threads) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case '"':
		word, err := dec.ReadToken()
		if err == nil && word.String() != "auto" {
			err = errors.New("a number of threads or \"auto\" is expected")
		}
		return err
	case 'n':
		return dec.SkipValue()
	}
	return json.UnmarshalDecode(dec, &t.n)
}

func (t threads) MarshalJSONTo(enc *jsontext.Encoder) error { return json.MarshalEncode(enc, t.n) }

type optimizerConfig struct {
	DeletedThreshold *float64 `json:"deleted_threshold"`
	VacuumMin        *uint64  `json:"vacuum_min_vector_number"`
	DefaultSegments  *uint64  `json:"default_segment_number"`
	MaxSegmentSize   *uint64  `json:"max_segment_size"`
	MaxSegmentKB     *uint64  `json:"max_segment_size_kb,omitzero"`
	MemmapThreshold  *uint64  `json:"memmap_threshold"`
	MemmapKB         *uint64  `json:"memmap_threshold_kb,omitzero"`
	IndexingKB       *uint64  `json:"indexing_threshold_kb,omitzero"`
	Indexing         *uint64  `json:"indexing_threshold"`
	FlushSeconds     *uint64  `json:"flush_interval_sec"`
	MaxThreads       *threads `json:"max_optimization_threads"`
	Prevent          *bool    `json:"prevent_unoptimized"`
}

func (o *optimizerConfig) check(v *violations, at string) {
	if o == nil {
		return
	}
	o.MaxSegmentSize, o.MaxSegmentKB = or(o.MaxSegmentSize, o.MaxSegmentKB), nil
	o.MemmapThreshold, o.MemmapKB = or(o.MemmapThreshold, o.MemmapKB), nil
	o.Indexing, o.IndexingKB = or(o.Indexing, o.IndexingKB), nil
	between(v, at+".deleted_threshold", o.DeletedThreshold, 0, 1)
	atLeast(v, at+".vacuum_min_vector_number", o.VacuumMin, 100)
	atLeast(v, at+".max_segment_size", o.MaxSegmentSize, 1)
	atMost(v, at+".indexing_threshold", o.Indexing, 1<<40)
}

func (o *optimizerConfig) over(base optimizerConfig) optimizerConfig {
	if o == nil {
		return base
	}
	return optimizerConfig{
		DeletedThreshold: or(o.DeletedThreshold, base.DeletedThreshold), VacuumMin: or(o.VacuumMin, base.VacuumMin),
		DefaultSegments: or(o.DefaultSegments, base.DefaultSegments), MaxSegmentSize: or(o.MaxSegmentSize, base.MaxSegmentSize),
		MemmapThreshold: or(o.MemmapThreshold, base.MemmapThreshold), Indexing: or(o.Indexing, base.Indexing),
		FlushSeconds: or(o.FlushSeconds, base.FlushSeconds), MaxThreads: or(o.MaxThreads, base.MaxThreads), Prevent: or(o.Prevent, base.Prevent),
	}
}

type walConfig struct {
	CapacityMB    *uint64 `json:"wal_capacity_mb"`
	SegmentsAhead *uint64 `json:"wal_segments_ahead"`
	RetainClosed  *uint64 `json:"wal_retain_closed"`
}

func (w *walConfig) check(v *violations, at string) {
	if w == nil {
		return
	}
	atLeast(v, at+".wal_capacity_mb", w.CapacityMB, 1)
	atLeast(v, at+".wal_retain_closed", w.RetainClosed, 1)
}

func (w *walConfig) over(base walConfig) walConfig {
	if w == nil {
		return base
	}
	return walConfig{or(w.CapacityMB, base.CapacityMB), or(w.SegmentsAhead, base.SegmentsAhead), or(w.RetainClosed, base.RetainClosed)}
}

// vectorConfig describes one vector; it is kept with exactly the keys that were sent.
type vectorConfig struct {
	Size         *uint64           `json:"size,omitzero"`
	Distance     *string           `json:"distance,omitzero"`
	HNSW         *hnswConfig       `json:"hnsw_config,omitzero"`
	Quantization *quantizationBody `json:"quantization_config,omitzero"`
	OnDisk       *bool             `json:"on_disk,omitzero"`
	Memory       *memory           `json:"memory,omitzero"`
	Datatype     *string           `json:"datatype,omitzero"`
	Multi        jsontext.Value    `json:"multivector_config,omitzero"`
}

// vectorsConfig is one unnamed vector or vectors by name; which form was sent is kept.
type vectorsConfig struct {
	single *vectorConfig
	named  map[string]*vectorConfig
}

func (c *vectorsConfig) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '{' {
		return mismatch(dec, "", "a map")
	}
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	var probe struct {
		Size     jsontext.Value `json:"size"`
		Distance jsontext.Value `json:"distance"`
	}
	if err := json.Unmarshal(raw, &probe, bodyOptions); err != nil {
		return err
	}
	// A vector may be called "size" or "distance": then the member is a map.
	if isScalar(probe.Size) || isScalar(probe.Distance) {
		c.single = &vectorConfig{}
		return within(dec, json.Unmarshal(raw, c.single, bodyOptions))
	}
	return within(dec, json.Unmarshal(raw, &c.named, bodyOptions))
}

// within completes the place of an error in a value that was read as a whole.
func within(dec *jsontext.Decoder, err error) error {
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		semantic.JSONPointer = dec.StackPointer() + semantic.JSONPointer
	}
	return err
}

func isScalar(v jsontext.Value) bool { return v.Kind() != 0 && v.Kind() != '{' }

func (c vectorsConfig) MarshalJSONTo(enc *jsontext.Encoder) error {
	if c.single != nil {
		return json.MarshalEncode(enc, c.single)
	}
	return json.MarshalEncode(enc, c.named, json.Deterministic(true), json.FormatNilMapAsNull(false))
}

// byName returns the vectors by name.
func (c *vectorsConfig) byName() map[string]*vectorConfig {
	switch {
	case c == nil:
		return nil
	case c.single != nil:
		return map[string]*vectorConfig{"": c.single}
	}
	return c.named
}

// word is a string out of the list that its vocabulary names.
type word[V interface{ words() []string }] struct{ text string }

func (w *word[V]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var vocabulary V
	table := map[string]string{}
	for _, s := range vocabulary.words() {
		table[s] = s
	}
	return readEnum(dec, &w.text, table)
}

func (w word[V]) MarshalJSONTo(enc *jsontext.Encoder) error {
	return enc.WriteToken(jsontext.String(w.text))
}

type placementWord struct{}

func (placementWord) words() []string { return []string{"cold", "cached", "pinned"} }
