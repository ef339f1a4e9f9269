package engine

import (
	"runtime/metrics"
	"time"

	"github.com/isobath/isobath/internal/mmap"
)

// Stats are the database's counters for metrics and INFO.
type Stats struct {
	Sequenced      uint64 // newest sequence number given out
	Durable        uint64
	Published      uint64
	Queue          int // operations between the log and publication
	QueueBytes     int64
	LogBytes       int64
	Checkpoint     uint64    // sequence number of the newest one
	CheckpointTime time.Time // zero when there was none since the start
	CheckpointTook time.Duration
	Views          int
	Keys           int // documents of all databases
	Open           OpenStats
	// Memory by component in bytes: "go_heap", "off_heap" (reserved, only what is touched is
	// resident), "filter_deltas", "store" (badger's tables and caches, their bound). Within
	// off_heap: "slots", "heads", "merges", "codes" and "links" (of segments held in memory).
	Memory map[string]int64
	// Degraded is the number of segments read from mapped files although memory was wanted.
	Degraded int
	// Paced is the number of collections whose writers are answered at the speed of the graph, because searches suffer from
	// what it has not taken yet.
	Paced    int
	Searches SearchTotals
	// Rows that graphs took since the start, each merge anew, and the distances on codes that this took.
	GraphRows, GraphDistances uint64
	// Rows that were read, of the collections of now: from resident pages, and from files.
	RowsResident, RowsFromFiles uint64
	// Disk by component in bytes: "log", "store", "rows", "graphs".
	Disk map[string]int64
}

// Stats returns the counters of now.
func (db *DB) Stats() Stats {
	s := Stats{
		Durable: db.durable.load(), Published: db.published.load(), LogBytes: db.wal.Bytes(), Checkpoint: db.check.seq.Load(),
		CheckpointTook: time.Duration(db.check.took.Load()), Views: db.views.count(), Open: db.opened,
		GraphRows: uint64(db.built.Rows.Load()), GraphDistances: uint64(db.built.Distances.Load()),
		Searches: db.searches.get(), Paced: len(db.paced()), Memory: map[string]int64{}, Disk: map[string]int64{},
	}
	if t := db.check.last.Load(); t != 0 {
		s.CheckpointTime = time.Unix(0, t)
	}
	db.seq.mu.Lock()
	s.Sequenced, s.Queue, s.QueueBytes = db.seq.last, len(db.seq.queue), db.seq.bytes
	for _, d := range db.seqDatabases {
		s.Keys += d.keys
	}
	db.seq.mu.Unlock()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	s.Memory["go_heap"] = int64(sample[0].Value.Uint64())
	s.Memory["off_heap"] = mmap.Allocated()
	s.Memory["store"] = db.opts.StoreBytes
	s.Disk["log"] = s.LogBytes
	store := db.kv.Stats()
	s.Disk["store"] = store.TableBytes + store.BlobBytes
	for _, c := range db.allCollections() {
		s.Memory["filter_deltas"] += c.published().filter.Memory()
		for _, v := range c.vectors {
			reads := v.rows.Reads()
			s.RowsResident += uint64(reads.Mapped)
			s.RowsFromFiles += uint64(reads.Read)
		}
		s.Memory["slots"] += c.slots.Bytes()
		for _, v := range c.Info().Vectors {
			s.Disk["rows"] += v.RowBytes
			s.Disk["graphs"] += v.SegmentBytes
			s.Memory["heads"] += v.Memory.Heads
			s.Memory["merges"] += v.Memory.Merges
			s.Memory["codes"] += v.Memory.Codes
			s.Memory["links"] += v.Memory.Links
			s.Degraded += v.Memory.Degraded
		}
	}
	return s
}
