package payload

import (
	"errors"
	"log/slog"
)

// ErrNotFound is returned by Get for a key without a live version at the asked Seq.
var ErrNotFound = errors.New("payload: key not found")

// Options configures Open.
type Options struct {
	Dir         string       // created when absent
	MemoryBytes int64        // rough bound of memtables and caches; default 32 MiB
	Log         *slog.Logger // default: discard
}

// Op is one write.
type Op struct {
	Key, Value []byte
	Seq        uint64
	Delete     bool
}

// ScanOptions selects keys of a scan.
type ScanOptions struct {
	Prefix   []byte // only keys that start with it
	From     []byte // first key, inclusive; a full key including the prefix; nil = the end where the scan starts
	Reverse  bool   // descending
	KeysOnly bool   // fn gets a nil value
}

// Stats are sizes for metrics.
type Stats struct {
	DiskBytes int64
	Tables    int
	Levels    []int
}

// Store is the key-value store.
type Store struct{}

var errTodo = errors.New("payload: not implemented yet")

// Open opens or creates the store.
func Open(o Options) (*Store, error) { return nil, errTodo }

// Apply writes each op at its own Seq.
func (s *Store) Apply(ops []Op) error { return errTodo }

// Get appends the newest version at or below seq to dst.
func (s *Store) Get(seq uint64, key, dst []byte) ([]byte, error) { return nil, errTodo }

// Has says whether the key lives at seq.
func (s *Store) Has(seq uint64, key []byte) (bool, error) { return false, errTodo }

// Scan visits keys in order.
func (s *Store) Scan(seq uint64, o ScanOptions, fn func(key, value []byte) (bool, error)) error {
	return errTodo
}

// SetDiscard allows versions shadowed at or below seq to be dropped.
func (s *Store) SetDiscard(seq uint64) {}

// Sync makes everything applied durable.
func (s *Store) Sync() error { return errTodo }

// Stats returns sizes.
func (s *Store) Stats() Stats { return Stats{} }

// Close closes the store.
func (s *Store) Close() error { return errTodo }

// Check verifies a closed store.
func Check(dir string) error { return errTodo }
