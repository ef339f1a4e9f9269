package vectorindex

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/isobath/isobath/hnsw"
	"github.com/isobath/isobath/internal/vfs"
	"github.com/isobath/isobath/mmapvec"
	"github.com/isobath/isobath/mmapvec/distance"
)

// Config says what an index is. Dim, Metric and Seed are for ever: a segment with others is rebuilt from the rows at
// Open. All else may change on reopen; M and EfConstruct rebuild the graphs in the background, old ones serve meanwhile.
type Config struct {
	Dim      int              // floats in a row
	Metric   distance.Metric  // cosine is Dot over normalised rows
	Datatype mmapvec.Datatype // for ever, that of Options.Rows; vectors appended and searched for hold its values
	Seed     uint64           // of the codes' rotation and of the graphs' levels

	Flat    bool // no codes and no graph: every search is exact
	NoGraph bool // codes without a graph
	// NoBackground has Work do only what reading and memory need: rows of a start are encoded, full parts written.
	NoBackground bool

	M           int // links per node and level, twice that on level 0; default 16
	EfConstruct int // breadth of the search for neighbours when a node is inserted; default 128

	// FullScanBytes is the size of all live raw vectors below which every search is exact, and the size of a filter's
	// matches below which they are scanned. Default 10 000 KiB; negative: never.
	FullScanBytes int64
	// IndexFromBytes is the size of all live raw vectors from which graphs are built. Default FullScanBytes's default;
	// negative: from the first.
	IndexFromBytes int64
	// SealRows is the number of rows of a full part. Default: 4 times the default of SnapshotRows.
	SealRows int
	// SnapshotRows is the number of rows that a graph in memory takes up between two snapshots of it: at most so many are
	// inserted again after a crash. Default: 1 GiB of raw vectors, within 65 536 to 262 144 rows.
	SnapshotRows int

	Codes CodeConfig // what codes graphs are built and walked on
	// Where codes and links of segments are read from.
	CodesPlacement, LinksPlacement Placement
}

// CodeKind is a family of codes.
type CodeKind uint8

// Kinds of codes.
const (
	CodesAuto   CodeKind = iota // rotated, of as many bits as dimension and memory suggest; plain 8-bit under L1
	CodesScalar                 // plain 8-bit: a byte for each component, unrotated
	CodesTurbo                  // rotated, of CodeConfig.Bits bits
)

// CodeConfig chooses codes. The zero value is for everyday use.
type CodeConfig struct {
	Kind     CodeKind
	Bits     int     // CodesTurbo: 1, 2 or 4; default 4
	Quantile float32 // CodesScalar: share of a row's components inside the range, 0.5 to 1; 0 means 1
}

// Placement says where something is read from.
type Placement uint8

// Placements.
const (
	PlaceAuto   Placement = iota // in memory as far as the budget goes, else mapped
	PlaceMemory                  // in memory, also in what is kept spare for rows and merges; PlaceAuto gives way first
	PlaceMapped                  // from the mapped file
)

// Options are everything else that Open needs.
type Options struct {
	Config
	FS vfs.FS
	// Dir holds the segment files of this index and nothing else; it is made when the first one is written. Open
	// removes segment files that saved does not name.
	Dir  string
	Rows *mmapvec.Store // the rows by slot; they are written before Append is called for them
	// Commit makes a new list of segments durable: the engine writes its manifest. After an error no segment is
	// written or removed until the list in use was committed again. The engine must hold one lock over "Saved() and writing the manifest", so that no
	// older list is written after a newer one. Default: nothing to do.
	Commit func(Saved) error
	// Budget is the memory that this index shares with others. Default: no bound.
	Budget *Budget
	// Built counts what graphs take. Indexes may share it. Default: one of its own.
	Built *Built
	// SpillDir is where merges that find no memory build their graph, in files without a name. Default: they take the
	// memory all the same.
	SpillDir string
	// Room says before a segment of so many bytes is written that there is no room for it. Default: there is.
	Room func(bytes int64) error
	// Parallelism is the number of goroutines of one Work slice and of encoding. Default GOMAXPROCS, at
	// most the cores.
	Parallelism int
	// SealIdle is how long after the last Append an unfilled head is sealed. Default 3 s; negative: at once.
	SealIdle time.Duration
	Log      *slog.Logger
}

