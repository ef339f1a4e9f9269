package payload

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/isobath/isobath/internal/vfs"
)

// Options configures Open.
type Options struct {
	// Dir is the directory of the store, made when it does not exist. It is on the real file
	// system: badger maps its files itself.
	Dir string
	// MemoryBytes sizes tables, from 32 MiB (the default) to 256 MiB; memtables have one size for
	// ever, see memTableBytes. An idle store takes a few megabytes; under bulk load its heap was measured at three to four times this
	// figure. It may change on reopen.
	MemoryBytes int64
	// Log gets what badger reports; nil discards it.
	Log *slog.Logger

	blobFS vfs.FS // nil is the real one
}

const (
	minMemoryBytes = 32 << 20
	maxMemoryBytes = 256 << 20
)

func (o Options) withDefaults() Options {
	o.MemoryBytes = min(max(o.MemoryBytes, minMemoryBytes), maxMemoryBytes)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.blobFS == nil {
		o.blobFS = vfs.OS
	}
	return o
}

func (o Options) validate() error {
	if o.Dir == "" {
		return fmt.Errorf("payload: options: no directory")
	}
	return nil
}

// badgerOptions lists every option of badger that matters, with its reason. None is left to a
// default that a newer badger could change.
func badgerOptions(o Options) badger.Options {
	opts := badger.DefaultOptions(o.Dir).
		// Durability. The log of the engine is the truth and badger is synced at checkpoints (see
		// Sync); a sync per write would pay for the same promise twice.
		WithSyncWrites(false).
		// Versions. A version that is older than SetDiscard and shadowed may go.
		WithNumVersionsToKeep(1).
		// One goroutine writes and replay rewrites old timestamps on purpose: there is no conflict
		// to detect, and the fingerprints would cost memory.
		WithDetectConflicts(false).
		// Memory. Two memtables may wait for their flush while one is written. Table builders take twice a table each, up to 13 of them at once:
		// bulk load of 800-byte values had 244 MB of heap in use with 8 MiB memtables and 4 MiB
		// tables, 110 MB with 4 and 2, at the same speed. (1 MiB tables: 80 MB, but a descriptor
		// and a map for every megabyte or two.)
		WithMemTableSize(memTableBytes).
		WithNumMemtables(2).
		// Blocks are read from the map, uncompressed: the page cache is the cache, it can be
		// reclaimed, and no second copy counts against the memory limit. (With compression the
		// block cache would be needed: badger panics without.)
		WithCompression(options.None).
		WithZSTDCompressionLevel(1). // unused without compression
		WithBlockCacheSize(0).
		// Without encryption a table's index is read from its map and no index is ever cached.
		WithIndexCacheSize(0).
		WithBloomFalsePositive(0.01).
		WithBlockSize(4 << 10). // one page: a cold point read costs about one disk read
		// Tree. Level 0 is merged into the 64 MiB below it when it has 48 MiB of its own: with two tables
		// every byte was written three times before it lay on the last level, and compaction took three
		// times the processor time of a load of 440-byte documents. A read of an absent key asks up to
		// twelve filters instead of ten. Writers wait at twelve tables, when compaction is that far behind.
		// (16 MiB below it are too few: they were always more than they should be, so that badger merged tables of level 0 among
		// themselves, for which it allocates 256 MiB whatever they hold, in three loads of six beside the building of graphs; with 64 in
		// one of six. The bulk load took 10 to 15 % more processor time and a tenth to a quarter more writes.)
		WithNumLevelZeroTables(8).
		WithNumLevelZeroTablesStall(12).
		WithBaseTableSize(o.MemoryBytes / 16).
		WithBaseLevelSize(64 << 20).
		WithLevelSizeMultiplier(10).
		WithMaxLevels(7).
		WithNumCompactors(2).        // the smallest number badger accepts; one serves level 0
		WithCompactL0OnClose(false). // a stop must be quick
		// Value log. Every value that badger gets is shorter than the threshold and lives in the tree
		// (blobs.go), so the value log stays empty, needs no collection, and is kept as small as badger allows.
		WithValueThreshold(valueThreshold).
		WithVLogPercentile(0).
		WithValueLogFileSize(1 << 20).
		WithValueLogMaxEntries(1000000).
		// Damage. Values carry our own checksum, checked at every read (value.go). OnTableRead would
		// read the whole store at open; OnBlockRead loses keys silently, with OnTableAndBlockRead badger panics.
		WithVerifyValueChecksum(false). // of the value log, which is empty
		WithChecksumVerificationMode(options.NoVerification).
		// Others.
		WithMetricsEnabled(false). // expvar globals; Stats serves ours
		WithNumGoroutines(1).      // of badger's Stream, which is not used
		WithEncryptionKey(nil).
		WithInMemory(false).
		WithReadOnly(false).
		WithBypassLockGuard(false). // two processes in one directory destroy it
		WithNamespaceOffset(-1).    // off: keys have no namespaces of badger's kind
		WithExternalMagic(externalMagic).
		WithLogger(logger{o.Log})
	// Tables of all levels have one size: with a multiplier of 2 builders of the last level took 16 MiB each, up to 13 of them. 16 GiB of
	// keys and values (long ones are blobs) are 8 000 tables under the smallest memory limit, 1 000 under large ones.
	opts.TableSizeMultiplier = 1
	return opts
}

const (
	// memTableBytes is the same for every store and must never become smaller: after a kill badger
	// reads the log of a memtable into one new memtable and ends the process when it does not fit.
	memTableBytes = 6 << 20
	// valueThreshold keeps values inside the tree. It is larger than what is not a blob and below 15 %
	// of a memtable, which bounds a transaction.
	valueThreshold = 600 << 10
	// externalMagic marks the directory as ours and names the version of the keys and values in
	// it. Badger refuses to open a directory with another one.
	externalMagic = 0x1502
)

// logger passes badger's messages on. Its debug messages name keys, so they are dropped.
type logger struct{ log *slog.Logger }

func (l logger) Errorf(format string, args ...any) {
	l.log.Error("badger reports an error", "text", oneLine(format, args))
}

func (l logger) Warningf(format string, args ...any) {
	l.log.Warn("badger warns", "text", oneLine(format, args))
}

func (l logger) Infof(format string, args ...any) {
	l.log.Debug("badger reports", "text", oneLine(format, args))
}

func (l logger) Debugf(string, ...any) {}

func oneLine(format string, args []any) string {
	return strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")
}
