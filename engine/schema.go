package engine

import (
	"bytes"
	"maps"
	"math"
	"time"

	"github.com/isobath/isobath/engine/vectorindex"
	"github.com/isobath/isobath/filter"
	"github.com/isobath/isobath/mmapvec"
	"github.com/isobath/isobath/mmapvec/distance"
)

// Distance is the similarity measure of a named vector.
type Distance uint8

// Distances. Numbers are stored on disk and never reused.
const (
	Cosine    Distance = 1 // rows are normalised on write; a zero vector is kept
	Dot       Distance = 2
	Euclid    Distance = 3
	Manhattan Distance = 4
)

// Metric returns the kernel metric that orders rows under d.
func (d Distance) Metric() distance.Metric {
	switch d {
	case Euclid:
		return distance.L2
	case Manhattan:
		return distance.L1
	default:
		return distance.Dot
	}
}

// CodeConfig chooses the codes that graphs are built and walked on.
type CodeConfig = vectorindex.CodeConfig

// Kinds of codes.
const (
	CodesAuto   = vectorindex.CodesAuto
	CodesScalar = vectorindex.CodesScalar
	CodesTurbo  = vectorindex.CodesTurbo
)

// Placement says where something is read from.
type Placement = vectorindex.Placement

// Placements.
const (
	PlaceAuto   = vectorindex.PlaceAuto
	PlaceMemory = vectorindex.PlaceMemory
	PlaceMapped = vectorindex.PlaceMapped
)

// Datatype is the type that the components of a vector are stored in.
type Datatype = mmapvec.Datatype

// Datatypes.
const (
	Float32 = mmapvec.Float32
	Float16 = mmapvec.Float16 // components are rounded on write
	Uint8   = mmapvec.Uint8   // fractions are dropped on write, components limited to 0..255; not under Cosine
)

// VectorParams describes one named vector of a collection. Size, Distance, Datatype and Flat are for ever.
type VectorParams struct {
	Size     int // components, 1..65536
	Distance Distance
	Datatype Datatype
	Flat     bool // exact search always, no graph (FT: VECTOR FLAT)
	NoGraph  bool // m: 0
	// M is the number of links of a node (16); EfConstruct the beam of the graph build (100).
	M, EfConstruct int
	// FullScanBytes is the size in raw bytes below which a search scans (default 10 000 KiB).
	FullScanBytes int64
	OnDisk        bool // rows need not be kept in memory
	Codes         CodeConfig
	// Where codes and links of sealed segments are read from.
	CodesPlacement, LinksPlacement Placement
}

// Schema is what a collection is created with, and what DB.UpdateCollection changes.
type Schema struct {
	Vectors map[string]VectorParams
	// IndexFromBytes is the size in raw bytes from which a graph is built; 0 means the
	// default (10 000 KiB), negative never.
	IndexFromBytes int64
	// NoBackground switches background work off for the collection.
	NoBackground bool
	// Config is kept for the protocol layer, byte for byte; the engine never reads it.
	Config []byte
}

func (s Schema) equal(o Schema) bool {
	return maps.Equal(s.Vectors, o.Vectors) && s.IndexFromBytes == o.IndexFromBytes && s.NoBackground == o.NoBackground &&
		bytes.Equal(s.Config, o.Config)
}

// indexFrom returns the size in raw bytes from which graphs are built; those that are there serve on whatever it says.
func (s Schema) indexFrom() int64 {
	if s.NoBackground || s.IndexFromBytes < 0 {
		return math.MaxInt64
	}
	return s.IndexFromBytes
}

// noGraph says whether no graph is to be built for a vector.
func (s Schema) noGraph(name string) bool {
	return s.Vectors[name].NoGraph || s.NoBackground || s.IndexFromBytes < 0
}

// FieldType is the type of an attribute of an FT index.
type FieldType uint8

// Types of FT attributes. Numbers are stored on disk and never reused.
const (
	FieldTag     FieldType = 1
	FieldNumeric FieldType = 2
	FieldText    FieldType = 3 // kept as a blob; no terms are indexed yet
	FieldVector  FieldType = 4
)

// IndexField is one attribute of an FT index.
type IndexField struct {
	Source, Alias string // name inside the document; name in queries
	Type          FieldType
	Separator     byte // TAG; 0 means ','
	CaseSensitive bool // TAG
	IndexEmpty    bool // TAG: empty strings are indexed
	NoIndex       bool
	Vector        VectorParams // VECTOR
	// Options is kept for FT.INFO, byte for byte; the engine never reads it.
	Options []byte
}

// IndexDef defines an FT index: a collection fed by the documents of a logical database.
type IndexDef struct {
	Name     string
	Database int
	Prefixes [][]byte // none: every key
	Fields   []IndexField
	SkipScan bool
	Created  time.Time
	// Options is kept for FT.INFO, byte for byte; the engine never reads it.
	Options []byte
}

// BackfillState is the state of the scan that fills a new FT index.
type BackfillState uint8

// States of a backfill. Numbers are stored on disk and never reused.
const (
	BackfillCompleted  BackfillState = 1
	BackfillInProgress BackfillState = 2
	BackfillPaused     BackfillState = 3
	BackfillFailed     BackfillState = 4
)

// IndexFailures counts the conversion failures of one FT attribute since creation.
type IndexFailures struct {
	Count     uint64
	LastError string // "" when none
	LastKey   []byte
}

// IndexInfo is the state of an FT index.
type IndexInfo struct {
	Def      IndexDef
	State    BackfillState
	Progress float64 // 0..1
	Err      string  // reason of a failed backfill
	Failures IndexFailures
	ByField  map[string]IndexFailures // by alias
}

// FieldInfo is a payload index and the number of points that have a value in it.
type FieldInfo = filter.FieldInfo

// IndexMemory is the anonymous memory of a vector index, by what it holds.
type IndexMemory = vectorindex.Memory

// VectorInfo is the state of one named vector.
type VectorInfo struct {
	Params   VectorParams
	Vectors  int // live vectors
	Indexed  int // vectors in a graph
	Tail     int // vectors not yet in a graph, found by scan
	Segments int // sealed segments
	Deleted  int // dead vectors still named by a segment
	// Files on disk: rows; sealed segments with codes and links.
	RowBytes, SegmentBytes int64
	Memory                 IndexMemory // anonymous memory of codes and links
}

// Status of a collection as HTTP shows it.
type Status uint8

// Statuses: Green at rest, Yellow while background work is running or due, Grey when it is
// due but switched off, Red after a failure.
const (
	Green Status = iota + 1
	Yellow
	Grey
	Red
)

// CollectionInfo is the counters of a collection at one moment.
type CollectionInfo struct {
	Name      string
	Schema    Schema
	Points    int
	Vectors   map[string]VectorInfo
	Fields    []FieldInfo
	Segments  int
	Status    Status
	Err       string // with Red
	Queue     int    // logged, not yet applied writes of the database
	Operation uint64 // last operation number
	DiskBytes int64
	Index     *IndexInfo // FT collections
}