// Built counts what was inserted into graphs in memory, of tails and by merges, and the distances on codes that this took.
type Built struct{ Rows, Distances atomic.Int64 }

// Saved is what the engine's manifest keeps of an index.
type Saved struct {
	Segments []SegmentRef
	NextFile uint64 // number of the next segment file
}

// SegmentRef names one segment file.
type SegmentRef struct {
	File  string // base name in Options.Dir
	ID    uint64 // file id, also in its header
	Rows  int
	Bytes int64 // file size
}

const (
	defaultThresholdBytes = 10_000 << 10
	snapshotRawBytes      = 1 << 30
	minSnapshotRows       = 64 << 10
	maxSnapshotRows       = 256 << 10
	snapshotsOfPart       = 4 // parts are full when they have so many times the rows of a snapshot
	maxDim                = 1 << 16
)

func (o Options) withDefaults() Options {
	o.M = cmp.Or(o.M, 16)
	o.EfConstruct = cmp.Or(o.EfConstruct, 128)
	o.FullScanBytes = max(0, cmp.Or(o.FullScanBytes, defaultThresholdBytes))
	o.IndexFromBytes = max(0, cmp.Or(o.IndexFromBytes, defaultThresholdBytes))
	if o.Dim > 0 {
		rows := min(max(snapshotRawBytes/(4*o.Dim), minSnapshotRows), maxSnapshotRows)
		o.SnapshotRows = cmp.Or(o.SnapshotRows, rows)
		o.SealRows = cmp.Or(o.SealRows, snapshotsOfPart*rows)
	}
	// A server has more processors than cores, for goroutines that wait for the disk.
	o.Parallelism = cmp.Or(o.Parallelism, min(runtime.GOMAXPROCS(0), runtime.NumCPU()))
	if o.Codes.Kind == CodesTurbo {
		o.Codes.Bits = cmp.Or(o.Codes.Bits, 4)
	}
	if o.Codes.Kind == CodesScalar {
		o.Codes.Quantile = cmp.Or(o.Codes.Quantile, 1)
	}
	o.SealIdle = cmp.Or(o.SealIdle, 3*time.Second)
	if o.Built == nil {
		o.Built = new(Built)
	}
	if o.Commit == nil {
		o.Commit = func(Saved) error { return nil }
	}
	if o.Room == nil {
		o.Room = func(int64) error { return nil }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) validate() error {
	var errs []error
	bad := func(cond bool, format string, args ...any) {
		if cond {
			errs = append(errs, fmt.Errorf("vectorindex: "+format, args...))
		}
	}
	bad(o.Dim < 1 || o.Dim > maxDim, "dimension %d is not within 1 to %d", o.Dim, maxDim)
	bad(o.Metric > distance.L1, "unknown metric %d", o.Metric)
	bad(o.M < 2 || o.M > hnsw.MaxM, "M %d is not within 2 to %d", o.M, hnsw.MaxM)
	bad(o.EfConstruct < 1, "EfConstruct %d is below 1", o.EfConstruct)
	bad(o.Codes.Kind > CodesTurbo, "unknown kind of codes %d", o.Codes.Kind)
	bad(o.Codes.Kind == CodesTurbo && !slices.Contains([]int{1, 2, 4}, o.Codes.Bits), "codes of %d bits are not of 1, 2 or 4", o.Codes.Bits)
	bad(o.Codes.Kind == CodesScalar && !(o.Codes.Quantile >= 0.5 && o.Codes.Quantile <= 1), "quantile %g is not within 0.5 to 1", o.Codes.Quantile)
	bad(o.CodesPlacement > PlaceMapped || o.LinksPlacement > PlaceMapped, "unknown placement")
	bad(o.SealRows < 1 || o.SealRows > 1<<26, "SealRows %d is not within 1 to 2^26", o.SealRows)
	bad(o.SnapshotRows < 1, "SnapshotRows %d is below 1", o.SnapshotRows)
	bad(o.Parallelism < 1, "Parallelism %d is below 1", o.Parallelism)
	bad(o.FS == nil, "no file system")
	bad(o.Rows == nil, "no rows")
	bad(o.Rows != nil && o.Rows.Datatype() != o.Datatype, "rows are not of %v", o.Datatype)
	return errors.Join(errs...)
}

// rawBytes is the size of n raw vectors.
func (c *Config) rawBytes(n int) int64 { return int64(n) * int64(c.Dim) * int64(c.Datatype.Size()) }
